package check

import (
	"fmt"

	"tusq/test/fault/history"
)

// stale is the other half of C3: a receipt holds no more when its message was given to another receiver. Whoever extends by it is
// refused. So is who deletes by it while the message is certainly there, but for SQS's protocol on a standard queue, where such a
// deletion is answered as if it had been done.
func (c *checker) stale() {
	for _, m := range c.messages {
		for i, h := range m.holds {
			for _, s := range h.settles {
				switch {
				case !s.ok || !c.refusable(h, s):
				case c.overdue(m, h, s):
					c.found(Violation{
						Checker: "C3", Queue: h.queue.name, UID: m.origin.uid, Events: []int{h.event, s.event},
						Text: fmt.Sprintf("%s was %s; a %s was done after the end of that lease, in %s", m.who(), c.tell(h), s.op, s.span),
					})
				default:
					c.obeyed(m, h, s, m.holds[i+1:])
				}
			}
		}
	}
}

// overdue says that a receipt of a FIFO queue was used when its lease had certainly ended, and that the message was still there.
// To give up a lease that has ended, while nobody else has the message, is no fault: that is how a repeated release looks.
func (c *checker) overdue(m *message, h *hold, s settle) bool {
	if !h.queue.fifo || c.events[h.event].Key != "" { // a repeated receive may have begun the lease anew
		return false
	}
	end := h.ret + h.visibility
	for _, o := range h.settles {
		switch {
		case o.event == s.event || o.inv > s.ret:
		case o.op == history.Extend:
			end = max(end, o.ret+o.visibility)
		case s.op == history.Delete: // it may have been this one
			return false
		}
	}
	return s.inv > end+c.slack && (s.op == history.Extend && s.visibility > 0 || s.op == history.Delete && h.queue.dead == nil && len(h.queue.sources) == 0 && c.thereFor(m, h, h, s))
}

// refusable says that a settlement by a receipt that is stale has an answer of its own.
func (c *checker) refusable(h *hold, s settle) bool {
	return s.op == history.Extend || h.queue.fifo || c.events[s.event].Surface != sqs
}

// sqs is the surface that acknowledges deletions by old receipts.
const sqs = "sqs"

// obeyed finds one of the later holds that was certainly claimed after h, and answered before s was invoked.
func (c *checker) obeyed(m *message, h *hold, s settle, later []*hold) {
	for _, o := range later[:min(len(later), maxCompared)] {
		if !h.before(o.span) || !o.before(s.span) || o.queue != h.queue {
			continue
		}
		if s.op == history.Delete && !c.thereFor(m, o, h, s) {
			continue
		}
		c.found(Violation{
			Checker: "C3", Queue: h.queue.name, UID: m.origin.uid, Events: []int{h.event, o.event, s.event},
			Text: fmt.Sprintf("%s was %s, then %s; and then a %s by the first receipt was done, in %s", m.who(), c.tell(h), c.tell(o), s.op, s.span),
		})
		return
	}
}

// thereFor says that a message that o holds was certainly there during a later settlement, by a receipt. What may have removed it is a deletion by a
// receipt that was not superseded by o's, a purge, or the end of its retention; its queue may have moved it unless o's lease held.
func (c *checker) thereFor(m *message, o, by *hold, s settle) bool {
	q := o.queue
	if q.retention > 0 || (q.dead != nil || len(q.sources) > 0) && !o.leaseCovers(s.span, c.slack) {
		return false
	}
	for _, p := range q.purges {
		if p.ret >= o.inv && p.inv <= s.ret {
			return false
		}
	}
	for _, h := range m.holds {
		if h.before(o.span) {
			continue
		}
		for _, d := range h.settles {
			if d.op == history.Delete && d.inv <= s.ret && (h != by || d.event != s.event) {
				return false
			}
		}
	}
	return true
}
