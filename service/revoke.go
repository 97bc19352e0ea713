package service

import (
	"context"
	"sync"
	"time"
)

const (
	revokeTimeout = 5 * time.Second // of one attempt to undo claims whose commit is unknown
	revokeAgain   = time.Second     // until the next attempt
	revokeFor     = 9 * time.Minute // less than the store can look back
)

// revoke makes a flush's unknown commit certain and undoes its claims and hand-offs. The
// flush's own time may be over, so it takes its own.
func (s *Service) revoke(ctx context.Context, work []QueueWork, flushErr error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	return s.store.Revoke(ctx, work, flushErr)
}

// revokeOutlasting is revoke, again while an outage is young.
func (s *Service) revokeOutlasting(ctx context.Context, work []QueueWork, flushErr error) error {
	return s.outlast(ctx, func() error { return s.revoke(ctx, work, flushErr) })
}

// revocations are flushes that could not be revoked: the database was away. What they may
// have claimed belongs to nobody until they are.
type revocations struct {
	mu    sync.Mutex
	lost  []lostWork
	added chan struct{}
}

type lostWork struct {
	work []QueueWork
	err  error
	at   time.Time
}

func newRevocations() *revocations { return &revocations{added: make(chan struct{}, 1)} }

func (r *revocations) add(work []QueueWork, err error) {
	r.mu.Lock()
	r.lost = append(r.lost, lostWork{work, err, time.Now()})
	r.mu.Unlock()
	select {
	case r.added <- struct{}{}:
	default:
	}
}

func (r *revocations) take() []lostWork {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := r.lost
	r.lost = nil
	return lost
}

// runRevocations revokes what could not be revoked before, until ctx ends.
func (s *Service) runRevocations(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.revocations.added:
		}
		for _, lost := range s.revocations.take() {
			err := s.revoke(ctx, lost.work, lost.err)
			switch {
			case err == nil:
				s.distrustFloors(lost.work)
			case time.Since(lost.at) < revokeFor:
				s.revocations.add(lost.work, lost.err)
			default:
				s.log.Warn("messages stay in flight until their timeout although nobody has them", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(revokeAgain):
		}
	}
}
