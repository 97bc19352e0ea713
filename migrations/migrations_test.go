package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/migrations"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func status(t *testing.T, url string) migrations.Status {
	t.Helper()
	s, err := migrations.ReadStatus(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// downTo takes back the migrations after a version.
func downTo(t *testing.T, url string, version int) {
	t.Helper()
	conn := connect(t, url)
	for v := status(t, url).Database; v > version; v-- {
		files, _ := filepath.Glob(fmt.Sprintf("%06d_*.down.sql", v)) // the pattern is valid
		text, err := os.ReadFile(strings.Join(files, " and "))
		if err != nil {
			t.Fatal(err)
		}
		execute(t, conn, string(text))
	}
	execute(t, conn, fmt.Sprintf(`UPDATE schema_migrations SET version = %d`, version))
}

func TestTenReplicasStartAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	if s := status(t, url); s.Database != 0 || s.Current() {
		t.Errorf("an empty database is at %+v", s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	applied := make([]int, 10)
	var replicas sync.WaitGroup
	for i := range applied {
		replicas.Go(func() {
			var err error
			if applied[i], err = migrations.Up(ctx, url); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		})
	}
	replicas.Wait()
	migrated := 0
	for _, n := range applied {
		if n > 0 {
			migrated++
		}
	}
	s := status(t, url)
	if migrated != 1 || !s.Current() || s.Database != s.Binary {
		t.Errorf("%d replicas migrated (%v), to %+v; want exactly one", migrated, applied, s)
	}
}

func TestKilledMigrationIsRunAgain(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"before its commit": pgtest.Empty(t), "after its commit": pgtest.New(t)} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, url)
			// What golang-migrate leaves when it is killed between its own two writes.
			execute(t, conn, `CREATE TABLE IF NOT EXISTS schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)`)
			execute(t, conn, `TRUNCATE schema_migrations`)
			execute(t, conn, `INSERT INTO schema_migrations VALUES (1, true)`)
			if _, err := migrations.Up(t.Context(), url); err != nil {
				t.Fatal(err)
			}
			if s := status(t, url); !s.Current() {
				t.Errorf("the database is at %+v", s)
			}
			execute(t, conn, `SELECT * FROM messages`)
		})
	}
}

// TestReaderHoldsUpNobody: while a table is read by a transaction that stays open, as a dump's does, a migration
// that is to change it gives way to those that came after it.
func TestReaderHoldsUpNobody(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	const changesQueues = 6
	downTo(t, url, changesQueues-1)
	before := status(t, url)

	reader, others := connect(t, url), connect(t, url)
	execute(t, reader, `BEGIN; LOCK TABLE queues IN ACCESS SHARE MODE`)
	var worst [2]time.Duration // beside each attempt; the machine may pause at one
	for i := range worst {
		done := make(chan error, 1)
		go func() {
			_, err := migrations.Up(t.Context(), url)
			done <- err
		}()
		for waiting := true; waiting; {
			select {
			case err := <-done:
				if !errors.Is(err, migrations.ErrInUse) {
					t.Errorf("Up beside a reader: %v, want ErrInUse", err)
				}
				waiting = false
			case <-time.After(10 * time.Millisecond):
				start := time.Now()
				execute(t, others, `SELECT FROM queues`)
				worst[i] = max(worst[i], time.Since(start))
			}
		}
	}
	if slices.Max(worst[:]) < 100*time.Millisecond || slices.Min(worst[:]) > 3*time.Second {
		t.Errorf("others waited for %v at most: not at all, or too long", worst)
	}
	if s := status(t, url); s != before {
		t.Errorf("the schema was at %+v, and is at %+v", before, s)
	}
	execute(t, reader, `COMMIT`)
	if n, err := migrations.Up(t.Context(), url); n != before.Binary-before.Database || err != nil {
		t.Errorf("Up without the reader: applied %d, %v", n, err)
	}
}

func TestOldBinaryOnANewerSchema(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	conn := connect(t, url)
	execute(t, conn, `UPDATE schema_state SET version = 999`)
	if n, err := migrations.Up(t.Context(), url); n != 0 || err != nil {
		t.Errorf("a newer schema that supports this binary: applied %d, %v", n, err)
	}
	execute(t, conn, `UPDATE schema_state SET oldest_supported = 998`)
	if _, err := migrations.Up(t.Context(), url); !errors.Is(err, migrations.ErrTooNew) {
		t.Errorf("a newer schema that does not support this binary: %v", err)
	}
}

func TestUpWaitsNoLongerThanItsContext(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	execute(t, connect(t, url), `SELECT pg_advisory_lock(1953854321)`) // another replica migrates, and hangs
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var log strings.Builder
	if _, err := migrations.UpLogged(ctx, url, slog.New(slog.NewTextHandler(&log, nil))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Up: %v, want the context's deadline", err)
	}
	if strings.Count(log.String(), "waiting for another process") != 1 {
		t.Errorf("the log does not say once what is waited for: %s", log.String())
	}
	if s := status(t, url); s.Database != 0 {
		t.Errorf("migrated beside the lock's holder: %+v", s)
	}
}

func TestUnreachableDatabase(t *testing.T) {
	t.Parallel()
	_, err := migrations.Up(t.Context(), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")
	if !errors.Is(err, migrations.ErrUnreachable) {
		t.Errorf("Up: %v, want ErrUnreachable", err)
	}
}

// TestServerThatSaysNothingIsPassedOver: the next one in the URL is tried soon.
func TestServerThatSaysNothingIsPassedOver(t *testing.T) {
	t.Parallel()
	url := pgtest.Hosts(t, pgtest.Silent(t), pgtest.Empty(t))
	for name, call := range map[string]func(context.Context) error{
		"ReadStatus": func(ctx context.Context) error { _, err := migrations.ReadStatus(ctx, url); return err },
		"Up":         func(ctx context.Context) error { _, err := migrations.Up(ctx, url); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			if err := call(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPoolerDoesNotMigrate: the lock would stay with a connection that others are lent.
func TestPoolerDoesNotMigrate(t *testing.T) {
	direct := pgtest.Empty(t)
	pooled := pgtest.Pooled(t, direct)
	if _, err := migrations.Up(t.Context(), pooled); !errors.Is(err, migrations.ErrPooled) {
		t.Errorf("migrating by way of a pooler: %v", err)
	}
	if status(t, direct).Database != 0 {
		t.Error("something was migrated")
	}
	if _, err := migrations.Up(t.Context(), direct); err != nil {
		t.Fatal(err)
	}
	if applied, err := migrations.Up(t.Context(), pooled); err != nil || applied != 0 {
		t.Errorf("a pooler before a migrated database: %d, %v", applied, err)
	}
}
