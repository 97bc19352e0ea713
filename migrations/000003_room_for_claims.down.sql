-- As it was before. Waits as the way up does.
ALTER TABLE messages RESET (fillfactor);
ALTER TABLE messages SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_scale_factor = 0);

UPDATE schema_state SET version = 2;
