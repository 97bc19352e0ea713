-- A FIFO queue's new delay holds for its messages too, in parts. Adds a column without rewriting the table: takes an
-- exclusive lock of queues for a moment; flushes wait for that, and for the second that Up waits for it.
ALTER TABLE queues
    ADD COLUMN delaying boolean NOT NULL DEFAULT false; -- the delay was changed, and may not hold for all messages yet

UPDATE schema_state SET version = 7;
