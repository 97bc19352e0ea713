package repository

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// claimParams are the parameters of claimSQL.
func (s *store) claimParams(n int) []any {
	return []any{s.queue.ID, n, n / 2, time.Minute.Microseconds(), int64(1), time.Hour.Microseconds(), maxClaimBytes}
}

// TestHotPlans checks that hot statements read messages by their index alone, with
// whatever statistics: none, those of an empty table, and those of a full one.
func TestHotPlans(t *testing.T) {
	s := setup(t)
	sent := s.send(500)
	s.claim(100)
	ids := []pgtype.UUID{pgUUID(sent[0].ID), pgUUID(sent[1].ID)}
	statements := map[string]struct {
		sql   string
		args  []any
		index map[string]bool
	}{
		"claim":   {claimSQL, s.claimParams(10), map[string]bool{"messages_claim": true}},
		"look":    {lookSQL, []any{s.queue.ID}, map[string]bool{"messages_claim": true}},
		"delete":  {deleteSQL, []any{s.queue.ID, 0, ids, []int64{1, 2}}, map[string]bool{"messages_pkey": true}},
		"extend":  {extendSQL, []any{s.queue.ID, ids, []int64{1, 2}, []int64{0, 0}}, map[string]bool{"messages_pkey": true}},
		"release": {releaseSQL, []any{s.queue.ID, ids, []int64{1, 2}}, map[string]bool{"messages_pkey": true}},
		"bury": {burySQL, []any{s.queue.ID, s.queue.ID, 0, int64(0), int64(1), 10, 5},
			map[string]bool{"messages_claim": true}},
		"revoke": {revokeSQL, []any{s.queue.ID, int64(1), 10, int64(0)}, map[string]bool{"messages_claim": true}},
	}
	for _, statistics := range []string{"none", "full"} {
		if statistics == "full" {
			s.execute("ANALYZE messages")
		}
		for name, statement := range statements {
			t.Run(name+" with statistics "+statistics, func(t *testing.T) {
				s.explain(statement.sql, statement.args...).walk(func(p plan) {
					switch {
					case p.Relation != "messages" || p.Type == "ModifyTable" || p.Type == "Tid Scan":
					case (p.Type == "Index Scan" || p.Type == "Index Only Scan") && statement.index[p.Index]:
					default:
						t.Errorf("reads messages by %s %s", p.Type, p.Index)
					}
					if p.Type == "Sort" && name != "bury" { // which sorts its two counters
						t.Error("sorts")
					}
				})
			})
		}
	}
}

// TestClaimCostDoesNotDependOnTheBacklog compares the pages that a claim of 10 touches
// behind 1,000 and 50,000 messages.
func TestClaimCostDoesNotDependOnTheBacklog(t *testing.T) {
	s := setup(t)
	fill := func(n int) {
		s.execute(`
INSERT INTO messages (queue_id, id, visible_at, sent_at, body)
SELECT $1, gen_random_uuid(), now() + n * interval '1 microsecond' - interval '1 minute', now(), repeat('x', 256)
FROM generate_series(1, $2::int) n`, s.queue.ID, n)
	}
	pages := func() int {
		p := s.explain(claimSQL, s.claimParams(10)...)
		return p.Hit + p.Read
	}
	fill(1000)
	pages() // the first one reads the catalogue
	few := pages()
	fill(49_000)
	s.execute("VACUUM ANALYZE messages")
	many := pages()
	t.Logf("pages touched by a claim of 10: %d behind 1,000 messages, %d behind 50,000", few, many)
	if many > few+few/2+20 {
		t.Errorf("a claim touches %d pages behind 1,000 messages and %d behind 50,000", few, many)
	}
}
