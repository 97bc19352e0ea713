-- Every queue is as durable as the database is set to. Locks as the way up does.
ALTER TABLE queues DROP COLUMN durability;

UPDATE schema_state SET version = 3;
