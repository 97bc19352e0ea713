package bench

import (
	"context"
	"time"
)

const (
	errorPause = time.Second / 10 // after a call that failed, in a closed loop
	pollWait   = 1                // seconds that a receive of a life cycle waits
	idleWait   = 20               // seconds that a poll of idle queues waits
)

// produce sends batches to the queues in turn.
func (l *load) produce(ctx context.Context, c *caller, number int) {
	box := newOutbox(l.Options, l.mark, number, l.Batch)
	send := c.send
	if l.Workload == Noop {
		send = c.post
	}
	unsent := 0 // since a place was given back
	for turn := number; l.takePlace(ctx); turn++ {
		began, ok := l.pacer.next(ctx)
		if !ok {
			return
		}
		at := turn % len(l.queues)
		result := send(ctx, &l.queues[at], box.next(began.Sub(l.clock)))
		l.sends.record(ctx, began, result)
		for unsent += l.Batch - result.succeeded; unsent >= l.Batch; unsent -= l.Batch {
			l.freePlace()
		}
		if result.succeeded > 0 {
			l.announce(ctx, at)
		} else if l.pacer == nil {
			pause(ctx, errorPause)
		}
	}
}

// takePlace waits until a batch may be sent. It returns false when ctx ended.
func (l *load) takePlace(ctx context.Context) bool {
	if l.places == nil {
		return ctx.Err() == nil
	}
	select {
	case l.places <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// freePlace makes room for a batch. None may be taken: a queue that existed can hold
// messages of others.
func (l *load) freePlace() {
	select {
	case <-l.places:
	default:
	}
}

// announce tells the consumers that a queue has a batch for them.
func (l *load) announce(ctx context.Context, queue int) {
	if l.filled == nil {
		return
	}
	select {
	case l.filled <- queue:
	case <-ctx.Done():
	}
}

// consume receives and deletes.
func (l *load) consume(ctx context.Context, c *caller, number int) {
	received := 0 // since a place was made free
	for {
		at, ok := l.choose(ctx, number)
		if !ok {
			return
		}
		q, began := &l.queues[at], time.Now()
		got := c.receive(ctx, q, receive{l.Batch, pollWait})
		l.receives.record(ctx, began, got)
		if len(got.failures) > 0 {
			l.again(ctx, at)
			pause(ctx, errorPause)
			continue
		}
		if got.succeeded == 0 {
			continue
		}
		if got.succeeded < l.Batch {
			l.again(ctx, at)
		}
		l.recordWays(ctx, c)
		for received += got.succeeded; received >= l.Batch; received -= l.Batch {
			l.freePlace()
		}
		began = time.Now()
		l.deletes.record(ctx, began, c.delete(ctx, q))
	}
}

// choose returns the number of the queue to receive from.
func (l *load) choose(ctx context.Context, consumer int) (int, bool) {
	if l.filled == nil {
		return consumer / 2 % len(l.queues), ctx.Err() == nil
	}
	select {
	case at := <-l.filled:
		return at, ctx.Err() == nil
	case <-ctx.Done():
		return 0, false
	}
}

// again announces a queue that may hold the rest of a batch.
func (l *load) again(ctx context.Context, queue int) {
	if ctx.Err() == nil && l.filled != nil {
		select {
		case l.filled <- queue:
		default: // consumers must not wait for each other
		}
	}
}

// recordWays records how long the received messages were on their way.
func (l *load) recordWays(ctx context.Context, c *caller) {
	if l.Workload != Latency {
		return
	}
	for _, text := range c.texts() {
		if sent, ok := readStamp(text, l.mark); ok {
			l.ways.record(ctx, l.clock.Add(sent), outcome{succeeded: 1})
		}
	}
}

// poll waits for messages that do not come. A poll is counted when it ends. The workers
// begin in turns, so that their connections are not opened at one moment.
func (l *load) poll(ctx context.Context, c *caller, number int) {
	pause(ctx, l.WarmUp*time.Duration(number)/time.Duration(l.Connections))
	q := &l.queues[number%len(l.queues)]
	for ctx.Err() == nil {
		began := time.Now()
		got := c.receive(ctx, q, receive{1, idleWait})
		if len(got.failures) > 0 {
			l.polls.record(ctx, began, got)
			pause(ctx, errorPause)
			continue
		}
		l.polls.record(ctx, began, outcome{succeeded: 1})
	}
}
