-- Queues whose messages are encrypted. Adds a column without rewriting the table: takes an
-- exclusive lock of queues for a moment; flushes wait for that, and for the second that Up waits for it.
ALTER TABLE queues
    ADD COLUMN data_key bigint; -- by which new messages are encrypted; null: they are not

-- A data key stays when its queue is gone: messages that were moved to another queue need it.
-- Where a message is encrypted its attributes are the number of its data key, and its body is
-- base64 of nonce and AES-256-GCM of both.
CREATE TABLE data_keys (
    id         bigint PRIMARY KEY,
    account    text NOT NULL,
    queue_id   bigint NOT NULL,
    sealed     bytea NOT NULL, -- nonce and AES-256-GCM of the key, bound to the three above
    sealed_by  text NOT NULL,  -- the master key, by its fingerprint
    created_at timestamptz NOT NULL
);

UPDATE schema_state SET version = 6;
