package repository

import (
	"testing"

	"tusq/service"
)

// While a job waits for what others have locked, they change it: the job's statement sees it as it was before.

// meanwhile runs a job while another's transaction changes what the job wants, and commits once the job waits for it.
func (s *store) meanwhile(change string, args []any, job func() error) {
	s.t.Helper()
	other, err := s.cold.Begin(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := other.Exec(s.ctx, change, args...); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- job() }()
	s.waitForLock()
	if err := other.Commit(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

// TestPurgeDeletesWhatIsBeingClaimed purges while a claim of all messages commits.
func TestPurgeDeletesWhatIsBeingClaimed(t *testing.T) {
	s := setup(t)
	s.send(10)
	s.meanwhile(`UPDATE messages SET returned = true, visible_at = tusq_now() + interval '1 minute' WHERE queue_id = $1`, []any{s.queue.ID}, func() error {
		purged, err := s.PurgeQueue(s.ctx, s.queue.ID, 0)
		if purged != 10 {
			t.Errorf("purged %d of 10", purged)
		}
		return err
	})
	s.wantStats(service.Stats{})
}

// TestPurgeForgetsKeysThatAreAskedFor purges while a duplicate of what is purged is being sent.
func TestPurgeForgetsKeysThatAreAskedFor(t *testing.T) {
	s := setup(t)
	s.queue = s.create("orders.fifo")
	send := func() *service.Outgoing {
		m := outgoing(1)[0]
		m.GroupID, m.Key = "a", service.Key{1}
		s.flushFIFO(service.QueueWork{Sends: []*service.Outgoing{m}})
		return m
	}
	send()
	s.meanwhile(`UPDATE once_keys SET repeats = repeats + 1 WHERE queue_id = $1`, []any{s.queue.ID}, func() error {
		_, err := s.PurgeQueue(s.ctx, s.queue.ID, 0)
		return err
	})
	if m := send(); m.StoredID != m.ID {
		t.Error("what was sent after the purge is taken for a duplicate of what was purged")
	}
	s.wantStats(service.Stats{Visible: 1})
}

// TestRedriveHomeLeavesOtherGroupsAlone moves letters of two groups home to a queue each. The groups of the same names in
// the other queue are nobody's business: others may have locked them.
func TestRedriveHomeLeavesOtherGroupsAlone(t *testing.T) {
	s := setup(t)
	one, two := s.create("one.fifo"), s.create("two.fifo")
	s.queue = s.create("dead.fifo")
	s.fillFIFO(s.queue.ID, 2, 1)
	s.execute(`UPDATE messages SET dead_letter_source = CASE group_id WHEN 'g1' THEN 'one.fifo' ELSE 'two.fifo' END WHERE queue_id = $1`, s.queue.ID)
	for _, queue := range []service.Queue{one, two} {
		s.fillFIFO(queue.ID, 2, 1)
	}
	if _, err := s.StartRedrive(s.ctx, account, service.StartRedrive{Source: "dead.fifo"}, s.queue, service.Queue{}); err != nil {
		t.Fatal(err)
	}
	locked, err := s.cold.Begin(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = locked.Exec(s.ctx, `
SELECT 1
FROM message_groups
WHERE (queue_id, group_id) IN (SELECT id, CASE name WHEN 'one.fifo' THEN 'g2' ELSE 'g1' END FROM queues WHERE name IN ('one.fifo', 'two.fifo'))
FOR UPDATE`)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.StepRedrives(s.ctx); err != nil {
		t.Fatal(err)
	}
	if err := locked.Rollback(s.ctx); err != nil {
		t.Errorf("the step waited until the locks were gone: %v", err)
	}
	var moved int
	err = s.cold.QueryRow(s.ctx, `SELECT moved FROM redrives`).Scan(&moved)
	if moved != 2 || err != nil {
		t.Errorf("moved %d letters of 2, %v", moved, err)
	}
}
