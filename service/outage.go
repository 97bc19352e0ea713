package service

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// outagePatience is for how long an outage of the database is not told to callers: they
	// wait, and do not notice a failover that is done by then. One that lasts is told at once.
	outagePatience = 5 * time.Second
	outagePause    = 50 * time.Millisecond // before the database is tried again
	outageForget   = 2 * outagePatience    // without a failure: the next one begins another outage
)

// outage is a time in which the database is away.
type outage struct {
	mu          sync.Mutex
	began, last time.Time // its first failure and its latest; zero: there is none
}

// over notes that the database is there.
func (o *outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.began = time.Time{}
}

// isYoung notes that the database is away now, and tells whether that may soon be over.
func (o *outage) isYoung(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.began.IsZero() || now.Sub(o.last) > outageForget {
		o.began = now
	}
	o.last = now
	return now.Sub(o.began) < outagePatience
}

// outlast carries out a call that is safe to repeat, again while an outage is young. Its success does not end an outage:
// flushes have connections of their own, and may have none while others have.
func (s *Service) outlast(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || !s.outage.wait(ctx, s.draining, err) {
			return err
		}
	}
}

// wait notes how a call ended. It tells, after a pause, whether to repeat it because the
// database was away. Nobody waits for a database at the process's end.
func (o *outage) wait(ctx context.Context, ending <-chan struct{}, err error) bool {
	if err == nil {
		o.over()
		return false
	}
	if !errors.Is(err, ErrAway) || !o.isYoung(time.Now()) {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-ending:
		return false
	case <-time.After(outagePause):
		return true
	}
}
