-- The tables of the engine. Creates only new objects, so it blocks nothing.

-- One row. Each migration ends by setting version, in its own transaction: so a
-- migration that was killed is known to have happened or not. A migration that old
-- binaries cannot live with raises oldest_supported to its own version.
CREATE TABLE schema_state (
    only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version          integer NOT NULL,
    oldest_supported integer NOT NULL
);

-- What all replicas share: the key that seals receipts.
CREATE TABLE instance (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    receipt_key bytea NOT NULL
);

-- id is random and never used again: it is the queue's incarnation, and receipts
-- carry it. A deleted queue's row stays until its messages are collected.
CREATE TABLE queues (
    id                 bigint PRIMARY KEY,
    account            text NOT NULL,
    name               text NOT NULL,
    visibility_timeout interval NOT NULL,
    delay              interval NOT NULL,
    retention          interval NOT NULL,
    receive_wait       interval NOT NULL,
    max_message_size   integer NOT NULL,
    dead_letter_queue  text,             -- by name: a queue made anew under it counts
    max_receives       integer,
    extra              jsonb NOT NULL,   -- attributes that only a dialect knows
    tags               jsonb NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    deleted_at         timestamptz,
    CHECK ((dead_letter_queue IS NULL) = (max_receives IS NULL))
);

CREATE UNIQUE INDEX queues_live ON queues (account, name) WHERE deleted_at IS NULL;
CREATE INDEX queues_deleted ON queues (deleted_at) WHERE deleted_at IS NOT NULL;

-- Every message of every queue. Its state follows from visible_at and returned:
--
--   visible    visible_at <= now()
--   delayed    visible_at >  now(), not returned
--   in flight  visible_at >  now(), returned (it has been claimed before)
--
-- Columns are ordered by alignment. There are no foreign keys: a send checks its
-- queue in its own statement, and what a deleted queue leaves is collected.
CREATE TABLE messages (
    queue_id           bigint NOT NULL,
    id                 uuid NOT NULL,             -- version 7, made by the replica
    visible_at         timestamptz NOT NULL,
    sent_at            timestamptz NOT NULL,
    lease              bigint,                    -- random, new at every claim; null: released or never claimed
    first_received_at  timestamptz,
    received_at        timestamptz,               -- the last claim
    receive_count      integer NOT NULL DEFAULT 0,
    earlier_receives   integer NOT NULL DEFAULT 0, -- of them, those before it was moved to this queue
    priority           smallint NOT NULL DEFAULT 0,
    returned           boolean NOT NULL DEFAULT false,
    body               text NOT NULL,
    attributes         json,
    group_id           text,
    trace_header       text,
    dead_letter_source text,
    PRIMARY KEY (queue_id, id)
) WITH (
    -- Rows live for seconds: dead ones are removed by their number, never by a share of the table.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

-- The claim's order. Visible rows are a prefix, future ones the rest: no OR, no sort.
CREATE INDEX messages_claim ON messages (queue_id, priority, returned, visible_at, id);

-- A queue's number of messages is the sum of its lanes. A replica writes only its own
-- lane, so replicas do not wait for each other; the low fillfactor keeps updates on the page.
CREATE TABLE queue_counters (
    queue_id bigint NOT NULL,
    lane     integer NOT NULL,
    messages bigint NOT NULL,
    flush_id bigint, -- of the lane's last sends: whether a flush was committed whose connection was lost
    PRIMARY KEY (queue_id, lane)
) WITH (
    fillfactor = 20,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

INSERT INTO schema_state (version, oldest_supported) VALUES (1, 1);
