-- The schema that all migrations lead to, for readers: written by make generate.

CREATE FUNCTION public.tusq_now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$SELECT now()$$;

CREATE TABLE public.audit_log (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    account text NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    resource text NOT NULL,
    client text NOT NULL,
    request_id text NOT NULL,
    result text NOT NULL,
    detail jsonb NOT NULL
);

CREATE TABLE public.data_keys (
    id bigint NOT NULL,
    account text NOT NULL,
    queue_id bigint NOT NULL,
    sealed bytea NOT NULL,
    sealed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE public.instance (
    only_row boolean DEFAULT true NOT NULL,
    receipt_key bytea NOT NULL,
    identity_version bigint DEFAULT 0 NOT NULL,
    CONSTRAINT instance_only_row_check CHECK (only_row)
);

CREATE TABLE public.key_secrets (
    key_id text NOT NULL,
    number integer NOT NULL,
    token_hash bytea NOT NULL,
    sealed bytea NOT NULL,
    sealed_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone
);

CREATE TABLE public.keys (
    id text NOT NULL,
    account text NOT NULL,
    name text NOT NULL,
    actions text[] NOT NULL,
    queues text[] NOT NULL,
    sources text[] DEFAULT '{}'::text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    created_by text NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone
);

CREATE TABLE public.message_groups (
    queue_id bigint NOT NULL,
    ready_at timestamp with time zone NOT NULL,
    last_seq bigint NOT NULL,
    turn smallint DEFAULT 0 NOT NULL,
    group_id text NOT NULL
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='50000', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='50000', autovacuum_vacuum_cost_delay='0');

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
    dead_letter_source text,
    seq bigint,
    deduplication_id text
)
WITH (autovacuum_vacuum_threshold='5000', autovacuum_vacuum_insert_threshold='50000', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='50000', autovacuum_vacuum_cost_delay='0', fillfactor='50', autovacuum_vacuum_scale_factor='0.1', autovacuum_vacuum_insert_scale_factor='0.1');

CREATE TABLE public.once_keys (
    queue_id bigint NOT NULL,
    key uuid NOT NULL,
    message_id uuid NOT NULL,
    seq bigint,
    expires_at timestamp with time zone NOT NULL,
    fingerprint uuid,
    repeats integer DEFAULT 0 NOT NULL
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
    fifo boolean DEFAULT false NOT NULL,
    content_deduplication boolean DEFAULT false NOT NULL,
    deduplication_scope text DEFAULT ''::text NOT NULL,
    purged_at timestamp with time zone,
    durability text DEFAULT 'default'::text NOT NULL,
    data_key bigint,
    delaying boolean DEFAULT false NOT NULL,
    CONSTRAINT queues_check CHECK (((dead_letter_queue IS NULL) = (max_receives IS NULL))),
    CONSTRAINT queues_durability_check CHECK ((durability = ANY (ARRAY['default'::text, 'async'::text, 'local'::text, 'quorum'::text, 'applied'::text])))
);

CREATE TABLE public.receive_attempts (
    queue_id bigint NOT NULL,
    key uuid NOT NULL,
    message_ids uuid[] NOT NULL,
    leases bigint[] NOT NULL,
    visible_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.redrives (
    id uuid NOT NULL,
    account text NOT NULL,
    source_id bigint NOT NULL,
    source text NOT NULL,
    destination_id bigint,
    destination text NOT NULL,
    rate integer NOT NULL,
    status text NOT NULL,
    moved bigint DEFAULT 0 NOT NULL,
    to_move bigint NOT NULL,
    failure text DEFAULT ''::text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    stepped_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT redrives_status_check CHECK ((status = ANY (ARRAY['running'::text, 'cancelling'::text, 'cancelled'::text, 'completed'::text, 'failed'::text])))
);

CREATE TABLE public.schema_state (
    only_row boolean DEFAULT true NOT NULL,
    version integer NOT NULL,
    oldest_supported integer NOT NULL,
    CONSTRAINT schema_state_only_row_check CHECK (only_row)
);

CREATE TABLE public.sessions (
    token_hash bytea NOT NULL,
    account text NOT NULL,
    key_id text,
    user_name text,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone NOT NULL,
    CONSTRAINT sessions_check CHECK (((key_id IS NULL) <> (user_name IS NULL)))
);

CREATE TABLE public.users (
    account text NOT NULL,
    name text NOT NULL,
    password text NOT NULL,
    actions text[] NOT NULL,
    queues text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.data_keys
    ADD CONSTRAINT data_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.key_secrets
    ADD CONSTRAINT key_secrets_pkey PRIMARY KEY (key_id, number);

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.message_groups
    ADD CONSTRAINT message_groups_pkey PRIMARY KEY (queue_id, group_id);

ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (queue_id, id);

ALTER TABLE ONLY public.once_keys
    ADD CONSTRAINT once_keys_pkey PRIMARY KEY (queue_id, key);

ALTER TABLE ONLY public.queue_counters
    ADD CONSTRAINT queue_counters_pkey PRIMARY KEY (queue_id, lane);

ALTER TABLE ONLY public.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.receive_attempts
    ADD CONSTRAINT receive_attempts_pkey PRIMARY KEY (queue_id, key);

ALTER TABLE ONLY public.redrives
    ADD CONSTRAINT redrives_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.schema_state
    ADD CONSTRAINT schema_state_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (account, name);

CREATE INDEX audit_log_account ON public.audit_log USING btree (account, id);

CREATE INDEX keys_account ON public.keys USING btree (account, id);

CREATE INDEX message_groups_ready ON public.message_groups USING btree (queue_id, turn, ready_at);

CREATE INDEX messages_claim ON public.messages USING btree (queue_id, priority, returned, visible_at, id);

CREATE INDEX messages_fifo ON public.messages USING btree (queue_id, group_id, seq) WHERE (seq IS NOT NULL);

CREATE INDEX once_keys_expired ON public.once_keys USING btree (expires_at);

CREATE INDEX queues_deleted ON public.queues USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE UNIQUE INDEX queues_live ON public.queues USING btree (account, name) WHERE (deleted_at IS NULL);

CREATE INDEX receive_attempts_expired ON public.receive_attempts USING btree (expires_at);

CREATE UNIQUE INDEX redrives_active ON public.redrives USING btree (source_id) WHERE (ended_at IS NULL);

CREATE INDEX redrives_source ON public.redrives USING btree (source_id, started_at);

CREATE INDEX sessions_used ON public.sessions USING btree (used_at);
