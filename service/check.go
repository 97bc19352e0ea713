package service

import (
	"context"
	"time"
)

// What makes waiting and floors right although events and timers are only hints.

const (
	sweepInterval = 5 * time.Second
	sweepShare    = 20 // a sweep takes one part in so many of the time
	sweepTimeout  = 2 * time.Minute
	sideTimeout   = 3 * time.Second // of a check or a notification: their connection may be dead
)

// runChecks looks every interval whether something is visible for those that wait.
func (s *Service) runChecks(ctx context.Context) error {
	ticker := time.NewTicker(s.check)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := s.checkWaiting(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("receivers that wait were not checked", "err", err)
		}
	}
}

// checkWaiting looks at all queues that have waiters, in one query.
func (s *Service) checkWaiting(ctx context.Context) error {
	waiting := s.hub.Waiting()
	if len(waiting) == 0 {
		return nil
	}
	checks := make([]QueueCheck, 0, len(waiting))
	for id := range waiting {
		checks = append(checks, QueueCheck{ID: id, From: s.floors.of(id)})
	}
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	found, err := s.store.Check(ctx, checks)
	if err != nil {
		return err
	}
	for id, mark := range waiting {
		checked, live := found[id]
		switch {
		case !live || !s.queues.confirm(id, checked.UpdatedAt):
			s.queues.forget(id)
			s.hub.WakeQueue(id)
		case checked.Visible:
			s.hub.Wake(id, 1)
		default:
			s.hub.Checked(id, mark)
		}
	}
	return nil
}

// runSweeps looks now and then for messages that slipped under a floor. That reads whatever
// is below, which may be much where vacuum cannot work: so the pause is in proportion.
func (s *Service) runSweeps(ctx context.Context) error {
	pause := sweepInterval
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		began := time.Now()
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("claims may have passed over messages", "err", err)
		}
		pause = max(sweepInterval, sweepShare*time.Since(began))
	}
}

func (s *Service) sweep(ctx context.Context) error {
	floors := s.floors.used()
	if len(floors) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	found, err := s.store.Sweep(ctx, floors)
	for id, floor := range found {
		s.floors.lower(id, floor)
		s.hub.Wake(id, 1)
	}
	return err
}
