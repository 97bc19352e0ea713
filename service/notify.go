package service

import (
	"context"
	"sync"
	"time"
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
	select {
	case n.added <- struct{}{}:
	default:
	}
}

func merge(a, b Event) Event {
	merged := Event{QueueID: a.QueueID, Changed: a.Changed || b.Changed, Visible: a.Visible + b.Visible, Since: a.Since}
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
		if err := s.store.Notify(ctx, s.notifier.take()); err != nil && ctx.Err() == nil {
			s.log.Warn("other replicas were not notified", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}
