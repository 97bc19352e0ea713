-- FIFO queues, calls and receives that happen once, redrives, one clock. Adds columns
-- without rewriting a table and makes an index over no row: writes to messages wait for
-- one pass over the table at most.

-- What all statements take for the time, so that tests can travel: it is inlined into them.
CREATE FUNCTION tusq_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT now()';

ALTER TABLE queues
    ADD COLUMN fifo                  boolean NOT NULL DEFAULT false,
    ADD COLUMN content_deduplication boolean NOT NULL DEFAULT false,
    ADD COLUMN deduplication_scope   text NOT NULL DEFAULT '', -- queue or group; empty: not FIFO
    ADD COLUMN purged_at             timestamptz;

ALTER TABLE messages
    ADD COLUMN seq              bigint, -- inside its group; null: not of a FIFO queue
    ADD COLUMN deduplication_id text;

-- A group's messages in their order.
CREATE INDEX messages_fifo ON messages (queue_id, group_id, seq) WHERE seq IS NOT NULL;

-- One row for each group of a FIFO queue that holds messages. Whoever changes a group's
-- messages locks it first. ready_at is never later than the moment at which the group's first
-- message becomes visible (an expired message counts until it is deleted, a few seconds
-- later); a claim that finds it too early sets it right. turn is 0 while the first message was never
-- received, 1 when it came back, 2 when it came back often.
CREATE TABLE message_groups (
    queue_id bigint NOT NULL,
    ready_at timestamptz NOT NULL,
    last_seq bigint NOT NULL,
    turn     smallint NOT NULL DEFAULT 0,
    group_id text NOT NULL,
    PRIMARY KEY (queue_id, group_id)
) WITH (
    fillfactor = 70, -- a send changes last_seq alone, on the same page
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX message_groups_ready ON message_groups (queue_id, turn, ready_at);

-- What happens once in five minutes, by a hash of its name: a message of a FIFO queue, by
-- its deduplication id; a call, by its idempotency key.
CREATE TABLE once_keys (
    queue_id    bigint NOT NULL,
    key         uuid NOT NULL,
    message_id  uuid NOT NULL, -- the message, or the call's first
    seq         bigint,        -- of a FIFO queue's message
    expires_at  timestamptz NOT NULL,
    fingerprint uuid,          -- of a call's messages
    repeats     integer NOT NULL DEFAULT 0, -- how often it was asked for again
    PRIMARY KEY (queue_id, key)
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);

CREATE INDEX once_keys_expired ON once_keys (expires_at);

-- What a receive with an attempt id got, to give it again.
CREATE TABLE receive_attempts (
    queue_id    bigint NOT NULL,
    key         uuid NOT NULL,
    message_ids uuid[] NOT NULL,
    leases      bigint[] NOT NULL,
    visible_at  timestamptz NOT NULL, -- of all of them; another one: it was changed
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (queue_id, key)
);

CREATE INDEX receive_attempts_expired ON receive_attempts (expires_at);

-- Jobs that move messages out of dead-letter queues. A step moves some in one transaction
-- and says so here, so that any replica may do the next.
CREATE TABLE redrives (
    id             uuid PRIMARY KEY,
    account        text NOT NULL,
    source_id      bigint NOT NULL,
    source         text NOT NULL,
    destination_id bigint,           -- null: each message goes to the queue that it came from
    destination    text NOT NULL,
    rate           integer NOT NULL, -- messages per second; 0: as fast as it goes
    status         text NOT NULL CHECK (status IN ('running', 'cancelling', 'cancelled', 'completed', 'failed')),
    moved          bigint NOT NULL DEFAULT 0,
    to_move        bigint NOT NULL,
    failure        text NOT NULL DEFAULT '',
    started_at     timestamptz NOT NULL,
    stepped_at     timestamptz NOT NULL,
    ended_at       timestamptz
);

CREATE UNIQUE INDEX redrives_active ON redrives (source_id) WHERE ended_at IS NULL;
CREATE INDEX redrives_source ON redrives (source_id, started_at);

UPDATE schema_state SET version = 2;
