package service_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// logged is a log that is read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// has waits for a text, which is written a moment after what it tells of, until ctx ends.
func (l *logged) has(ctx context.Context, text string) bool {
	for l.count(text) == 0 {
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

// TestUnfitDatabaseIsTold: what a database lacks is warned of, once, and known.
func TestUnfitDatabaseIsTold(t *testing.T) {
	t.Parallel()
	url := pgtest.Server(t, map[string]string{
		"fsync": "on", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	old := begin(ctx, t, url)
	log := &logged{}
	svc := testservice.On(t, url, service.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	health := firstHealth(ctx, t, svc)
	want := map[service.Unfit]bool{
		service.UnfitFsync: false, service.UnfitPages: true, service.UnfitChecksums: false,
		service.UnfitCommits: true, service.UnfitStandby: false,
	}
	warned := map[service.Unfit]bool{}
	for range 2 { // the second look warns of nothing again
		for unfit, holds := range want {
			if health.Unfit[unfit] != holds || len(health.Unfit) != len(want) {
				t.Errorf("%s: %v, want %v", unfit, health.Unfit[unfit], holds)
			}
		}
		if err := svc.LookAtHealth(ctx, warned); err != nil {
			t.Fatal(err)
		}
	}
	for unfit, holds := range want {
		if n := log.count("fact=" + string(unfit)); holds != (n > 0) || n > 2 { // by the service's own look, and by those of this test
			t.Errorf("%s was warned of %d times", unfit, n)
		}
	}
	if health.OldestTransaction <= 0 || health.OldestTransaction > time.Minute {
		t.Errorf("the oldest transaction is %v old", health.OldestTransaction)
	}
	if err := old.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	for health.OldestTransaction > 0 || health.DeadRows == 0 { // transactions of the service's own come and go
		execute(ctx, t, url, `UPDATE messages SET priority = 0`)
		if err := svc.LookAtHealth(ctx, warned); err != nil {
			t.Fatal(err)
		}
		health, _ = svc.Health()
	}
}

// TestUnsafeDatabaseIsTold is TestUnfitDatabaseIsTold for a database that a power loss destroys, and that
// does not notice damage.
func TestUnsafeDatabaseIsTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := &logged{}
	url := pgtest.ServerWithoutChecksums(t, map[string]string{"fsync": "off", "full_page_writes": "off"})
	svc := testservice.On(t, url, service.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	want := map[service.Unfit]bool{
		service.UnfitFsync: true, service.UnfitPages: true, service.UnfitChecksums: true,
		service.UnfitCommits: false, service.UnfitStandby: false,
	}
	if health := firstHealth(ctx, t, svc); !maps.Equal(health.Unfit, want) {
		t.Fatalf("the database is %v, want %v", health.Unfit, want)
	}
	for unfit, holds := range want {
		if holds && !log.has(ctx, "fact="+string(unfit)) {
			t.Errorf("%s was not warned of", unfit)
		}
	}
}

// firstHealth is what a service's first look sees.
func firstHealth(ctx context.Context, t *testing.T, svc *service.Service) (health service.Health) {
	t.Helper()
	for known := false; !known; health, known = svc.Health() {
		if ctx.Err() != nil {
			t.Fatal("the database was never looked at")
		}
	}
	return health
}

// begin begins a transaction that holds a snapshot, with messages to be made dead rows.
func begin(ctx context.Context, t *testing.T, url string) pgx.Tx {
	t.Helper()
	execute(ctx, t, url, `
INSERT INTO messages (queue_id, id, visible_at, sent_at, body)
SELECT 1, gen_random_uuid(), now(), now(), 'a' FROM generate_series(1, 10)`)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err == nil {
		_, err = tx.Exec(ctx, `SELECT count(*) FROM messages`)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func execute(ctx context.Context, t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) // whose end reports its statistics
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}
