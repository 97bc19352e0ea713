package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
)

// TestMigrationWaitsForItsTables: whoever uses them does not make the command fail, and is told of.
func TestMigrationWaitsForItsTables(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
BEGIN;
LOCK TABLE schema_migrations`); err != nil {
		t.Fatal(err)
	}
	log := new(logLines)
	d := &database{url: url, log: slog.New(slog.NewTextHandler(log, nil))}
	const held = 1500 * time.Millisecond // which is longer than one attempt
	start, released := time.Now(), make(chan error)
	go func() {
		time.Sleep(held)
		_, err := conn.Exec(t.Context(), `COMMIT`)
		released <- err
	}()
	applied, err := d.migrate(t.Context())
	if applied == 0 || err != nil || time.Since(start) < held {
		t.Errorf("migrate: applied %d, %v, after %v", applied, err, time.Since(start))
	}
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	if !log.has("waiting to migrate") {
		t.Error("the log does not say why it took so long")
	}
}
