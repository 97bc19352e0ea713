-- How durable each queue's messages are. Adds a column without rewriting the table: takes an
-- exclusive lock of queues for a moment; flushes wait for that, and for the second that Up waits for it.
ALTER TABLE queues
    ADD COLUMN durability text NOT NULL DEFAULT 'default'
        CHECK (durability IN ('default', 'async', 'local', 'quorum', 'applied'));

UPDATE schema_state SET version = 4;
