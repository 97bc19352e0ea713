package repository

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// check returns what a check finds.
func (s *store) check() (found []Finding) {
	s.t.Helper()
	c := s.checker()
	if _, err := c.Check(s.ctx, func(f Finding) { found = append(found, f) }); err != nil {
		s.t.Fatalf("check: %v", err)
	}
	return found
}

func (s *store) checker() *Checker {
	s.t.Helper()
	c, err := OpenChecker(s.ctx, s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// content is all that a table holds, but for the columns that a repair may change.
func (s *store) content(table string) (rows []string) {
	s.t.Helper()
	all, _ := s.cold.Query(s.ctx, `SELECT (to_jsonb(t) - 'last_seq' - 'lane' - 'ready_at')::text FROM `+table+` t ORDER BY 1`)
	rows, err := pgx.CollectRows(all, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// fsckWorld fills a FIFO queue: three groups of three messages, of which one is in flight, and
// a standard queue in all states.
func fsckWorld(t *testing.T) *store {
	s := setup(t)
	s.send(5)
	s.claim(2)
	s.queue = s.create("jobs.fifo")
	var sends []*service.Outgoing
	for i := range 9 {
		m := outgoing(1)[0]
		m.GroupID, m.DeduplicationID, m.Key = fmt.Sprint("group ", i%3), fmt.Sprint(i), service.Key(uuid.New())
		sends = append(sends, m)
	}
	s.flush(service.QueueWork{FIFO: true, Sends: sends})
	one := claim(1)
	one.PerCaller = 1
	s.flush(service.QueueWork{FIFO: true, Claims: []*service.Claim{one}})
	if found := s.check(); len(found) > 0 {
		t.Fatalf("a sound database: %+v", found)
	}
	return s
}

// TestBrokenDatabasesAreFound breaks one thing at a time.
func TestBrokenDatabasesAreFound(t *testing.T) {
	const standard, fifo = `(SELECT id FROM queues WHERE NOT fifo)`, `(SELECT id FROM queues WHERE fifo)`
	const one = `ctid = (SELECT ctid FROM messages WHERE queue_id = ` + standard + ` AND NOT returned LIMIT 1)`
	const claimed = `ctid = (SELECT ctid FROM messages WHERE queue_id = ` + standard + ` AND returned LIMIT 1)`
	const first = `ctid = (SELECT ctid FROM messages WHERE queue_id = ` + fifo + ` AND group_id = 'group 1' ORDER BY seq LIMIT 1)`
	for name, broken := range map[string]struct {
		sql   string
		what  string
		count int64
	}{
		"counter too high": {`UPDATE queue_counters SET messages = messages + 3 WHERE queue_id = ` + standard, FindCounter, -3},
		"lost message":     {`DELETE FROM messages WHERE ` + one, FindCounter, -1},
		"counters gone":    {`DELETE FROM queue_counters WHERE queue_id = ` + fifo, FindCounter, 9},
		"orphans": {`INSERT INTO messages (queue_id, id, visible_at, sent_at, body)
			SELECT 7, gen_random_uuid(), now(), now(), 'a' FROM generate_series(1, 2)`, FindOrphans, 2},
		"orphaned counters": {`INSERT INTO queue_counters VALUES (7, 1, 5)`, FindOrphanCounter, 1},
		"orphaned keys":     {`UPDATE once_keys SET queue_id = 7`, FindOrphanKeys, 9},
		"no groups":         {`DELETE FROM message_groups`, FindNoGroup, 3},
		"late group":        {`UPDATE message_groups SET ready_at = now() + interval '1 hour' WHERE group_id = 'group 1'`, FindLateGroup, 1},
		"low sequence":      {`UPDATE message_groups SET last_seq = 1 WHERE group_id = 'group 1'`, FindLowSequence, 1},
		"empty group":       {`INSERT INTO message_groups VALUES (` + fifo + `, now(), 1, 0, 'empty')`, FindEmptyGroup, 1},
		"same sequence":     {`UPDATE messages SET seq = (SELECT min(seq) FROM messages WHERE group_id = 'group 1') WHERE group_id = 'group 1'`, FindSameSequence, 1},
		"no place":          {`UPDATE messages SET seq = NULL WHERE queue_id = ` + fifo + ` AND group_id = 'group 1' AND seq > (SELECT min(seq) FROM messages WHERE group_id = 'group 1')`, FindKind, 2},
		"place in standard": {`UPDATE messages SET seq = 1 WHERE ` + one, FindKind, 1},

		"lease without receive":    {`UPDATE messages SET receive_count = 0, returned = false WHERE ` + claimed, FindState, 1},
		"lease of a fresh message": {`UPDATE messages SET lease = 1 WHERE ` + one, FindState, 1},
		"returned, never received": {`UPDATE messages SET returned = true WHERE ` + one, FindState, 1},
		"in flight to nobody":      {`UPDATE messages SET lease = NULL WHERE ` + claimed, FindState, 1},
		"negative receives":        {`UPDATE messages SET receive_count = -1 WHERE ` + one, FindState, 1},
		"more receives before":     {`UPDATE messages SET earlier_receives = 2 WHERE ` + first, FindState, 1},
		"priority":                 {`UPDATE messages SET priority = 1 WHERE ` + one, FindState, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := fsckWorld(t)
			tables := []string{"queues", "messages", "once_keys", "queue_counters", "message_groups"}
			before := map[string][]string{}
			for _, table := range tables {
				before[table] = s.content(table)
			}
			s.execute(broken.sql)
			lost := !slices.Equal(before["messages"], s.content("messages")) // and not to be repaired
			found := s.check()
			if len(found) != 1 || found[0].What != broken.what || found[0].Count != broken.count {
				t.Fatalf("found %+v, want %d of %s", found, broken.count, broken.what)
			}
			messages := s.content("messages")
			fixed, err := s.checker().Fix(s.ctx, found[0])
			if err != nil || fixed != found[0].CanFix() {
				t.Fatalf("repaired: %v, %v", fixed, err)
			}
			if now := s.content("messages"); !slices.Equal(now, messages) {
				t.Error("the repair has changed messages")
			}
			left := s.check()
			if !fixed {
				if !reflect.DeepEqual(left, found) {
					t.Errorf("found afterwards: %+v, want %+v", left, found)
				}
				return
			}
			if len(left) > 0 {
				t.Errorf("after the repair: %+v", left)
			}
			s.wantReady()
			for _, table := range tables {
				if lost || table == "queue_counters" { // whose sums are right, in another lane
					continue
				}
				if now := s.content(table); !slices.Equal(now, before[table]) {
					t.Errorf("%s is %q, was %q before", table, now, before[table])
				}
			}
		})
	}
}

// wantReady checks that groups are ready when their first messages are visible, or a little before.
func (s *store) wantReady() {
	s.t.Helper()
	var wrong int
	err := s.cold.QueryRow(s.ctx, `
SELECT count(*)
FROM message_groups g
CROSS JOIN LATERAL (
	SELECT visible_at
	FROM messages m
	WHERE m.queue_id = g.queue_id AND m.group_id = g.group_id
	ORDER BY seq
	LIMIT 1
) AS first
WHERE g.ready_at NOT BETWEEN first.visible_at - interval '1 millisecond' AND first.visible_at`).Scan(&wrong)
	if err != nil || wrong > 0 {
		s.t.Errorf("%d groups are not ready with their first messages, %v", wrong, err)
	}
}

// TestRepairsBesideALoad repairs counters while messages come and go: nothing is counted twice.
func TestRepairsBesideALoad(t *testing.T) {
	s := setup(t)
	s.send(10)
	ctx, stop := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := s.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Sends: outgoing(3)}}, nil); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	for i := range 20 {
		s.execute(`
INSERT INTO queue_counters AS c (queue_id, lane, messages)
VALUES ($1, 7, $2)
ON CONFLICT (queue_id, lane) DO UPDATE
SET messages = c.messages + excluded.messages`, s.queue.ID, 7-i) // in a lane that no replica has
		found := s.check()
		if len(found) == 0 && i == 7 {
			continue
		}
		if len(found) != 1 || found[0].Count != int64(i-7) {
			t.Fatalf("found %+v, want a difference of %d", found, i-7)
		}
		if _, err := s.checker().Fix(s.ctx, found[0]); err != nil {
			t.Fatal(err)
		}
		if found := s.check(); len(found) > 0 {
			t.Fatalf("after the repair: %+v", found)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
