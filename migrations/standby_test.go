package migrations_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/migrations"
)

// TestMigrationThatWaitsForAStandbyEnds: commits wait for a standby that is away. Whoever migrates ends soon after its
// context all the same, and what it left behind is in nobody's way once commits go through.
func TestMigrationThatWaitsForAStandbyEnds(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t, nil)
	admin := connect(t, server)
	execute(t, admin, `SET synchronous_commit = local`)
	demand := func(standby string) {
		execute(t, admin, `ALTER SYSTEM SET synchronous_standby_names = '`+standby+`'`)
		execute(t, admin, `SELECT pg_reload_conf()`)
		waitFor(t, admin, `SELECT current_setting('synchronous_standby_names') = '`+standby+`'`)
	}
	for name, prepare := range map[string]string{
		"with the first table": `SELECT 1`,
		"with a migration":     `CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)`,
	} {
		t.Run(name, func(t *testing.T) {
			execute(t, admin, `DROP DATABASE IF EXISTS empty WITH (FORCE)`)
			execute(t, admin, `CREATE DATABASE empty`)
			url := pgtest.WithDatabase(server, "empty")
			execute(t, connect(t, url), prepare)
			demand("nobody")
			defer demand("")
			pgtest.AwaitStandbyDemand(t, admin, connect(t, server))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				_, err := migrations.Up(ctx, url)
				ended <- err
			}()
			waitFor(t, admin, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')`)
			cancel()
			select {
			case err := <-ended:
				if !errors.Is(err, migrations.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
					t.Errorf("Up: %v, want ErrOutcomeUnknown", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("Up goes on without its context")
			}
			demand("")
			if _, err := migrations.Up(t.Context(), url); err != nil {
				t.Errorf("Up once commits go through: %v", err)
			}
			if s := status(t, url); !s.Current() {
				t.Errorf("the database is at %+v", s)
			}
		})
	}
}

// waitFor waits until a question is answered by true.
func waitFor(t *testing.T, conn *pgx.Conn, question string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var holds bool
		if err := conn.QueryRow(t.Context(), question).Scan(&holds); err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		if holds {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", question)
		}
	}
}

// TestMigrationThatIsStillCarriedOut: the process that began it is gone, and PostgreSQL commits it while the next one starts.
func TestMigrationThatIsStillCarriedOut(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	left, observer := connect(t, url), connect(t, url)
	var name string
	if err := left.QueryRow(t.Context(), `SELECT current_database()`).Scan(&name); err != nil {
		t.Fatal(err)
	}
	lock, err := database.GenerateAdvisoryLockId(name, "public", "schema_migrations")
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile("000001_core.up.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, left, `CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)`)
	execute(t, left, `INSERT INTO schema_migrations VALUES (1, true)`)
	execute(t, left, `SELECT pg_advisory_lock(`+lock+`)`)
	execute(t, left, `BEGIN`)
	execute(t, left, string(first))
	ended := make(chan error, 1)
	go func() {
		_, err := migrations.Up(t.Context(), url)
		ended <- err
	}()
	waitFor(t, observer, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
	execute(t, left, `COMMIT`)
	execute(t, left, `SELECT pg_advisory_unlock(`+lock+`)`)
	if err := <-ended; err != nil {
		t.Errorf("Up: %v", err)
	}
	if s := status(t, url); !s.Current() {
		t.Errorf("the database is at %+v", s)
	}
}
