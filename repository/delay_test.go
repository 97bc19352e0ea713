package repository

import (
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/service"
)

// TestDelayHoldsForSendersWhoDoNotKnow sends with the delay that a FIFO queue had before.
func TestDelayHoldsForSendersWhoDoNotKnow(t *testing.T) {
	s := setup(t)
	s.queue = s.create("orders.fifo")
	delay := func(delay time.Duration) {
		_, err := s.UpdateQueue(s.ctx, account, s.queue.Name, func(q *service.Queue) error {
			q.Settings.Delay = delay
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	send := func(group string, known time.Duration) {
		m := outgoing(1)[0]
		m.GroupID, m.Key, m.Delay = group, service.Key(m.ID), known
		s.flushFIFO(service.QueueWork{Sends: []*service.Outgoing{m}})
	}
	delay(time.Minute)
	send("a", time.Minute)
	delay(0)
	send("b", time.Minute)
	s.wantStats(service.Stats{Visible: 2})
	for _, group := range []string{"a", "b"} {
		claim := &service.Claim{Max: 1, PerCaller: 1, Visibility: time.Minute, Retention: time.Hour, Lease: time.Now().UnixNano()}
		if s.flushFIFO(service.QueueWork{Claims: []*service.Claim{claim}}); len(claim.Messages) != 1 {
			t.Errorf("nothing of group %s was received", group)
		}
	}
	delay(time.Minute)
	send("c", 0)
	s.wantStats(service.Stats{InFlight: 2, Delayed: 1})
}

// TestDelayHoldsForSendsUnderWay changes a FIFO queue's delay while a flush has read the one before, and commits after the
// change. The server is the test's own: transactions elsewhere would have the change wait for longer.
func TestDelayHoldsForSendsUnderWay(t *testing.T) {
	t.Parallel()
	s := on(t, pgtest.Server(t, nil))
	s.queue = s.create("orders.fifo")
	s.execute(`UPDATE queues SET delay = interval '1 minute' WHERE id = $1`, s.queue.ID)
	committed := make(chan error, 1)
	_, err := s.UpdateQueue(s.ctx, account, s.queue.Name, func(q *service.Queue) error {
		q.Settings.Delay = 0
		flush, err := s.cold.Begin(s.ctx)
		if err != nil {
			return err
		}
		for _, sql := range []string{
			`INSERT INTO message_groups (queue_id, group_id, ready_at, last_seq) VALUES ($1, 'a', tusq_now() + interval '1 minute', 1)`,
			`INSERT INTO messages (queue_id, id, visible_at, sent_at, body, group_id, seq, deduplication_id)
SELECT id, gen_random_uuid(), tusq_now() + delay, tusq_now(), '', 'a', 1, '' FROM queues WHERE id = $1`,
			`INSERT INTO queue_counters (queue_id, lane, messages) VALUES ($1, 0, 1)`,
		} {
			if _, err := flush.Exec(s.ctx, sql, s.queue.ID); err != nil {
				return err
			}
		}
		time.AfterFunc(500*time.Millisecond, func() { committed <- flush.Commit(s.ctx) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	s.wantStats(service.Stats{Visible: 1})
}
