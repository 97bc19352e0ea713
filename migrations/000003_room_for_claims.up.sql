-- Room on each page for the new versions that claims make of its rows: then the log need not
-- repeat a message's body. And vacuum, which reads all of the indexes each time, comes less
-- often where many messages wait, so that it costs each message the same. This waits for
-- vacuum and for other changes of the table's definition, and blocks nothing that reads or
-- writes rows.
ALTER TABLE messages SET (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.1,
    autovacuum_vacuum_insert_scale_factor = 0.1
);

UPDATE schema_state SET version = 3;
