package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"tusq/test/fault/history"
)

// repeatLimit is how long a send is repeated: less than the five minutes for which the service remembers it.
const repeatLimit = 4 * time.Minute

// producer sends messages.
type producer struct {
	*client
	run     *run
	uids    string // how all its UIDs begin
	number  int    // of its messages
	retired map[lane]int
}

// lane is a group of a queue. Its messages come from one producer. When nothing is known of one for too long,
// the lane goes on under another group id.
type lane struct {
	queue  string
	number int
}

// work sends until ctx ends.
func (p *producer) work(ctx context.Context) {
	for ctx.Err() == nil {
		q := p.Queues[p.random.IntN(len(p.Queues))]
		n := p.size()
		if !p.run.admit(ctx, n) {
			return
		}
		messages := make([]outgoing, n)
		lanes := p.lanes(q)
		for i := range messages {
			messages[i] = p.message(q, lanes)
		}
		if q.FIFO() {
			p.sendInOrder(ctx, q, messages)
		} else {
			p.sendOnce(ctx, q, messages)
		}
		p.backOff(ctx)
	}
}

// lanes are those that a call's messages are for: all of the producer's, or one.
func (p *producer) lanes(q Queue) []int {
	var lanes []int
	for n := p.id; n < q.Groups; n += p.Producers {
		lanes = append(lanes, n)
	}
	if len(lanes) > 1 && p.chance(0.5) {
		one := p.random.IntN(len(lanes))
		return lanes[one : one+1]
	}
	return lanes
}

func (p *producer) message(q Queue, lanes []int) outgoing {
	p.number++
	m := outgoing{uid: fmt.Sprintf("%s%d", p.uids, p.number)}
	m.body = newBody(m.uid, p.text, p.random)
	if p.chance(p.Shares.Attributes) {
		m.attributes = newAttributes(p.text, p.random)
	}
	m.digest = digest(m.body, m.attributes)
	switch {
	case q.FIFO():
		m.group = p.group(q, lanes[p.random.IntN(len(lanes))])
	case p.MaxDelay > 0 && p.chance(p.Shares.Delay):
		m.delay = 1 + p.random.IntN(p.MaxDelay)
	}
	return m
}

func (p *producer) group(q Queue, number int) string {
	return fmt.Sprintf("g%d.%d", number, p.retired[lane{q.Name, number}])
}

// sendInOrder sends to a FIFO queue, those again of which nothing is known, until all is.
func (p *producer) sendInOrder(ctx context.Context, q Queue, messages []outgoing) {
	for begun := time.Now(); ; {
		var acknowledged int
		messages, acknowledged = p.send(ctx, p.surface(), q, messages, "")
		p.Progress.Sent.Add(int64(acknowledged))
		if len(messages) == 0 {
			return
		}
		if ctx.Err() != nil || time.Since(begun) > repeatLimit {
			p.retire(q, messages)
			return
		}
		p.backOff(ctx)
	}
}

// retire leaves the groups of messages of which nothing is known.
func (p *producer) retire(q Queue, messages []outgoing) {
	for n := p.id; n < q.Groups; n += p.Producers {
		group := p.group(q, n)
		for _, m := range messages {
			if m.group == group {
				p.retired[lane{q.Name, n}]++
				break
			}
		}
	}
}

// sendOnce sends to a standard queue, in most cases with a key and then as often as it takes.
func (p *producer) sendOnce(ctx context.Context, q Queue, messages []outgoing) {
	s, key := p.surface(), ""
	if p.chance(p.Shares.Repeat) {
		key = "call-" + messages[0].uid
	}
	again, acknowledged := p.send(ctx, s, q, messages, key)
	for begun := time.Now(); key != "" && len(again) > 0 && ctx.Err() == nil && time.Since(begun) < repeatLimit; {
		p.backOff(ctx)
		again, acknowledged = p.send(ctx, s, q, messages, key)
	}
	p.Progress.Sent.Add(int64(acknowledged))
	if key != "" && len(again) == 0 && p.chance(p.Shares.Again) {
		p.send(ctx, s, q, messages, key)
	}
}

// send makes one call. It returns the messages to try again, those of which nothing is known and those that were
// refused for the moment, and how many were acknowledged.
func (p *producer) send(ctx context.Context, s surface, q Queue, messages []outgoing, key string) (again []outgoing, acknowledged int) {
	r := s.send(q.Name, messages, key)
	e, body := p.call(ctx, s, history.Send, q.Name, r)
	e.Key = key
	e.Messages = make([]history.Message, len(messages))
	for i, m := range messages {
		e.Messages[i] = history.Message{
			UID: m.uid, Digest: m.digest, Group: m.group, Delay: time.Duration(m.delay) * time.Second,
		}
		if m.group != "" {
			e.Messages[i].Deduplication = m.uid
		}
	}
	var results []result
	var err error
	if e.Outcome == history.OK {
		results, err = s.sent(r, body, messages)
	}
	conclude(&e, results, err)
	for i := range e.Messages {
		m := &e.Messages[i]
		switch {
		case m.Outcome == history.OK:
			acknowledged++
			m.ID, m.Sequence = results[i].id, strings.TrimLeft(results[i].sequence, "0")
		case m.Outcome == history.Unknown || retryable(e.Status, m.Error):
			again = append(again, messages[i])
		}
	}
	p.record(e)
	return again, acknowledged
}
