package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
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
	if !log.has("waiting to migrate") || !log.has("migrating the schema") {
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

// TestMigrateStatusMakesNoDatabase: a data directory that is not there stays so.
func TestMigrateStatusMakesNoDatabase(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	if _, err := run(t.Context(), "", nil, "migrate", "status", "--data-dir", dataDir); !errors.Is(err, embeddedpg.ErrNoCluster) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if _, err := os.Stat(dataDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
}

// TestMigrateStatusBesideAServer asks the private PostgreSQL that another process runs.
func TestMigrateStatusBesideAServer(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	server, err := embeddedpg.Start(t.Context(), embeddedpg.Options{DataDir: dataDir, Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := run(t.Context(), "", nil, "migrate", "status", "--data-dir", dataDir); err == nil || !strings.Contains(err.Error(), "migrations are missing") {
		t.Errorf("before migrating: %v", err)
	}
	if _, err := migrations.Up(t.Context(), server.URL()); err != nil {
		t.Fatal(err)
	}
	out, err := run(t.Context(), "", nil, "migrate", "status", "--data-dir", dataDir)
	if err != nil || !strings.Contains(out.stdout, "database: version") {
		t.Errorf("beside a server: %v\n%s", err, out.stdout)
	}
}

// TestNoRoomForAPrivateDatabase: the error says what the image of tusq, which cannot make one, has to be given.
func TestNoRoomForAPrivateDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"up", "status"} {
		_, err := run(t.Context(), "", nil, "migrate", command, "--data-dir", filepath.Join(file, "data"))
		if err == nil || !strings.Contains(err.Error(), "--database-url") {
			t.Errorf("migrate %s with a directory that cannot be made: %v", command, err)
		}
	}
}

// newDataDir names a data directory that does not exist yet, where the user of a private PostgreSQL can reach it.
func newDataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tusq-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}
