-- Removes everything, messages included. Locks each table exclusively.
DROP TABLE queue_counters;
DROP TABLE messages;
DROP TABLE queues;
DROP TABLE instance;
DROP TABLE schema_state;
