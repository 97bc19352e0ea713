package service

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Replicas tell each other that they are there. One that is alone notifies nobody: at a
// notification every few milliseconds that would be a share of its work.
const (
	presenceInterval = 10 * time.Second
	presenceAge      = 3 * presenceInterval // after which a replica that is not heard of has gone
	greetingWait     = time.Second          // in which others answer a greeting
)

// notifier gathers events for the other replicas. NOTIFY takes a lock of the whole
// cluster at commit, so it is never part of a flush: it goes out beside the flushes,
// many queues in one, and not more often than every notifyInterval.
type notifier struct {
	mu     sync.Mutex
	events map[int64]Event
	added  chan struct{}
}

func newNotifier() *notifier {
	return &notifier{events: map[int64]Event{}, added: make(chan struct{}, 1)}
}

// add merges an event with those of its queue that wait to be sent.
func (n *notifier) add(e Event) {
	n.mu.Lock()
	if waiting, ok := n.events[e.QueueID]; ok {
		e = merge(waiting, e)
	}
	n.events[e.QueueID] = e
	n.mu.Unlock()
	n.wake()
}

// wake has what is gathered sent or, if that is nothing, that this replica is there.
func (n *notifier) wake() {
	select {
	case n.added <- struct{}{}:
	default:
	}
}

func merge(a, b Event) Event {
	merged := Event{Identity: a.Identity, QueueID: a.QueueID, Changed: a.Changed || b.Changed, Visible: a.Visible + b.Visible, Since: a.Since}
	if a.Since.IsZero() || !b.Since.IsZero() && b.Since.Before(a.Since) {
		merged.Since = b.Since
	}
	switch {
	case a.Visible == 0:
		merged.After = b.After
	case b.Visible == 0:
		merged.After = a.After
	default:
		merged.After = min(a.After, b.After)
	}
	return merged
}

func (n *notifier) take() []Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	events := make([]Event, 0, len(n.events))
	for _, e := range n.events {
		events = append(events, e)
	}
	clear(n.events)
	return events
}

// runNotifier sends what is gathered until ctx ends. Events that cannot be sent are
// dropped: the other replicas' periodic checks make up for them.
func (s *Service) runNotifier(ctx context.Context) error {
	pause := time.NewTicker(notifyInterval)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.notifier.added:
		}
		if events := s.notifier.take(); !s.isAlone() {
			s.notify(ctx, events)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// notify tells the other replicas of events or, without any, that this one is there.
func (s *Service) notify(ctx context.Context, events []Event) {
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	if err := s.store.Notify(ctx, events); err != nil && !errors.Is(err, context.Canceled) {
		s.log.Warn("other replicas were not notified", "err", err)
	}
}

// runPresence says that this replica is there until ctx ends.
func (s *Service) runPresence(ctx context.Context) error {
	ticker := time.NewTicker(presenceInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.notify(ctx, nil)
		}
	}
}

// greet asks the other replicas to say that they are there. Who does not answer soon is not.
func (s *Service) greet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	heard := s.age()
	if err := s.store.Greet(ctx); err == nil {
		heard = s.age() + greetingWait - presenceAge
	}
	s.heard.Store(int64(heard))
}

// hear notes that there are other replicas, and has a greeting answered.
func (s *Service) hear(greeting bool) {
	s.heard.Store(int64(s.age()))
	if greeting {
		s.notifier.wake()
	}
}

// isAlone tells whether other replicas would have been heard of, and were not.
func (s *Service) isAlone() bool {
	return s.hearing.Load() && s.age()-time.Duration(s.heard.Load()) > presenceAge
}

// age is how long ago this replica was made, whatever becomes of the machine's clock.
func (s *Service) age() time.Duration { return time.Since(s.made) }
