package repository

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// cycle sends one message, and deletes it in the next flush.
func (s *store) cycle() {
	s.t.Helper()
	s.send(1)
	m := s.claim(1).Messages[0]
	s.flush(service.QueueWork{Deletes: []*service.Settlement{{ID: m.ID, Lease: m.Lease}}})
}

// laneRows are the queue's counters.
func (s *store) laneRows() []int {
	s.t.Helper()
	rows, _ := s.cold.Query(s.ctx, `SELECT lane FROM queue_counters WHERE queue_id = $1 ORDER BY lane`, s.queue.ID)
	lanes, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		s.t.Fatal(err)
	}
	return lanes
}

// TestCountersTakeTurns checks that a lane's counter is exchanged for the next, which goes on with its
// number, and that what an earlier process left is carried over.
func TestCountersTakeTurns(t *testing.T) {
	s := setup(t)
	s.send(3)
	s.execute(`INSERT INTO queue_counters (queue_id, lane, messages) VALUES ($1, $2, 4)`, s.queue.ID, s.lane+77*turnStride)
	s.execute(`INSERT INTO queue_counters (queue_id, lane, messages) VALUES ($1, $2, -4)`, s.queue.ID, s.lane+1)
	for turn := 1; turn <= 2; turn++ {
		for range turnFlushes / 2 {
			s.cycle()
		}
		lanes := s.laneRows()
		if len(lanes) != 2 || lanes[0] != s.lane+1 || lanes[1] != s.lane+turn*turnStride {
			t.Errorf("after %d turns the counters are %v, the lane is %d", turn, lanes, s.lane)
		}
		s.wantStats(service.Stats{Visible: 3})
	}
}

// TestTurnsBeginOnce repeats the flush that begins a turn, after one that was not committed and after
// one that was, and nobody knew.
func TestTurnsBeginOnce(t *testing.T) {
	for name, committed := range map[string]bool{"committed": true, "not committed": false} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			for range turnFlushes {
				s.send(1)
			}
			want := service.Stats{Visible: turnFlushes + 1}
			sends := outgoing(1)
			work := []service.QueueWork{{QueueID: s.queue.ID, FlushID: 7, Sends: sends}}
			unknown := s.countersOf(work, false)
			if !unknown[0].carries() || unknown[0].turn != 1 {
				t.Fatalf("the flush has %+v", unknown[0])
			}
			if committed {
				other := s.another(t.Name())
				other.counters.lanes[unknown[0].lane] = &counterTurn{flushes: turnFlushes, carried: true}
				if err := other.Flush(s.ctx, work, nil); err != nil {
					t.Fatal(err)
				}
				s.takeAll(s.another("elsewhere"), sends[0].ID)
				want = service.Stats{InFlight: turnFlushes}
			}
			if err := s.Reflush(s.ctx, work, nil); err != nil {
				t.Fatal(err)
			}
			s.wantStats(want)
			if lanes := s.laneRows(); !slices.Contains(lanes, s.lane+turnStride) || slices.Contains(lanes, s.lane) {
				t.Errorf("the counters are %v, the lane is %d", lanes, s.lane)
			}
			if next := s.countersOf(work, false)[0]; next.carries() || next.turn != 1 {
				t.Errorf("the flush after it has %+v", next)
			}
		})
	}
}

// takeAll has another replica receive everything, and delete one message.
func (s *store) takeAll(by *Repository, doomed service.MessageID) {
	s.t.Helper()
	c := claim(2 * turnFlushes)
	if err := by.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Claims: []*service.Claim{c}}}, nil); err != nil {
		s.t.Fatal(err)
	}
	for _, m := range c.Messages {
		if m.ID != doomed {
			continue
		}
		end := &service.Settlement{ID: m.ID, Lease: m.Lease}
		if err := by.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Deletes: []*service.Settlement{end}}}, nil); err != nil || !end.Done {
			s.t.Fatalf("deleted: %v, %v", end.Done, err)
		}
		return
	}
	s.t.Fatal("the message was not received")
}

// another opens one more repository; of a replica of the same name it has the same lanes.
func (s *store) another(replica string) *Repository {
	s.t.Helper()
	other, err := Open(s.ctx, Options{URL: s.url, Replica: replica, HotConnections: 2, Logger: s.log})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(other.Close)
	return other
}

// TestReplicasOfOneLane has two replicas change the same lane's turns, and checks the sum.
func TestReplicasOfOneLane(t *testing.T) {
	s := setup(t)
	const flushes = 3 * turnFlushes
	var group sync.WaitGroup
	replicas := []*Repository{s.Repository, s.another(t.Name())}
	for _, r := range replicas {
		group.Go(func() {
			for range flushes {
				work := []service.QueueWork{{QueueID: s.queue.ID, Sends: outgoing(1)}}
				err := r.Flush(s.ctx, work, nil)
				for errors.Is(err, service.ErrConflict) {
					err = r.Flush(s.ctx, work, nil)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	s.wantStats(service.Stats{Visible: 2 * flushes})
	for _, r := range replicas {
		if n := r.Conflicts().Deadlocks; n > 0 {
			t.Errorf("%d deadlocks", n)
		}
	}
	if lanes := s.laneRows(); len(lanes) > 4 {
		t.Errorf("%d counters are left: %v", len(lanes), lanes)
	}
}

// TestTurnsNeedRoom checks that a lane keeps its counter where there was no room for the next.
func TestTurnsNeedRoom(t *testing.T) {
	c := counters{lanes: map[counterLane]*counterTurn{}}
	lane := counterLane{queueID: 1, lane: 7}
	for range turnFlushes {
		c.begin(lane, false)
	}
	next := c.begin(lane, false)
	if !next.carries() || next.turn != 1 {
		t.Fatalf("the flush has %+v", next)
	}
	if !c.withdraw([]counter{next}) || c.withdraw([]counter{next}) {
		t.Error("the turn is withdrawn once")
	}
	if kept := c.begin(lane, false); kept.carries() || kept.turn != 0 {
		t.Errorf("the next flush has %+v", kept)
	}
}

// TestForgottenTurns checks that what is remembered of lanes is bounded.
func TestForgottenTurns(t *testing.T) {
	c := counters{lanes: map[counterLane]*counterTurn{}}
	for id := range int64(2*countedLanes + 10) {
		c.begin(counterLane{queueID: id}, false)
	}
	if len(c.lanes) > countedLanes {
		t.Errorf("%d lanes are remembered", len(c.lanes))
	}
}

// TestCountersPassOverTheDead compares the pages that a send touches with those after thousands of
// changes of the counter whose versions vacuum cannot remove.
func TestCountersPassOverTheDead(t *testing.T) {
	s := setup(t)
	s.pinHorizon()
	ids := []service.MessageID{outgoing(1)[0].ID}
	leases := []int64{0}
	pages := func() int {
		n := s.counters.begin(counterLane{s.queue.ID, s.lane}, true).number()
		return s.explain(sendSQL, s.queue.ID, n, 1, ids, leases, []string{"body"}, "NULL", "NULL", "NULL").pages()
	}
	s.send(1)
	before := pages()
	for range 10 * turnFlushes / 2 {
		s.cycle()
	}
	after := pages()
	t.Logf("a send touches %d pages in a new queue, %d after %d changes of its counter", before, after, 10*turnFlushes)
	if after > before+10 {
		t.Error("a send reads the dead versions of its queue's counter")
	}
}
