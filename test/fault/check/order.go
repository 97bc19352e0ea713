package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tusq/test/fault/history"
)

// order is C5: a FIFO group keeps its order, in the queue that its messages were sent to.
// What was moved has its place among the dead letters by the order of the moves, which nobody
// sees.
func (c *checker) order() {
	for _, g := range c.groups() {
		c.sendOrder(g)
		c.batchOrder(g)
		c.sequenceOrder(g)
		c.presence(g)
	}
}

// group is a message group of a FIFO queue.
type group struct {
	queue   *queue
	name    string
	members []*member
}

// member is a message of a group.
type member struct {
	*message
	sequence string
	made     time.Duration // not stored before
	first    *hold         // its first delivery from the queue, or nil
	lastHome time.Duration // when the last receive that got it from the queue was invoked, or -1
}

// groups are the groups of all FIFO queues that messages were sent to.
func (c *checker) groups() []*group {
	type key struct {
		queue *queue
		name  string
	}
	known := map[key]*group{}
	var groups []*group
	for _, m := range c.messages {
		q := m.home()
		if q == nil || !q.fifo {
			continue
		}
		sent := m.origin.attempts[0]
		k := key{q, c.events[sent.event].Messages[sent.item].Group}
		g := known[k]
		if g == nil {
			g = &group{queue: q, name: k.name}
			known[k] = g
			groups = append(groups, g)
		}
		g.members = append(g.members, c.member(q, m))
	}
	return groups
}

func (c *checker) member(q *queue, m *message) *member {
	g := &member{message: m, made: c.earliest(m), lastHome: -1}
	for _, a := range m.acks {
		c.sequenced(g, a.event, a.item)
	}
	for _, h := range m.holds {
		if h.queue != q {
			continue
		}
		c.sequenced(g, h.event, h.item)
		if g.first == nil {
			g.first = h
		}
		g.lastHome = max(g.lastHome, h.inv)
	}
	return g
}

// sequenced notes a member's sequence number, which all answers must agree about.
func (c *checker) sequenced(g *member, event, item int) {
	e, m := c.at(event, item)
	switch {
	case m.Sequence == "" || m.Sequence == g.sequence:
	case g.sequence == "":
		g.sequence = m.Sequence
	default:
		c.found(Violation{
			Checker: "C5", Queue: e.Queue, UID: m.UID, Events: append(g.events(), event),
			Text: fmt.Sprintf("%s had sequence number %s, and has %s in a %s by client %d at %s",
				g.who(), g.sequence, m.Sequence, e.Op, e.Client, at(e.Returned)),
		})
	}
}

// sendOrder: where one send was acknowledged before another was invoked, their messages'
// first deliveries have that order. First deliveries that nobody saw change nothing: an unseen
// receive leaves its messages undeleted, so what is behind them waits all the same.
func (c *checker) sendOrder(g *group) {
	var byMade []*member
	for _, m := range g.members {
		if m.first != nil {
			byMade = append(byMade, m)
		}
	}
	slices.SortFunc(byMade, func(a, b *member) int { return cmp.Compare(a.made, b.made) })
	earliest := make([]*member, len(byMade)+1) // of those from there on, the first to be received
	for i := len(byMade) - 1; i >= 0; i-- {
		earliest[i] = earlier(byMade[i], earliest[i+1])
	}
	for _, a := range byMade {
		acked := ackedBy(a)
		later, _ := slices.BinarySearchFunc(byMade, acked+1, func(m *member, t time.Duration) int { return cmp.Compare(m.made, t) })
		if b := earliest[later]; b != nil && c.received(b.first, a.first) {
			c.inverted(g, a, b, fmt.Sprintf("was acknowledged at %s, before the other was sent at %s", at(acked), at(b.made)))
		}
	}
}

// ackedBy is when a member was first acknowledged, or forever.
func ackedBy(m *member) time.Duration {
	first := forever
	for _, a := range m.acks {
		first = min(first, a.ret)
	}
	return first
}

// earlier is the member whose first delivery returned first.
func earlier(a, b *member) *member {
	if b == nil || a.first.ret <= b.first.ret {
		return a
	}
	return b
}

// received says that h was certainly received before o: by an earlier receive, or before it in
// the same answer.
func (c *checker) received(h, o *hold) bool {
	return h.before(o.span) || h.event == o.event && h.item < o.item
}

// inverted reports that b was received before a.
func (c *checker) inverted(g *group, a, b *member, why string) {
	c.found(Violation{
		Checker: "C5", Queue: g.queue.name, UID: a.origin.uid, Events: append(a.events(), b.first.event),
		Text: fmt.Sprintf("in group %s %s %s, but was first %s, and before that %s: %s",
			g.name, a.who(), why, c.tell(a.first), b.who(), c.tell(b.first)),
	})
}

// batchOrder: the messages of one acknowledged call are received in the call's order.
func (c *checker) batchOrder(g *group) {
	type place struct {
		*member
		event, item int
	}
	var places []place
	for _, m := range g.members {
		// A message that was sent more often may be any attempt's, between others.
		if m.first != nil && len(m.acks) == 1 && len(m.origin.attempts) == 1 {
			places = append(places, place{m, m.acks[0].event, m.acks[0].item})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(a.event-b.event, a.item-b.item) })
	var next *member // of those behind in the call, the first to be received
	for i := len(places) - 1; i >= 0; i-- {
		m := places[i]
		if i+1 < len(places) && places[i+1].event != m.event {
			next = nil
		}
		if next != nil && c.received(next.first, m.first) {
			c.inverted(g, m.member, next, "was before the other in one call")
		}
		next = earlier(m.member, next)
	}
}

// sequenceOrder: sequence numbers grow in the real-time order of sends and in the order of first
// deliveries, and are given once.
func (c *checker) sequenceOrder(g *group) {
	var members []*member
	for _, m := range g.members {
		if m.sequence != "" {
			members = append(members, m)
		}
	}
	slices.SortStableFunc(members, func(a, b *member) int { return compareDecimals(a.sequence, b.sequence) })
	g.members = members
	var received, stored *member // of those with higher numbers, the first to be received, and to be stored
	for i := len(members) - 1; i >= 0; i-- {
		m := members[i]
		if i > 0 && m.sequence == members[i-1].sequence {
			c.found(Violation{
				Checker: "C5", Queue: g.queue.name, UID: m.origin.uid, Events: append(m.events(), members[i-1].events()...),
				Text: fmt.Sprintf("in group %s %s and %s both have sequence number %s", g.name, m.who(), members[i-1].who(), m.sequence),
			})
		}
		if stored != nil && stored.stored() < m.made && len(m.acks) > 0 {
			c.found(Violation{
				Checker: "C5", Queue: g.queue.name, UID: m.origin.uid, Events: append(m.events(), stored.events()...),
				Text: fmt.Sprintf("in group %s %s has sequence number %s and was sent at %s, but %s, stored by %s, has %s",
					g.name, m.who(), m.sequence, at(m.made), stored.who(), at(stored.stored()), stored.sequence),
			})
		}
		if m.first != nil {
			if received != nil && c.received(received.first, m.first) {
				c.inverted(g, m, received, fmt.Sprintf("has sequence number %s, the other %s", m.sequence, received.sequence))
			}
			received = earlier(m, received)
		}
		if stored == nil || m.stored() < stored.stored() {
			stored = m
		}
	}
}

// compareDecimals compares numbers in decimal digits.
func compareDecimals(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// inCall are the members that one receive got, in their order.
type inCall struct {
	event int
	holds []*hold
}

// calls are the receives that got messages of a group from its queue, as they were invoked.
func (c *checker) calls(g *group) []inCall {
	byEvent := map[int]int{}
	var calls []inCall
	for _, m := range g.members {
		for _, h := range m.holds {
			if h.queue != g.queue || c.events[h.event].Op != history.Receive {
				continue
			}
			i, ok := byEvent[h.event]
			if !ok {
				i = len(calls)
				byEvent[h.event] = i
				calls = append(calls, inCall{event: h.event})
			}
			calls[i].holds = append(calls[i].holds, h)
		}
	}
	for _, call := range calls {
		slices.SortFunc(call.holds, func(a, b *hold) int { return a.item - b.item })
	}
	slices.SortFunc(calls, func(a, b inCall) int { return cmp.Compare(c.events[a.event].Invoked, c.events[b.event].Invoked) })
	return calls
}
