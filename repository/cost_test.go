package repository

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// What messages cost, in counts that the machine's load does not change: pages touched and
// bytes written to the log. These tests are the benchmark's gate.

// fill stores messages that are visible at once, delayed, and in flight.
func (s *store) fill(waiting, delayed, inFlight int) {
	s.t.Helper()
	for _, part := range []struct {
		n         int
		visibleAt string
		returned  bool
	}{
		{waiting, "now() - interval '1 minute'", false},
		{delayed, "now() + interval '10 minutes'", false},
		{inFlight, "now() + interval '10 minutes'", true},
	} {
		s.execute(`
INSERT INTO messages (queue_id, id, visible_at, sent_at, body, returned)
SELECT $1, gen_random_uuid(), `+part.visibleAt+` + n * interval '1 microsecond', now(), repeat('x', 256), $3
FROM generate_series(1, $2::int) n`, s.queue.ID, part.n, part.returned)
	}
}

// TestCostDoesNotDependOnTheBacklog compares the pages that statements touch, and the log
// that they write, behind 1,000 messages and behind 600,000, with plans that were made
// when the queue was empty.
func TestCostDoesNotDependOnTheBacklog(t *testing.T) {
	s := setup(t)
	s.execute("VACUUM ANALYZE")
	s.send(1)
	flying := s.claim(1).Messages[0]
	ids, leases := []service.MessageID{flying.ID}, []int64{flying.Lease}
	statements := s.hotStatements([]service.MessageID{outgoing(1)[0].ID})
	statements["delete"] = hotStatement{sql: deleteSQL, args: []any{s.queue.ID, 0, ids, leases}}
	statements["extend"] = hotStatement{sql: extendSQL, args: []any{s.queue.ID, ids, leases, leases}}
	statements["release"] = hotStatement{sql: releaseSQL, args: []any{s.queue.ID, ids, leases, "NULL"}}
	hot := []string{"send", "hand", "claim", "delete", "extend", "release"}
	measure := func() map[string]plan {
		measured := map[string]plan{}
		for _, name := range hot {
			measured[name] = s.explainQuiet(statements[name].sql, statements[name].args...)
		}
		return measured
	}
	s.fill(1000, 0, 0)
	few := measure()
	s.fill(200_000, 200_000, 200_000)
	many := measure()
	for _, name := range hot {
		t.Logf("%s: %d pages and %d bytes of log behind 1,000 messages, %d and %d behind 600,000",
			name, few[name].pages(), few[name].log(), many[name].pages(), many[name].log())
		if few[name].log() == 0 {
			t.Errorf("a %s changed nothing", name)
		}
		if many[name].pages() > few[name].pages()*3/2+20 {
			t.Errorf("a %s touches more pages behind 600,000 messages", name)
		}
		most := few[name].log()*3/2 + 500
		if name == "claim" {
			most = 10 * 1200 // of ten, whose pages may have no room left for their new versions
		}
		if many[name].log() > most {
			t.Errorf("a %s writes more log behind 600,000 messages", name)
		}
	}
}

// explainQuiet is explain without the images of pages that go to the log by the first change after a checkpoint.
func (s *store) explainQuiet(sql string, args ...any) plan {
	s.t.Helper()
	least := s.explain(sql, args...)
	for range 3 {
		if p := s.explain(sql, args...); p.log() < least.log() {
			least = p
		}
	}
	return least
}

// TestLogOfALifeCycle bounds what a message of 256 bytes writes to the log, in batches of 100.
func TestLogOfALifeCycle(t *testing.T) {
	const batch = 100
	s := setup(t)
	bodies := slices.Repeat([]string{string(slices.Repeat([]byte("x"), 256))}, batch)
	zeros := make([]int64, batch)
	var ids []service.MessageID
	for _, m := range outgoing(batch) {
		ids = append(ids, m.ID)
	}
	send := []any{s.queue.ID, 0, 1, ids, zeros, bodies, "NULL", "NULL", "NULL"}
	cost := func(sql string, args ...any) int { return s.explainQuiet(sql, args...).log() / batch }
	sent := cost(sendSQL, send...)
	leases := make([]int64, batch)
	for i := range leases {
		leases[i] = int64(i) + 1
	}
	handed := cost(handSQL, append(send, leases)...)
	messages := s.send(batch)
	for i, m := range messages {
		ids[i] = m.ID
	}
	claimed := cost(claimSQL, s.claimParams(batch)...)
	for i, m := range s.claim(batch).Messages {
		ids[i], leases[i] = m.ID, m.Lease
	}
	deleted := cost(deleteSQL, s.queue.ID, 0, ids, leases)
	t.Logf("bytes of log per message: send %d, claim %d, delete %d; handed off %d", sent, claimed, deleted, handed)
	if life := sent + claimed + deleted; deleted == 0 || life > 1300 {
		t.Errorf("a life cycle writes %d bytes of log, want at most 1300", life)
	}
	if life := handed + deleted; life > 800 {
		t.Errorf("a life cycle with hand-off writes %d bytes of log, want at most 800", life)
	}
}

// pinHorizon begins a transaction that keeps vacuum from removing anything, until the test's end.
func (s *store) pinHorizon() {
	s.t.Helper()
	old, err := s.cold.BeginTx(s.ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = old.Rollback(s.ctx) })
	if _, err := old.Exec(s.ctx, "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_current_xact_id()"); err != nil {
		s.t.Fatal(err)
	}
}

// TestFloorPassesOverTheDead compares claims behind what vacuum cannot remove.
func TestFloorPassesOverTheDead(t *testing.T) {
	s := setup(t)
	s.send(10)
	params := s.claimParams(10)
	s.explain(claimSQL, params...)
	before := s.explain(claimSQL, params...).pages()

	s.pinHorizon()
	var floor service.Floor
	for range 100 {
		s.send(100)
		c := claim(200)
		c.From = floor
		s.flush(service.QueueWork{Claims: []*service.Claim{c}})
		if len(c.Messages) < 100 {
			t.Fatalf("claimed %d messages", len(c.Messages))
		}
		floor = c.Floor
		deletes := make([]*service.Settlement, len(c.Messages))
		for i, m := range c.Messages {
			deletes[i] = &service.Settlement{ID: m.ID, Lease: m.Lease}
		}
		s.flush(service.QueueWork{Deletes: deletes})
	}
	s.send(10)
	without := s.explain(claimSQL, params...).pages()
	at := func(floor time.Time) string { return "'" + floor.Format(time.RFC3339Nano) + "'" }
	with := s.explain(claimSQL, append(params[:len(params)-2], at(floor.Fresh), at(floor.Returned))...).pages()
	t.Logf("a claim of 10 touches %d pages in a new queue; behind 10,000 dead messages %d, and with the floor %d", before, without, with)
	if with > before*3/2+20 || without < 2*with {
		t.Error("the floor does not keep a claim from wading through dead entries")
	}
}
