-- Forgets all keys, users and sessions, and the audit log.
DROP TABLE audit_log, sessions, users, key_secrets, keys;
ALTER TABLE instance DROP COLUMN identity_version;

UPDATE schema_state SET version = 4;
