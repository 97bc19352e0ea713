package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	fillBytes    = 240 << 10        // of bodies in one call: under the limit of every service
	fillPatience = 30 * time.Second // with a call that fails
	showEvery    = 500 * time.Millisecond
)

// fill sends the messages that wait before the measurement: by all workers, in batches as
// large as a call takes.
func (l *load) fill(ctx context.Context) error {
	if l.Backlog == 0 {
		return nil
	}
	l.Progress.Begin(l.Backlog)
	defer l.Progress.End()
	var claimed, sent atomic.Int64
	began := time.Now()
	batch := int64(max(1, min(l.mostBatch(), fillBytes/l.Size)))
	group, ctx := errgroup.WithContext(ctx)
	for number := range l.Connections {
		group.Go(func() error {
			c := newCaller(l.Options, l.protocol, l.sendTo)
			defer c.conn.close()
			box := newOutbox(l.Options, newMark(), number, int(batch))
			for turn := number; ; turn++ {
				first := claimed.Add(batch) - batch
				if first >= l.Backlog {
					return nil
				}
				messages := box.next(0)[:min(batch, l.Backlog-first)]
				if err := l.fillOne(ctx, c, &l.queues[turn%len(l.queues)], messages); err != nil {
					return err
				}
				sent.Add(int64(len(messages)))
			}
		})
	}
	done := make(chan struct{})
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		l.showFill(done, &sent, began)
	}()
	err := group.Wait()
	close(done)
	<-shown
	return err
}

// fillOne sends one batch, again and again while it fails.
func (l *load) fillOne(ctx context.Context, c *caller, q *queue, messages []message) error {
	for end := time.Now().Add(fillPatience); ; {
		result := c.send(ctx, q, messages)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case len(result.failures) == 0:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("the backlog could not be sent: %s", result.failures[0])
		}
		pause(ctx, errorPause)
	}
}

func (l *load) showFill(done <-chan struct{}, sent *atomic.Int64, began time.Time) {
	tick := time.NewTicker(showEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			n := sent.Load()
			l.Progress.At(min(n, l.Backlog-1), fmt.Sprintf("backlog %.0f/s", float64(n)/time.Since(began).Seconds()))
		case <-done:
			return
		}
	}
}
