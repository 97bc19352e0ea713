package repository

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"tusq/service"
)

// TestKindsOfSettlementsDoNotDeadlock has one flush delete what another extends, and the other way
// round. The first is held at a message before both, when it would have one of the two already.
func TestKindsOfSettlementsDoNotDeadlock(t *testing.T) {
	s := setup(t)
	s.send(3)
	c := s.claim(3)
	slices.SortFunc(c.Messages, func(a, b service.Claimed) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	settle := func(i int) *service.Settlement {
		return &service.Settlement{ID: c.Messages[i].ID, Lease: c.Messages[i].Lease, Timeout: time.Minute}
	}
	held, err := s.jobs.Begin(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(s.ctx, `SELECT FROM messages WHERE id = $1 FOR UPDATE`, pgUUID(c.Messages[0].ID)); err != nil {
		t.Fatal(err)
	}
	works := []service.QueueWork{
		{QueueID: s.queue.ID, Deletes: []*service.Settlement{settle(2)}, Extends: []*service.Settlement{settle(0), settle(1)}},
		{QueueID: s.queue.ID, Deletes: []*service.Settlement{settle(1)}, Extends: []*service.Settlement{settle(2)}, Lane: 1},
	}
	ended := make(chan error, len(works))
	flush := func(i int) { ended <- s.Flush(s.ctx, works[i:i+1], nil) }
	go flush(0)
	s.waitForLock()
	go flush(1)
	for len(ended) == 0 && s.waitingForLocks() < 2 { // until it has ended, or waits for the first
	}
	if err := held.Rollback(s.ctx); err != nil {
		t.Fatal(err)
	}
	for range works {
		// It may have waited for too long.
		if err := <-ended; err != nil && (!errors.Is(err, service.ErrConflict) || s.Conflicts().Deadlocks > 0) {
			t.Errorf("flush: %v", err)
		}
	}
}
