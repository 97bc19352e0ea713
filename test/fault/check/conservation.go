package check

import (
	"fmt"
	"slices"
	"time"

	"tusq/test/fault/history"
)

// conservation is C8: a queue's counts are those of a moment between question and answer. So they
// are at least the messages that were certainly there all that time, and at most those
// that may have been there at some moment of it. After a complete drain both are none.
func (c *checker) conservation() {
	for q, s := range c.stays() {
		s.sort()
		for _, event := range q.stats {
			c.compareCounts(q, s, event)
		}
	}
}

func (c *checker) compareCounts(q *queue, s *stay, event int) {
	e := &c.events[event]
	least, most := s.certain(e.Invoked, e.Returned), s.possible(e.Invoked, e.Returned)
	total := int(e.Counts.Total())
	drained := q.drained != nil && e.Invoked >= q.drained.Returned
	// What a redrive moved back may not have been received yet, so its new ID is unknown.
	unseen := !drained && q.redriven(e.Returned)
	if total >= least && (total <= most || unseen) {
		return
	}
	when := ""
	if drained {
		when = ", after the drain"
	}
	c.found(Violation{
		Checker: "C8", Queue: q.name, Events: []int{event},
		Text: fmt.Sprintf("client %d was told in %s%s that the queue has %d messages (%d visible, %d in flight, %d delayed); it has at least %d and at most %d",
			e.Client, span{e.Invoked, e.Returned}, when, total, e.Counts.Visible, e.Counts.InFlight, e.Counts.Delayed, least, most),
	})
}

// stay tells when messages may have been in a queue, and when they certainly were.
type stay struct {
	mayCome, left  []time.Duration // the earliest arrivals; when they had certainly left
	came, mayLeave []time.Duration // when they had certainly arrived; the earliest departures
}

func (s *stay) sort() {
	for _, times := range [][]time.Duration{s.mayCome, s.left, s.came, s.mayLeave} {
		slices.Sort(times)
	}
}

func (s *stay) add(mayCome, came, mayLeave, left time.Duration) {
	s.mayCome, s.left = append(s.mayCome, mayCome), append(s.left, left)
	if came < mayLeave {
		s.came, s.mayLeave = append(s.came, came), append(s.mayLeave, mayLeave)
	}
}

// certain is how many were there all the time.
func (s *stay) certain(from, until time.Duration) int {
	return max(0, upTo(s.came, from-1)-upTo(s.mayLeave, until))
}

// possible is how many may have been there at some time.
func (s *stay) possible(from, until time.Duration) int {
	return upTo(s.mayCome, until) - upTo(s.left, from-1)
}

// upTo is how many of the sorted times are at most t.
func upTo(times []time.Duration, t time.Duration) int {
	n, _ := slices.BinarySearch(times, t+1)
	return n
}

// stays are those of all messages in their queues, and in those where they may have been moved.
func (c *checker) stays() map[*queue]*stay {
	stays := make(map[*queue]*stay, len(c.queues))
	for _, q := range c.queues {
		stays[q] = &stay{}
	}
	of := func(q *queue) *stay { return stays[q] }
	for _, m := range c.messages {
		if m.home() == nil {
			continue
		}
		deleted, _, _ := c.certainlyDeleted(m, c.opts.FaultFree)
		f := fate{m, c.mayRemove(m), deleted}
		c.stayHome(of(m.home()), f)
		for q := range m.home().chain() {
			if q != m.home() {
				c.stayMoved(of(q), q, f)
			}
		}
	}
	for _, o := range c.sent {
		c.unseen(o, of)
	}
	return stays
}

// fate is when a message may have been removed and when it had certainly been.
type fate struct {
	*message
	mayRemove, deleted time.Duration
}

func (c *checker) stayHome(s *stay, f fate) {
	q, came, mayLeave, left := f.home(), forever, f.mayRemove, f.deleted
	for _, a := range f.acks {
		came = min(came, a.ret)
	}
	for _, h := range f.holds {
		if h.queue == q {
			came = min(came, h.ret)
		} else {
			left = min(left, h.ret) // it was moved
		}
	}
	for _, p := range q.purges {
		if c.purged(f.message, p) {
			left = min(left, p.ret)
		}
	}
	if q.dead != nil {
		mayLeave = min(mayLeave, c.mayMove(f.message, q))
	}
	if q.drained != nil && f.stored() <= q.drained.Invoked {
		mayLeave, left = min(mayLeave, q.drained.Invoked), min(left, q.drained.Returned)
	}
	s.add(c.earliest(f.message), came, mayLeave, left)
}

// stayMoved is about a queue of dead letters.
func (c *checker) stayMoved(s *stay, q *queue, f fate) {
	came, mayLeave, left := forever, f.mayRemove, f.deleted
	for _, h := range f.holds {
		if h.queue == q {
			came = min(came, h.ret)
		}
	}
	for _, r := range q.redrives {
		mayLeave = min(mayLeave, r.inv)
	}
	if q.dead != nil {
		mayLeave = min(mayLeave, c.mayMove(f.message, q))
	}
	// What nobody received may have been moved until its own queue was drained.
	if home := f.home().drained; q.drained != nil && (came <= q.drained.Invoked || home != nil && home.Returned <= q.drained.Invoked) {
		mayLeave, left = min(mayLeave, q.drained.Invoked), min(left, q.drained.Returned)
	}
	s.add(c.mayMove(f.message, f.home()), came, mayLeave, left)
}

// mayMove is the first moment at which a message may have been moved from q: not before
// the first claim that may have been its. Where something fails, that may have been anybody's,
// also of a receive that a load balancer repeated.
func (c *checker) mayMove(m *message, q *queue) time.Duration {
	if !c.opts.FaultFree || len(q.unknown) > 0 {
		return c.earliest(m)
	}
	first := forever
	for _, h := range m.holds {
		first = min(first, h.inv)
	}
	return first
}

// unseen counts what sends whose outcome is unknown may have stored without that anybody
// has seen it; with one name within five minutes that is one message.
func (c *checker) unseen(o *origin, of func(*queue) *stay) {
	var unknown []time.Duration
	for _, a := range o.attempts {
		if a.outcome == history.Unknown {
			unknown = append(unknown, a.inv)
		}
	}
	if len(unknown) == 0 {
		return
	}
	if c.oneName(o) {
		unknown = unknown[:min(1, max(0, 1-len(o.messages)))]
	}
	for q := range o.queue.chain() {
		left := forever
		if q.drained != nil {
			left = q.drained.Returned
		}
		for _, inv := range unknown {
			of(q).add(inv, forever, forever, max(left, inv))
		}
	}
}

// oneName says that all sends of a UID have one name, and that it was remembered from the first to the last.
func (c *checker) oneName(o *origin) bool {
	first, sent := c.at(o.attempts[0].event, o.attempts[0].item)
	if first.Key == "" && len(o.queue.purges) > 0 { // they forget deduplication ids
		return false
	}
	from, until := first.Invoked, first.Returned
	for _, a := range o.attempts {
		e, m := c.at(a.event, a.item)
		if e.Key != first.Key || m.Deduplication != sent.Deduplication || e.Key == "" && m.Deduplication == "" {
			return false
		}
		from, until = min(from, e.Invoked), max(until, e.Returned)
	}
	return until-from < interval-c.slack
}
