package check

import (
	"fmt"
	"time"

	"tusq/test/fault/history"
)

// maxCompared bounds with how many later holds each hold of a message is compared.
const maxCompared = 64

// leases is C3: inside its lease a message belongs to one receiver.
//
// A lease begins at a claim, at the earliest when the receive was invoked, so it lasts at least
// until then plus its timeout. Of two holds one was claimed first. That is no violation if
// the other's claim may lie behind the end of the first one's lease. So two holds are a
// violation if each order of theirs is either impossible or lies inside a lease. A
// receive by the same receipt is a repetition, and was made one hold by the index.
func (c *checker) leases() {
	for _, m := range c.messages {
		for i, h := range m.holds {
			c.early(m, h)
			for _, o := range m.holds[i+1 : min(len(m.holds), i+1+maxCompared)] {
				c.compare(m, h, o)
			}
		}
	}
}

func (c *checker) compare(m *message, h, o *hold) {
	switch {
	case !c.mayFollow(h, o) && !c.mayFollow(o, h):
		c.found(Violation{
			Checker: "C3", Queue: o.queue.name, UID: m.origin.uid, Events: []int{h.event, o.event},
			Text: fmt.Sprintf("%s was %s, and inside that lease %s", m.who(), c.tell(h), c.tell(o)),
		})
	case c.overlaps(h, o):
		c.report.PossibleOverlaps++
	}
}

// mayFollow says that o may have been claimed after h and outside its lease.
func (c *checker) mayFollow(h, o *hold) bool {
	return o.ret >= h.inv && !c.heldUntil(h, o.span)
}

// overlaps says that h's lease held for certain at some moment at which o may have been claimed.
func (c *checker) overlaps(h, o *hold) bool {
	first := max(o.inv, h.ret)
	return first <= o.ret && c.heldUntil(h, span{first, first})
}

// heldUntil says that, if h was claimed before something that happened in s, its lease held
// at that moment: nothing that may have been before s.ret can have ended it.
func (c *checker) heldUntil(h *hold, s span) bool {
	for _, end := range h.settles {
		if end.op == history.Delete && end.inv <= s.ret {
			return false
		}
	}
	for _, p := range h.queue.purges {
		if p.inv <= s.ret && p.ret >= h.inv {
			return false
		}
	}
	return h.leaseCovers(s, c.slack)
}

// leaseCovers says that h's lease, if nothing deleted the message, cannot have ended by s.ret.
// The lease's end was set by the claim or by the last extension. Each that may have been the
// last must reach beyond s; one is not the last if an acknowledged extension was
// invoked after it returned and itself returned before s.
func (h *hold) leaseCovers(s span, slack time.Duration) bool {
	if !h.superseded(h.span, s) && h.inv+h.visibility-slack <= s.ret {
		return false
	}
	for _, e := range h.settles {
		if e.op == history.Extend && e.inv <= s.ret && !h.superseded(e.span, s) && e.inv+e.visibility-slack <= s.ret {
			return false
		}
	}
	return true
}

func (h *hold) superseded(set, s span) bool {
	for _, e := range h.settles {
		if e.op == history.Extend && e.ok && set.before(e.span) && e.before(s) {
			return true
		}
	}
	return false
}

// early finds a message that was received before its delay had passed. Its send took
// effect when it was invoked, at the earliest. What a redrive moved has no delay.
func (c *checker) early(m *message, h *hold) {
	if h.queue != m.home() || len(m.acks) == 0 && h.queue.redriven(h.ret) {
		return
	}
	first, event, delayed := forever, -1, time.Duration(0)
	for _, a := range m.origin.attempts {
		if a.outcome == history.Fail {
			continue
		}
		delay := c.events[a.event].Messages[a.item].Delay
		if end := a.inv + delay; end < first {
			first, event, delayed = end, a.event, delay
		}
	}
	if delayed > 0 && h.ret < first-c.slack {
		c.found(Violation{
			Checker: "C3", Queue: h.queue.name, UID: m.origin.uid, Events: []int{event, h.event},
			Text: fmt.Sprintf("%s was delayed until %s, and %s", m.who(), at(first), c.tell(h)),
		})
	}
}
