package repository

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
)

// setupPooled is setup by way of a pooler, on a line that can be cut.
func setupPooled(t *testing.T) (*store, *pgtest.Line) {
	t.Helper()
	direct := setup(t)
	line := pgtest.NewLine(t, pgtest.Pooled(t, direct.url))
	s := &store{t: t, ctx: direct.ctx, url: direct.url, queue: direct.queue}
	var err error
	s.Repository, err = Open(s.ctx, Options{URL: line.URL, Replica: "pooled", HotConnections: 2, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if !s.way.pooled || direct.way.pooled {
		t.Fatal("a pooler was not told from PostgreSQL")
	}
	return s, line
}

// TestLostFlushBehindAPoolerIsEnded cuts the line to the pooler while a flush waits for a lock,
// as it may for a standby. What has been revoked is not committed afterwards.
func TestLostFlushBehindAPoolerIsEnded(t *testing.T) {
	s, line := setupPooled(t)
	s.send(1)
	m := s.claim(1).Messages[0]
	conn, err := pgx.Connect(s.ctx, s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(s.ctx, deletesWait, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	locking, err := conn.Begin(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locking.Exec(s.ctx, `SELECT pg_advisory_xact_lock(1)`); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error, 1)
	work := []service.QueueWork{{QueueID: s.queue.ID, Deletes: []*service.Settlement{{ID: m.ID, Lease: m.Lease}}}}
	go func() { flushed <- s.Flush(s.ctx, work, nil) }()
	const waiting = `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`
	s.await(locking, waiting, 1)
	line.Cut()
	err = <-flushed
	if !errors.Is(err, service.ErrOutcomeUnknown) {
		t.Fatalf("a flush that was cut off: %v", err)
	}
	line.Mend()
	s.reconnect()
	s.await(locking, waiting, 1) // it goes on without its client
	if err := s.Revoke(s.ctx, work, err); err != nil {
		t.Fatal(err)
	}
	if err := locking.Rollback(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.await(conn, `SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND datname = current_database()`, 0)
	s.wantStats(service.Stats{InFlight: 1})
}

// deletesWait has those who delete messages wait for a lock, for as long as it takes.
const deletesWait = `
CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(1);
	RETURN OLD;
END $$;
CREATE TRIGGER wait_for_lock BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION wait_for_lock()`

// await waits until a query counts so many.
func (s *store) await(db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, sql string, want int) {
	s.t.Helper()
	for {
		var n int
		if err := db.QueryRow(s.ctx, sql).Scan(&n); err != nil {
			s.t.Fatal(err)
		}
		if n == want {
			return
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("%s: %d, want %d", sql, n, want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestOtherTransactionsAreNotEnded: the pooler may have lent the flush's server to others since.
func TestOtherTransactionsAreNotEnded(t *testing.T) {
	s, _ := setupPooled(t)
	tx, err := s.jobs.Begin(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(s.ctx)
	lost := &lostFlush{began: time.Now().UnixMicro()}
	if err := tx.QueryRow(s.ctx, "SELECT pg_backend_pid()").Scan(&lost.pid); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(s.ctx, nil, lost); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(s.ctx, "SELECT"); err != nil {
		t.Errorf("another's transaction was ended: %v", err)
	}
}

// TestSettingsBehindAPooler hold in the transactions of each pool, and not longer.
func TestSettingsBehindAPooler(t *testing.T) {
	s, _ := setupPooled(t)
	for name, pool := range map[string]*pool{"flushes": s.hot, "jobs": s.jobs} {
		for range 2 {
			tx, err := pool.Begin(s.ctx)
			if err != nil {
				t.Fatal(err)
			}
			for setting, want := range merged(hotPlans, map[string]string{"idle_in_transaction_session_timeout": "10s"}) {
				var got string
				if err := tx.QueryRow(s.ctx, "SELECT current_setting($1)", setting).Scan(&got); err != nil || got != want {
					t.Errorf("%s of %s is %q, %v; want %q", setting, name, got, err, want)
				}
			}
			if err := tx.Commit(s.ctx); err != nil {
				t.Fatal(err)
			}
		}
		var sorts string
		if err := pool.QueryRow(s.ctx, "SHOW enable_sort").Scan(&sorts); err != nil || sorts != "on" {
			t.Errorf("after the transaction enable_sort is %q, %v", sorts, err)
		}
	}
}

// TestFlushBehindAPoolerSurvivesItsFailure: a bad item fails the transaction, and the next
// flush uses the same connection.
func TestFlushBehindAPoolerSurvivesItsFailure(t *testing.T) {
	s, _ := setupPooled(t)
	messages := outgoing(2)
	messages[1].Body = "\x00"
	if err := s.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Sends: messages}}, nil); !errors.Is(err, service.ErrData) {
		t.Fatalf("a bad item: %v", err)
	}
	before := s.hot.Stat().NewConnsCount()
	s.send(1)
	s.wantStats(service.Stats{Visible: 1})
	if after := s.hot.Stat().NewConnsCount(); after != before {
		t.Errorf("%d connections were made for the next flush", after-before)
	}
}
