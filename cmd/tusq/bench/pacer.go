package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// timerSlack is how late a timer may end a sleep, on an idle machine: the scheduler of Go
// waits in whole milliseconds. So much is the generator's delay, not the server's.
const timerSlack = 2 * time.Millisecond

// pacer is the schedule of an open loop, shared by its workers. Nil is a closed loop.
type pacer struct {
	start    time.Time
	interval float64 // nanoseconds between calls
	calls    atomic.Int64
}

func newPacer(o *Options) *pacer {
	if o.Rate == 0 {
		return nil
	}
	return &pacer{start: time.Now(), interval: float64(time.Second) * float64(o.Batch) / o.Rate}
}

// next waits until a call is due and returns when it should have begun. ok is false when
// ctx ended.
func (p *pacer) next(ctx context.Context) (due time.Time, ok bool) {
	if p == nil {
		return time.Now(), ctx.Err() == nil
	}
	due = p.start.Add(time.Duration(float64(p.calls.Add(1)-1) * p.interval))
	if early := time.Until(due); early > 0 {
		pause(ctx, early)
		due = woken(due, time.Now())
	}
	return due, ctx.Err() == nil
}

// woken returns when a call began whose worker slept until now: at once, unless it was
// held up for longer than timers are late.
func woken(due, now time.Time) time.Time {
	if now.Sub(due) <= timerSlack {
		return now
	}
	return due
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
