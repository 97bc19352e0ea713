-- Who may call, and what was done. Creates new objects and adds a column without rewriting a
-- table that has one row, so it blocks nothing.

-- Grows with every change of keys and users, so that replicas see that there is one.
ALTER TABLE instance ADD COLUMN identity_version bigint NOT NULL DEFAULT 0;

-- A key's id is its AWS access key id too. A revoked key's row stays, so that the log can be read.
CREATE TABLE keys (
    id           text PRIMARY KEY,
    account      text NOT NULL,
    name         text NOT NULL,
    actions      text[] NOT NULL,
    queues       text[] NOT NULL,             -- names, or beginnings that end with *
    sources      text[] NOT NULL DEFAULT '{}', -- networks that it may be used from; none: all
    created_at   timestamptz NOT NULL,
    created_by   text NOT NULL,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz                  -- to the minute
);

CREATE INDEX keys_account ON keys (account, id);

-- One secret, or two while one takes the other's place. Its form for REST is kept as a hash alone;
-- signatures need the secret itself, which is kept sealed.
CREATE TABLE key_secrets (
    key_id     text NOT NULL,
    number     integer NOT NULL,     -- 1, 2, ...
    token_hash bytea NOT NULL,       -- SHA-256 of the whole token
    sealed     bytea NOT NULL,       -- nonce and AES-256-GCM of the secret, bound to the key's id
    sealed_by  text NOT NULL,        -- the master key, by its fingerprint
    created_at timestamptz NOT NULL,
    expires_at timestamptz,          -- set when another took its place
    PRIMARY KEY (key_id, number)
);

-- People who sign in to the console.
CREATE TABLE users (
    account    text NOT NULL,
    name       text NOT NULL,
    password   text NOT NULL,        -- argon2id, with its parameters
    actions    text[] NOT NULL,
    queues     text[] NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account, name)
);

-- Those who are signed in: by a key or as a user.
CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY,    -- SHA-256 of what the cookie holds
    account    text NOT NULL,
    key_id     text,
    user_name  text,
    created_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL, -- to the minute
    CHECK ((key_id IS NULL) <> (user_name IS NULL))
);

CREATE INDEX sessions_used ON sessions (used_at);

-- What was done and refused: only ever added to, and deleted by age.
CREATE TABLE audit_log (
    id         uuid PRIMARY KEY,     -- version 7
    at         timestamptz NOT NULL,
    account    text NOT NULL,        -- whose queues it was about; empty: not known
    actor      text NOT NULL,
    action     text NOT NULL,
    resource   text NOT NULL,
    client     text NOT NULL,        -- the address that it came from
    request_id text NOT NULL,
    result     text NOT NULL,        -- ok, or an error's code
    detail     jsonb NOT NULL        -- never a secret, never a body
);

CREATE INDEX audit_log_account ON audit_log (account, id);

UPDATE schema_state SET version = 5;
