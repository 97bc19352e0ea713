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
				if s.ok && c.refusable(h, s) {
					c.obeyed(m, h, s, m.holds[i+1:])
				}
			}
		}
	}
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
		if s.op == history.Delete && !c.thereFor(m, o, s.span) {
			continue
		}
		c.found(Violation{
			Checker: "C3", Queue: h.queue.name, UID: m.origin.uid, Events: []int{h.event, o.event, s.event},
			Text: fmt.Sprintf("%s was %s, then %s; and then a %s by the first receipt was done, in %s", m.who(), c.tell(h), c.tell(o), s.op, s.span),
		})
		return
	}
}

// thereFor says that a message that o holds was certainly there for all of a time after that. What may have removed it is a deletion by a
// receipt that was not superseded by o's, a purge, or the end of its retention; its queue may have moved it unless o's lease held.
func (c *checker) thereFor(m *message, o *hold, s span) bool {
	q := o.queue
	if q.retention > 0 || (q.dead != nil || len(q.sources) > 0) && !o.leaseCovers(s, c.slack) {
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
			if d.op == history.Delete && d.inv <= s.ret {
				return false
			}
		}
	}
	return true
}
