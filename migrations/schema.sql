-- The schema that all migrations lead to, for readers: written by make generate.

CREATE TABLE public.instance (
    only_row boolean DEFAULT true NOT NULL,
    receipt_key bytea NOT NULL,
    CONSTRAINT instance_only_row_check CHECK (only_row)
);

CREATE TABLE public.messages (
    queue_id bigint NOT NULL,
    id uuid NOT NULL,
    visible_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    lease bigint,
    first_received_at timestamp with time zone,
    received_at timestamp with time zone,
    receive_count integer DEFAULT 0 NOT NULL,
    earlier_receives integer DEFAULT 0 NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    returned boolean DEFAULT false NOT NULL,
    body text NOT NULL,
    attributes json,
    group_id text,
    trace_header text,
    dead_letter_source text
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='50000', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='50000', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.queue_counters (
    queue_id bigint NOT NULL,
    lane integer NOT NULL,
    messages bigint NOT NULL,
    flush_id bigint
)
WITH (fillfactor='20', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');

CREATE TABLE public.queues (
    id bigint NOT NULL,
    account text NOT NULL,
    name text NOT NULL,
    visibility_timeout interval NOT NULL,
    delay interval NOT NULL,
    retention interval NOT NULL,
    receive_wait interval NOT NULL,
    max_message_size integer NOT NULL,
    dead_letter_queue text,
    max_receives integer,
    extra jsonb NOT NULL,
    tags jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT queues_check CHECK (((dead_letter_queue IS NULL) = (max_receives IS NULL)))
);

CREATE TABLE public.schema_state (
    only_row boolean DEFAULT true NOT NULL,
    version integer NOT NULL,
    oldest_supported integer NOT NULL,
    CONSTRAINT schema_state_only_row_check CHECK (only_row)
);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (queue_id, id);

ALTER TABLE ONLY public.queue_counters
    ADD CONSTRAINT queue_counters_pkey PRIMARY KEY (queue_id, lane);

ALTER TABLE ONLY public.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.schema_state
    ADD CONSTRAINT schema_state_pkey PRIMARY KEY (only_row);

CREATE INDEX messages_claim ON public.messages USING btree (queue_id, priority, returned, visible_at, id);

CREATE INDEX queues_deleted ON public.queues USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE UNIQUE INDEX queues_live ON public.queues USING btree (account, name) WHERE (deleted_at IS NULL);
