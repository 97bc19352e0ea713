package check

import (
	"cmp"
	"fmt"
	"slices"
)

// receives is C7: each receive of a message has a higher count than the one before, in a
// history without faults by one. Counts are exhausted before a message is moved to dead
// letters, and it never comes back from there by itself.
func (c *checker) receives() {
	for _, m := range c.messages {
		if len(m.holds) == 0 {
			continue
		}
		c.counts(m)
		c.deadLetters(m)
	}
}

// counts: in the order of its counts, a message's claims must be possible. Counts may leap
// where somebody else's receive was answered to nobody: such phantoms are counted.
func (c *checker) counts(m *message) {
	holds := slices.Clone(m.holds)
	slices.SortStableFunc(holds, func(a, b *hold) int { return cmp.Compare(c.item(a).Receives, c.item(b).Receives) })
	if c.item(holds[0]).Receives == 0 { // the count was not asked for
		return
	}
	before, unseen := 0, 0
	var latest *hold // of those with smaller counts, the one that was invoked last
	for i, h := range holds {
		count := c.item(h).Receives
		if i > 0 && (count == before || h.ret < latest.inv) {
			c.found(Violation{
				Checker: "C7", Queue: h.queue.name, UID: m.origin.uid, Events: []int{latest.event, h.event},
				Text: fmt.Sprintf("%s was %s, and %s: counts do not grow", m.who(), c.tell(latest), c.tell(h)),
			})
		} else if leap := count - before - 1; leap > 0 {
			unseen += leap
			c.leapt(m, h, before)
		}
		before = count
		if latest == nil || h.inv > latest.inv {
			latest = h
		}
	}
	c.report.PhantomReceives += unseen
}

// leapt: nothing can have been received unseen if nothing failed.
func (c *checker) leapt(m *message, h *hold, before int) {
	if !c.opts.FaultFree || len(h.queue.unknown) > 0 || m.home() == nil || len(m.home().unknown) > 0 {
		return
	}
	c.found(Violation{
		Checker: "C7", Queue: h.queue.name, UID: m.origin.uid, Events: []int{h.event},
		Text: fmt.Sprintf("%s was %s, after count %d: nobody received it between", m.who(), c.tell(h), before),
	})
}

// deadLetters: a message is received from its queue at most as often as that allows, then from
// the dead-letter queue, with a higher count.
func (c *checker) deadLetters(m *message) {
	q := m.home()
	if q == nil || q.dead == nil {
		return
	}
	var dead *hold // the first receive from the dead-letter queue to return
	for _, h := range m.holds {
		if h.queue == q.dead && (dead == nil || h.ret < dead.ret) {
			dead = h
		}
	}
	for _, h := range m.holds {
		count := c.item(h).Receives
		problem := ""
		switch {
		case h.queue == q && count > q.max:
			problem = fmt.Sprintf("may be received %d times before it is moved", q.max)
		case h.queue == q.dead && count > 0 && count <= q.max:
			problem = fmt.Sprintf("was moved before it was received %d times", q.max)
		case h.queue == q && dead != nil && dead.before(h.span): // a redrive gives another ID
			problem = fmt.Sprintf("was %s, from the dead-letter queue, and came back", c.tell(dead))
		}
		if problem != "" {
			c.found(Violation{
				Checker: "C7", Queue: h.queue.name, UID: m.origin.uid, Events: m.events(),
				Text: fmt.Sprintf("%s %s: %s", m.who(), problem, c.tell(h)),
			})
			return
		}
	}
}
