package load

import (
	"context"
	"hash/fnv"
	"time"

	"tusq/test/fault/history"
)

// maxSettles is how often a deletion is tried whose outcome is not known.
const maxSettles = 4

// consumer receives messages, and does with them what consumers do.
type consumer struct {
	*client
	later []deletion
}

// deletion is what a consumer has left for later.
type deletion struct {
	due     time.Duration // of the history
	queue   string
	message received
	extend  bool // its lease is to be extended first, which must be refused where it was given to another
}

// work receives until ctx ends. What it has left for later then is left to others.
func (c *consumer) work(ctx context.Context) {
	for ctx.Err() == nil {
		c.deleteDue(ctx)
		q := c.Queues[c.random.IntN(len(c.Queues))]
		ask := receive{
			most:       c.size(),
			visibility: c.MinVisibility + c.random.IntN(c.MaxVisibility-c.MinVisibility+1),
		}
		if name := q.DeadLetter(); name != "" && c.chance(0.1) {
			q = Queue{Name: name, Groups: q.Groups}
		} else if c.chance(0.7) {
			ask.wait = min(c.WaitSeconds, 1+c.random.IntN(c.WaitSeconds+1))
		}
		messages, called, ok := c.receive(ctx, q.Name, ask)
		switch {
		case len(messages) > 0:
			c.decide(ctx, q, messages, called, ask)
		case ok && ask.wait == 0:
			c.pause(ctx, 5*time.Millisecond)
		case !ok:
			c.backOff(ctx)
		}
	}
}

// receive makes one call. It returns the messages, the time of the call, and whether it was acknowledged.
func (c *client) receive(ctx context.Context, queue string, ask receive) ([]received, time.Duration, bool) {
	s := c.surface()
	e, body := c.call(ctx, s, history.Receive, queue, s.receive(queue, ask))
	e.Visibility = time.Duration(ask.visibility) * time.Second
	var messages []received
	if e.Outcome == history.OK {
		var err error
		if messages, err = s.received(body); err != nil {
			e.Outcome, e.Error, messages = history.Unknown, errAnswer, nil
		}
	}
	for _, m := range messages {
		e.Messages = append(e.Messages, m.Message)
	}
	c.record(e)
	return messages, e.Invoked, e.Outcome == history.OK
}

// decide settles the messages of a receive that was called at a time.
func (c *consumer) decide(ctx context.Context, q Queue, messages []received, called time.Duration, ask receive) {
	var remove, release, extend []received
	ends := called + time.Duration(ask.visibility)*time.Second // the leases, at the earliest
	longer := ask.visibility + 2 + c.random.IntN(extension-1)
	for _, m := range messages {
		s := c.Shares
		if q.MaxReceives > 0 && poisonous(m.UID, s.Poison) {
			s.Drop, s.Release = 0.1, 1
		}
		switch {
		case c.chance(s.Drop):
		case c.chance(s.Release):
			release = append(release, m)
		case c.chance(s.Extend):
			extend = append(extend, m)
			c.postpone(ends+200*time.Millisecond, deletion{queue: q.Name, message: m})
		case c.chance(s.Late):
			c.postpone(ends+300*time.Millisecond, deletion{queue: q.Name, message: m, extend: c.chance(0.5)})
		default:
			remove = append(remove, m)
		}
	}
	c.extend(ctx, q.Name, extend, longer)
	c.remove(ctx, q.Name, remove)
	c.extend(ctx, q.Name, release, 0)
}

// poisonous tells whether a message is one of a share that fails whenever it is received.
func poisonous(uid string, share float64) bool {
	hash := fnv.New32a()
	hash.Write([]byte(uid))
	return float64(hash.Sum32()%10000) < share*10000
}

// postpone leaves a deletion for later: up to a second after a time.
func (c *consumer) postpone(from time.Duration, d deletion) {
	d.due = from + time.Duration(c.random.Int64N(int64(time.Second)))
	c.later = append(c.later, d)
}

// deleteDue carries out the deletions that were left for now.
func (c *consumer) deleteDue(ctx context.Context) {
	now := c.Recorder.Now()
	due, extend := map[string][]received{}, map[string][]received{}
	kept := c.later[:0]
	for _, d := range c.later {
		if d.due > now || len(due[d.queue]) == c.Batch {
			kept = append(kept, d)
			continue
		}
		due[d.queue] = append(due[d.queue], d.message)
		if d.extend {
			extend[d.queue] = append(extend[d.queue], d.message)
		}
	}
	c.later = kept
	for _, q := range c.Queues { // in an order that the seed decides
		for _, name := range []string{q.Name, q.DeadLetter()} {
			c.extend(ctx, name, extend[name], c.MinVisibility)
			c.remove(ctx, name, due[name])
		}
	}
}

// remove deletes messages, in most cases again those of which nothing is known.
func (c *client) remove(ctx context.Context, queue string, messages []received) {
	for try := 1; len(messages) > 0; try++ {
		s := c.surface()
		r := s.remove(queue, receipts(messages))
		e, body := c.call(ctx, s, history.Delete, queue, r)
		messages = c.settled(s, r, e, body, messages)
		if ctx.Err() != nil || try == maxSettles || !c.chance(c.Shares.Repeat) {
			return
		}
		c.backOff(ctx)
	}
}

// extend sets the visibility timeout of messages.
func (c *client) extend(ctx context.Context, queue string, messages []received, timeout int) {
	if len(messages) == 0 {
		return
	}
	s := c.surface()
	r := s.extend(queue, receipts(messages), timeout)
	e, body := c.call(ctx, s, history.Extend, queue, r)
	e.Visibility = time.Duration(timeout) * time.Second
	c.settled(s, r, e, body, messages)
}

// settled records the event of a call on received messages. It returns those of which nothing is known.
func (c *client) settled(s surface, r request, e history.Event, body []byte, messages []received) (unknown []received) {
	e.Messages = make([]history.Message, len(messages))
	for i, m := range messages {
		e.Messages[i] = history.Message{UID: m.UID, ID: m.ID, Receipt: m.Receipt, Group: m.Group}
	}
	var results []result
	var err error
	if e.Outcome == history.OK {
		results, err = s.settled(r, body, len(messages))
	}
	conclude(&e, results, err)
	c.record(e)
	for i, m := range e.Messages {
		if m.Outcome == history.Unknown {
			unknown = append(unknown, messages[i])
		}
	}
	return unknown
}

func receipts(messages []received) []string {
	list := make([]string, len(messages))
	for i, m := range messages {
		list[i] = m.receipt
	}
	return list
}
