package rig

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
)

// place is a directory that the user who runs PostgreSQL can enter.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tusq-rig-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startPostgres makes and starts a cluster that ends with the test.
func startPostgres(t *testing.T, dir string) *Postgres {
	t.Helper()
	p, err := NewPostgres(t.Context(), dir, PostgresOptions{Settings: map[string]string{"max_connections": "30"}})
	must(t, err)
	t.Cleanup(p.Kill)
	must(t, p.Start(t.Context()))
	return p
}

func count(t *testing.T, p *Postgres) (rows int) {
	t.Helper()
	must(t, p.QueryRow(t.Context(), []any{&rows}, "SELECT count(*) FROM letters"))
	return rows
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("not within 20 seconds: " + what)
		}
	}
}

// TestPostgresSurvivesItsKill with all its processes dead, and with its settings.
func TestPostgresSurvivesItsKill(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, filepath.Join(place(t), "pg"))
	var fsync, checksums, connections string
	must(t, p.QueryRow(t.Context(), []any{&fsync, &checksums, &connections},
		"SELECT current_setting('fsync'), current_setting('data_checksums'), current_setting('max_connections')"))
	if fsync != "on" || checksums != "on" || connections != "30" {
		t.Errorf("fsync %s, checksums %s, %s connections", fsync, checksums, connections)
	}
	user, err := pgx.Connect(t.Context(), p.URL())
	must(t, err)
	defer user.Close(context.WithoutCancel(t.Context()))
	_, err = user.Exec(t.Context(), "CREATE SCHEMA own; CREATE TABLE letters (n int)")
	if err == nil {
		_, err = user.Exec(t.Context(), "INSERT INTO letters VALUES (1)")
	}
	must(t, err)
	pid := p.PID()
	p.Kill()
	if running, err := embeddedpg.ProcessesIn(p.Dir()); err != nil || len(running) > 0 || p.Running() {
		t.Errorf("after the kill %v run, %v", running, err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the postmaster: %v", err)
	}
	if _, err := user.Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("the old connection works")
	}
	must(t, p.Start(t.Context()))
	if rows := count(t, p); rows != 1 {
		t.Errorf("%d rows", rows)
	}
	must(t, p.Check(t.Context()))
	must(t, p.Stop(t.Context()))
	if p.Running() || p.PID() != 0 {
		t.Error("it runs after Stop")
	}
	must(t, p.Start(t.Context()))
}

// TestStandbyTakesOver is promoted after the primary was killed; the old primary, with a row that nobody else has, comes back as
// its standby.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	dir := place(t)
	first := startPostgres(t, filepath.Join(dir, "first"))
	must(t, first.Exec(t.Context(), "CREATE TABLE letters (n int)"))
	second, err := first.Standby(t.Context(), filepath.Join(dir, "second"), "second")
	must(t, err)
	t.Cleanup(second.Kill)
	must(t, first.Exec(t.Context(), "ALTER SYSTEM SET synchronous_standby_names = 'second'"))
	must(t, first.Exec(t.Context(), "SELECT pg_reload_conf()"))
	eventually(t, "the standby is a synchronous one", func() bool {
		var state string
		err := first.QueryRow(t.Context(), []any{&state}, "SELECT sync_state FROM pg_stat_replication")
		return err == nil && state == "sync"
	})
	must(t, first.Exec(t.Context(), "INSERT INTO letters VALUES (1)"))
	must(t, second.Stop(t.Context()))
	must(t, first.Exec(t.Context(), "SET synchronous_commit = local; INSERT INTO letters VALUES (2)"))
	first.Kill()
	must(t, second.Start(t.Context()))
	must(t, second.Promote(t.Context()))
	must(t, second.Exec(t.Context(), "ALTER SYSTEM RESET synchronous_standby_names"))
	must(t, second.Exec(t.Context(), "SELECT pg_reload_conf()"))
	must(t, second.Exec(t.Context(), "INSERT INTO letters VALUES (3)"))
	must(t, first.Rewind(t.Context(), second, "first"))
	must(t, first.Start(t.Context()))
	must(t, second.AwaitStandby(t.Context(), "first"))
	eventually(t, "the rows of the new primary are on the old one", func() bool { return count(t, first) == 2 })
	var standby bool
	must(t, first.QueryRow(t.Context(), []any{&standby}, "SELECT pg_is_in_recovery()"))
	if !standby || second.Address() == first.Address() {
		t.Errorf("the old primary is a standby: %v", standby)
	}
}
