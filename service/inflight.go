package service

import (
	"context"
	"sync"
	"time"
)

// inFlightCounts tell about how many messages of each queue are in flight, without a count
// for each receive: a queue is counted when this replica has claimed a quarter of what was
// missing to the limit (other replicas do the same beside it), or when its last count is
// old, but never for every receive.
type inFlightCounts struct {
	mu     sync.Mutex
	queues map[int64]*inFlightCount
}

type inFlightCount struct {
	counted int // in flight, when they were counted
	claimed int // by this replica since
	at      time.Time
}

const (
	inFlightAge  = 10 * time.Second // after which claims need a new count
	inFlightStep = 100              // claims at least, between two counts
)

// add notes claims.
func (c *inFlightCounts) add(queueID int64, claimed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if count := c.queues[queueID]; count != nil {
		count.claimed += claimed
	}
}

// known returns a queue's last count, and whether it has to be counted again first.
func (c *inFlightCounts) known(queueID int64, limit int) (counted int, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := c.queues[queueID]
	if count == nil {
		if len(c.queues) >= cacheSize {
			clear(c.queues)
		}
		c.queues[queueID] = &inFlightCount{at: time.Now()}
		return 0, true
	}
	age := time.Since(count.at)
	switch {
	case count.counted >= limit:
		again = age > time.Second
	case count.claimed >= inFlightStep && age > inFlightAge:
		again = true
	default:
		again = count.claimed >= max(inFlightStep, (limit-count.counted)/4)
	}
	if again { // by this receive alone
		count.claimed, count.at = 0, time.Now()
	}
	return count.counted, again
}

// set notes a new count.
func (c *inFlightCounts) set(queueID int64, counted int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if count := c.queues[queueID]; count != nil {
		count.counted = counted
	}
}

// tooManyInFlight tells whether a receive that waits has to go without messages; one that
// does not wait gets an error.
func (s *Service) tooManyInFlight(ctx context.Context, q *Queue, receive ReceiveMessages) (bool, error) {
	if receive.MaxInFlight == 0 || q.Settings.FIFO {
		return false, nil
	}
	counted, again := s.inFlight.known(q.ID, receive.MaxInFlight)
	if again {
		var err error
		if counted, err = s.store.CountInFlight(ctx, q.ID, receive.MaxInFlight); err != nil {
			return false, err
		}
		s.inFlight.set(q.ID, counted)
	}
	if counted < receive.MaxInFlight {
		return false, nil
	}
	if receive.Wait != nil && *receive.Wait > 0 || receive.Wait == nil && q.Settings.ReceiveWait > 0 {
		return true, nil
	}
	return false, Errorf(CodeTooManyInFlight, "At most %d messages of a queue may be in flight.", receive.MaxInFlight)
}
