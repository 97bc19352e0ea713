package check

import (
	"fmt"
	"slices"
	"time"
)

// presence is the heart of C5: a delivery passes over no earlier message of its group that is
// certainly in the queue, unless the same answer has it before. Whether that one is visible,
// in flight, delayed or back does not matter: it goes first. So in-flight messages hold up
// their group, and redeliveries keep the order.
//
// A message is certainly there from its acknowledgement or first receive on, as long as
// nothing was even asked for that may have removed it; and until its last receive from the
// queue was invoked, whatever was asked for, because it was still there to be received.
func (c *checker) presence(g *group) {
	if len(g.members) < 2 {
		return
	}
	there := make([]span, len(g.members))
	places := make(map[*message]int, len(g.members))
	for i, m := range g.members {
		there[i] = c.certainlyThere(g.queue, m)
		places[m.message] = i
	}
	calls := c.calls(g)
	c.gaps(g, calls, there, places)
	c.passedOver(g, calls, there, places)
}

// certainlyThere is when a member was certainly in its queue; empty (it ends before it begins) if never.
func (c *checker) certainlyThere(q *queue, m *member) span {
	from := forever
	for _, a := range m.acks {
		from = min(from, a.ret)
	}
	if m.first != nil {
		from = min(from, m.first.ret)
	}
	until := m.lastHome
	if !c.mayHaveMoved(q, m) {
		removed := c.mayRemove(m.message)
		if removed < forever || q.drained == nil { // else it is lost, who knows when: C1
			until = max(until, removed)
		}
	}
	return span{from, until}
}

// mayHaveMoved says that a member may have become a dead letter. If it did and its dead-letter queue
// was drained, it came out there, unless something else took it away there.
func (c *checker) mayHaveMoved(q *queue, m *member) bool {
	if q.dead == nil {
		return false
	}
	if q.dead.drained == nil || len(q.dead.purges) > 0 || len(q.dead.redrives) > 0 {
		return true
	}
	return slices.ContainsFunc(m.holds, func(h *hold) bool { return h.queue != q })
}

// gaps: what one answer has of a group is in order, and nothing between was there.
func (c *checker) gaps(g *group, calls []inCall, there []span, places map[*message]int) {
	for _, call := range calls {
		for i := 1; i < len(call.holds); i++ {
			h := call.holds[i]
			from, to := places[call.holds[i-1].message], places[h.message]
			if from > to {
				c.found(Violation{
					Checker: "C5", Queue: g.queue.name, UID: h.message.origin.uid, Events: []int{call.event},
					Text: fmt.Sprintf("in group %s %s is behind %s in one answer, with a smaller sequence number: %s",
						g.name, h.message.who(), call.holds[i-1].message.who(), c.tell(h)),
				})
			}
			for between := from + 1; between < to; between++ {
				if there[between].inv < h.inv && there[between].ret > h.ret {
					c.overtaken(g, g.members[between], h, there[between])
				}
			}
		}
	}
}

func (c *checker) overtaken(g *group, m *member, h *hold, there span) {
	c.found(Violation{
		Checker: "C5", Queue: g.queue.name, UID: m.origin.uid, Events: append(m.events(), h.event),
		Text: fmt.Sprintf("in group %s %s, certainly there in %s, was passed over by the later %s: %s",
			g.name, m.who(), there, h.message.who(), c.tell(h)),
	})
}

// passedOver looks, for the first message that each call got of the group, for an earlier member that was
// there all the time. Members are taken in their order into a tree over when they were there from;
// it tells which of those who were there by a moment stay longest.
func (c *checker) passedOver(g *group, calls []inCall, there []span, places map[*message]int) {
	byPlace := make([][]*hold, len(g.members))
	for _, call := range calls {
		h := call.holds[0]
		byPlace[places[h.message]] = append(byPlace[places[h.message]], h)
	}
	starts := make([]time.Duration, len(there))
	for i, s := range there {
		starts[i] = s.inv
	}
	slices.Sort(starts)
	tree := newLongest(len(there))
	for i := range g.members {
		for _, h := range byPlace[i] {
			known, _ := slices.BinarySearch(starts, h.inv) // how many were there before
			if longest, ok := tree.best(known); ok && there[longest].ret > h.ret {
				c.overtaken(g, g.members[longest], h, there[longest])
			}
		}
		rank, _ := slices.BinarySearch(starts, there[i].inv)
		tree.add(rank, i, there[i].ret)
	}
}

// longest is a Fenwick tree of maxima: which of the first ranks stays longest.
type longest struct {
	until []time.Duration
	who   []int
}

func newLongest(n int) *longest {
	t := &longest{until: make([]time.Duration, n+1), who: make([]int, n+1)}
	for i := range t.until {
		t.until[i] = -1
	}
	return t
}

func (t *longest) add(rank, who int, until time.Duration) {
	for i := rank + 1; i < len(t.until); i += i & -i {
		if until > t.until[i] {
			t.until[i], t.who[i] = until, who
		}
	}
}

// best is who of the first n ranks stays longest.
func (t *longest) best(n int) (who int, ok bool) {
	until := time.Duration(-1)
	for i := n; i > 0; i -= i & -i {
		if t.until[i] > until {
			who, until, ok = t.who[i], t.until[i], true
		}
	}
	return who, ok
}
