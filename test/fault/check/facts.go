package check

import (
	"fmt"
	"time"

	"tusq/test/fault/history"
)

// earliest is the first moment at which a message may have been stored: no send before it
// can have made it. One that was answered with another message's ID has not.
func (x *index) earliest(m *message) time.Duration {
	first := forever
	look := func(o *origin) {
		for _, a := range o.attempts {
			if a.outcome == history.Unknown || a.outcome == history.OK && x.madeBy(m, a) {
				first = min(first, a.inv)
			}
		}
	}
	look(m.origin)
	for _, a := range m.acks {
		if a.origin != m.origin {
			look(a.origin)
		}
	}
	if first == forever { // a message that a redrive made anew
		for _, a := range m.origin.attempts {
			if a.outcome != history.Fail {
				first = min(first, a.inv)
			}
		}
	}
	return first
}

func (x *index) madeBy(m *message, a attempt) bool {
	id := x.events[a.event].Messages[a.item].ID
	return id == m.id || id == ""
}

// stored is from when on a message has certainly been stored: it was acknowledged, or received.
func (m *message) stored() time.Duration {
	at := forever
	for _, a := range m.acks {
		at = min(at, a.ret)
	}
	for _, h := range m.holds {
		at = min(at, h.ret)
	}
	return at
}

// home is the queue that a message was sent to.
func (m *message) home() *queue { return m.origin.queue }

// mayRemove is the first moment at which a deletion, a purge or the end of its retention may have
// removed a message, whichever queue it was in; forever if nothing may have.
func (x *index) mayRemove(m *message) time.Duration {
	first := forever
	for _, h := range m.holds {
		for _, s := range h.settles {
			if s.op == history.Delete {
				first = min(first, s.inv)
			}
		}
	}
	made := x.earliest(m)
	for q := range m.home().chain() {
		for _, p := range q.purges {
			if p.ret >= made {
				first = min(first, p.inv)
			}
		}
		if q.retention > 0 {
			first = min(first, made+q.retention-x.slack)
		}
	}
	return first
}

// certainlyDeleted is from when on a message has certainly been deleted, and the hold whose
// receipt did it; forever and nil if that is not certain.
//
// An acknowledgement alone does not tell: SQS acknowledges deletions by receipts of earlier
// deliveries, which delete nothing. The receipt was current if its lease cannot have ended
// by the answer (C3 sees that no other was given meanwhile). In a history without faults and
// unknown receives, it was also current if nobody else got the message meanwhile, unless it
// was moved.
func (x *index) certainlyDeleted(m *message, faultFree bool) (time.Duration, *hold, int) {
	at, by, event := forever, (*hold)(nil), -1
	for _, h := range m.holds {
		for _, s := range h.settles {
			if s.op != history.Delete || !s.ok || s.ret >= at {
				continue
			}
			if h.leaseCovers(s.span, x.slack) || faultFree && x.nobodyElse(m, h, s) {
				at, by, event = s.ret, h, s.event
			}
		}
	}
	return at, by, event
}

func (x *index) nobodyElse(m *message, h *hold, s settle) bool {
	if h.queue.dead != nil || len(h.queue.redrives) > 0 || len(h.queue.unknown) > 0 {
		return false
	}
	for _, other := range m.holds {
		if other != h && !other.before(h.span) && other.inv <= s.ret {
			return false
		}
	}
	return true
}

// chain is a queue, its dead-letter queue, and so on.
func (q *queue) chain() func(func(*queue) bool) {
	return func(yield func(*queue) bool) {
		for i := 0; q != nil && i < 8; q, i = q.dead, i+1 { // queues may be in a ring
			if !yield(q) {
				return
			}
		}
	}
}

// redriven says that messages which were moved from q to dead letters may have been moved back
// by then; they then have new IDs.
func (q *queue) redriven(by time.Duration) bool {
	for dead := range q.chain() {
		for _, r := range dead.redrives {
			if r.inv <= by {
				return true
			}
		}
	}
	return false
}

// item is a hold as it was received.
func (x *index) item(h *hold) *history.Message { return &x.events[h.event].Messages[h.item] }

// tell describes a hold.
func (x *index) tell(h *hold) string {
	m := x.item(h)
	return fmt.Sprintf("received by client %d in %s with receipt %s, count %d, for %s",
		x.events[h.event].Client, h.span, m.Receipt, m.Receives, h.visibility)
}

// who names a message.
func (m *message) who() string { return fmt.Sprintf("message %s (%s)", m.id, m.origin.uid) }

func (s span) String() string {
	if s.ret >= forever {
		return fmt.Sprintf("[%s, ...", at(s.inv))
	}
	return fmt.Sprintf("[%s, %s]", at(s.inv), at(s.ret))
}

// at is a moment as one reads it.
func at(t time.Duration) string { return fmt.Sprintf("%.6fs", t.Seconds()) }
