-- Forgets the keys of encrypted messages: nobody can read these any more. Locks as the way up does.
DROP TABLE data_keys;
ALTER TABLE queues DROP COLUMN data_key;

UPDATE schema_state SET version = 5;
