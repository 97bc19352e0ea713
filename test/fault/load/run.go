package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// runs numbers the Runs of this process, so that none has the UIDs of another.
var runs atomic.Int64

// run is what the clients of a Run share.
type run struct {
	*Options
	done    context.CancelFunc // of all clients
	backlog atomic.Int64       // messages in the queues, as last seen
	before  int64              // messages that had been acknowledged when it began

	mu   sync.Mutex
	next time.Time // when the rate allows the next message
}

// Run makes the clients work until ctx ends, which is no error, or until the wanted number of messages was acknowledged.
// Calls that are under way then are brought to their end. It does not wait for messages to be received: Drain does.
func Run(ctx context.Context, o Options) error {
	if err := o.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shared := newHTTP(o.Producers + o.Consumers + 2)
	defer shared.CloseIdleConnections()
	r := &run{Options: &o, done: cancel, before: o.Progress.Sent.Load()}
	text := newText(rand.New(rand.NewPCG(o.Seed, 0)))
	prefix := fmt.Sprintf("%s%s-%d-", uidPrefix, strconv.FormatUint(o.Seed, 36), runs.Add(1))

	var clients sync.WaitGroup
	for id := range o.Producers {
		p := &producer{
			client: newClient(&o, id, shared, text), run: r,
			uids: fmt.Sprintf("%s%d-", prefix, id), retired: map[lane]int{},
		}
		clients.Go(func() { p.work(ctx) })
	}
	for id := range o.Consumers {
		c := &consumer{client: newClient(&o, o.Producers+id, shared, text)}
		clients.Go(func() { c.work(ctx) })
	}
	k := &keeper{client: newClient(&o, o.Producers+o.Consumers, shared, text)}
	clients.Go(func() { k.work(ctx) })
	clients.Go(func() { r.watch(ctx, newClient(&o, k.id+1, shared, text)) })
	clients.Wait()
	return nil
}

// admit waits until n messages may be sent, and tells whether they are to be sent at all.
func (r *run) admit(ctx context.Context, n int) bool {
	if r.Messages > 0 && r.Progress.Sent.Load()-r.before >= r.Messages {
		r.done()
		return false
	}
	if !sleep(ctx, r.turn(n)) {
		return false
	}
	for r.Backlog > 0 && r.backlog.Load() > r.Backlog {
		if !sleep(ctx, 10*time.Millisecond) {
			return false
		}
	}
	return true
}

// turn is how long n messages have to wait for the rate.
func (r *run) turn(n int) time.Duration {
	if r.Rate <= 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.next.Before(now) {
		r.next = now // what was not used is not made up for
	}
	wait := r.next.Sub(now)
	r.next = r.next.Add(time.Duration(float64(n) / r.Rate * float64(time.Second)))
	return wait
}

// watch looks how many messages the queues hold, and records what it is told. That is no progress: others find out
// whether the service works.
func (r *run) watch(ctx context.Context, c *client) {
	for sleep(ctx, 200*time.Millisecond) {
		total := int64(0)
		for _, q := range r.Queues {
			e, err := c.look(ctx, q.Name)
			c.Recorder.Record(e)
			if err != nil {
				total = 0 // producers find out for themselves
				c.base = (c.base + 1) % len(c.URLs)
				break
			}
			total += e.Counts.Total()
		}
		r.backlog.Store(total)
	}
}

// sleep waits for d, and tells whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
