package main

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/migrations"
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
	released := make(chan error)
	go func() {
		for end := time.Now().Add(20 * time.Second); !log.has("waiting to migrate") && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		_, err := conn.Exec(t.Context(), `COMMIT`)
		released <- err
	}()
	applied, err := d.migrate(t.Context())
	if applied == 0 || err != nil {
		t.Errorf("migrate: applied %d, %v", applied, err)
	}
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	if !log.has("waiting to migrate") {
		t.Error("the log does not say why it took so long")
	}
}

// TestSchemaThatIsTooNew: no command works on it, nor calls it well.
func TestSchemaThatIsTooNew(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `UPDATE schema_state SET version = 99, oldest_supported = 98`); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"fsck"}, {"fsck", "--fix"}, {"migrate", "status"}, {"migrate", "up"}} {
		if _, err := run(t.Context(), "", nil, append(args, "--database-url", url)...); !errors.Is(err, migrations.ErrTooNew) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
