package check

import (
	"fmt"

	"tusq/test/fault/history"
)

// phantoms is C2: what comes out was sent, to that queue, as it is, not more often than it
// was sent, and not before.
func (c *checker) phantoms() {
	for _, m := range c.messages {
		for _, h := range m.holds {
			if problem := c.phantom(m, h); problem != "" {
				c.found(Violation{
					Checker: "C2", Queue: h.queue.name, UID: c.item(h).UID, Events: []int{h.event},
					Text: fmt.Sprintf("%s %s: %s", m.who(), problem, c.tell(h)),
				})
			}
		}
	}
	for _, o := range c.sent {
		c.copies(o)
	}
}

// phantom says what is wrong with a delivery, if anything.
func (c *checker) phantom(m *message, h *hold) string {
	got := c.item(h)
	o := c.origins[got.UID]
	if o != m.origin {
		return "has another message's body, " + got.UID
	}
	if len(o.attempts) == 0 {
		return "was never sent"
	}
	sent, earlier, equal := false, false, false
	for _, a := range o.attempts {
		if a.outcome == history.Fail { // refused: it must never take effect
			continue
		}
		digest := c.events[a.event].Messages[a.item].Digest
		sent = true
		earlier = earlier || a.inv <= h.ret
		equal = equal || digest == got.Digest || digest == "" || got.Digest == ""
	}
	switch {
	case !sent:
		return "was refused by each send"
	case !earlier:
		return "was received before it was sent"
	case !equal:
		return fmt.Sprintf("came out changed, with digest %s", got.Digest)
	}
	for q := range o.queue.chain() {
		if q == h.queue {
			return ""
		}
	}
	return fmt.Sprintf("was sent to %s, and came out of another queue", o.queue.name)
}

// copies finds messages that came out under more IDs than sends of theirs may have taken effect;
// a redrive gives new IDs.
func (c *checker) copies(o *origin) {
	if o.queue == nil || o.queue.redriven(forever) {
		return
	}
	sends, received := 0, 0
	for _, a := range o.attempts {
		if a.outcome != history.Fail {
			sends++
		}
	}
	var events []int
	for _, m := range o.messages {
		if m.origin == o && len(m.holds) > 0 {
			received++
			events = append(events, m.holds[0].event)
		}
	}
	if sends > 0 && received > sends {
		c.found(Violation{
			Checker: "C2", Queue: o.queue.name, UID: o.uid, Events: events,
			Text: fmt.Sprintf("%s was sent at most %d times, and came out under %d message IDs", o.uid, sends, received),
		})
	}
}
