-- Forgets FIFO queues with their messages; takes an exclusive lock of queues and messages.
DELETE FROM messages WHERE seq IS NOT NULL;
DELETE FROM queue_counters WHERE queue_id IN (SELECT id FROM queues WHERE fifo);
DELETE FROM queues WHERE fifo;
DROP TABLE redrives, receive_attempts, once_keys, message_groups;
DROP INDEX messages_fifo;
ALTER TABLE messages DROP COLUMN deduplication_id, DROP COLUMN seq;
ALTER TABLE queues
    DROP COLUMN purged_at,
    DROP COLUMN deduplication_scope,
    DROP COLUMN content_deduplication,
    DROP COLUMN fifo;
DROP FUNCTION tusq_now();
UPDATE schema_state SET version = 1;
