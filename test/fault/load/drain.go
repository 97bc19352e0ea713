package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tusq/test/fault/history"
)

const (
	// drainVisibility is the timeout of a drain's receives, in seconds.
	drainVisibility = 3
	// maxPasses is how often a drain begins anew because a queue that was empty is not any more.
	maxPasses = 3
)

// Drain receives and deletes what the queues and their dead-letter queues hold, and records for each that it is drained,
// and its counts. It is to be called when all faults have ended and Run has returned. It waits for all leases to end,
// so it takes seconds at least.
//
// A queue counts as drained also where the service goes on to count messages that it does not deliver: the checkers
// are to see that. Drain fails when ctx ends first; then nothing is recorded as drained.
func Drain(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	shared := newHTTP(2 * len(o.Queues))
	defer shared.CloseIdleConnections()
	text := newText(rand.New(rand.NewPCG(o.Seed, 0)))
	clients := make([]*drainer, len(o.Queues))
	for i := range clients {
		clients[i] = &drainer{client: newClient(&o, o.Producers+o.Consumers+2+i, shared, text), begun: time.Now()}
		clients[i].Shares.Repeat = 1
	}
	for range maxPasses {
		if err := drainAll(ctx, clients); err != nil {
			return err
		}
		left, err := clients[0].left(ctx)
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
	}
	return clients[0].conclude(ctx)
}

// drainAll drains each queue with a client of its own.
func drainAll(ctx context.Context, clients []*drainer) error {
	errs := make([]error, len(clients))
	var all sync.WaitGroup
	for i, d := range clients {
		all.Go(func() { errs[i] = d.drain(ctx, d.Queues[i]) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// drainer empties queues.
type drainer struct {
	*client
	begun time.Time
}

// drain empties a queue, and then its dead-letter queue, to which the former's receives move messages.
func (d *drainer) drain(ctx context.Context, q Queue) error {
	dead := q.DeadLetter()
	if dead != "" {
		err := d.insist(ctx, func() error { return d.redriven(ctx, dead) })
		if err != nil {
			return err
		}
	}
	if err := d.empty(ctx, q.Name); err != nil || dead == "" {
		return err
	}
	return d.empty(ctx, dead)
}

// empty receives and deletes until nothing has come for long enough.
func (d *drainer) empty(ctx context.Context, queue string) error {
	last, empty := time.Now(), 0
	for ctx.Err() == nil {
		messages, _, ok := d.receive(ctx, queue, receive{most: d.Batch, visibility: drainVisibility, wait: min(1, empty)})
		switch {
		case len(messages) > 0:
			d.remove(ctx, queue, messages) // what is not deleted comes again
			last, empty = time.Now(), 0
		case !ok:
			empty = 0
			d.backOff(ctx)
		default:
			empty++
		}
		if empty >= 2 && d.over(ctx, queue, time.Since(last)) {
			return nil
		}
	}
	return fmt.Errorf("queue %s is not empty: %w", queue, ctx.Err())
}

// over tells whether a queue from which nothing has come for some time is drained.
func (d *drainer) over(ctx context.Context, queue string, quiet time.Duration) bool {
	if time.Since(d.begun) < d.longest()+time.Second || quiet < (drainVisibility+1)*time.Second {
		return false
	}
	counts, err := d.counts(ctx, queue)
	return err == nil && (counts.Total() == 0 || quiet > 2*d.longest())
}

// left counts what all queues hold.
func (d *drainer) left(ctx context.Context) (total int64, err error) {
	for _, name := range d.names() {
		err := d.insist(ctx, func() error {
			counts, err := d.counts(ctx, name)
			total += counts.Total()
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

// insist repeats a call until it does not fail, or ctx ends.
func (d *drainer) insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || !sleep(ctx, 50*time.Millisecond) {
			return err
		}
	}
}

// names are those of all queues.
func (d *drainer) names() (names []string) {
	for _, q := range d.Queues {
		names = append(names, q.Name)
		if dead := q.DeadLetter(); dead != "" {
			names = append(names, dead)
		}
	}
	return names
}

// conclude records that all queues are drained, and their counts.
func (d *drainer) conclude(ctx context.Context) error {
	for _, name := range d.names() {
		now := d.Recorder.Now()
		d.Recorder.Record(history.Event{
			Client: d.id, Op: history.Drained, Queue: name, Invoked: now, Returned: now, Outcome: history.OK,
		})
	}
	for _, name := range d.names() {
		if err := d.insist(ctx, func() error { return d.stats(ctx, name) }); err != nil {
			return err
		}
	}
	return nil
}
