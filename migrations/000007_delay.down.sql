-- Forgets which changes of delays were interrupted. Locks as the way up does.
ALTER TABLE queues DROP COLUMN delaying;

UPDATE schema_state SET version = 6;
