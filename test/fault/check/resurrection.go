package check

import (
	"fmt"
	"time"
)

// resurrections is C4: no receive that is invoked after a deletion was acknowledged gets the
// message. Only deletions count whose receipt was certainly the current one; see
// certainlyDeleted. Purges count too, for what was certainly stored before.
func (c *checker) resurrections() {
	for _, m := range c.messages {
		if len(m.holds) == 0 {
			continue
		}
		at, by, event := c.certainlyDeleted(m, c.opts.FaultFree)
		if by != nil {
			c.comeBack(m, at, event, "was deleted by receipt "+c.item(by).Receipt)
		}
		for _, p := range m.holds[0].queue.purges {
			if c.purged(m, p) {
				c.comeBack(m, p.ret, p.event, "was purged")
				break
			}
		}
	}
}

// purged says that a purge has certainly removed a message. It may not have if the message
// may have been in another queue.
func (c *checker) purged(m *message, p action) bool {
	q := m.home()
	return p.ok && q != nil && q.dead == nil && len(q.sources) == 0 && m.stored() < p.inv
}

func (c *checker) comeBack(m *message, gone time.Duration, event int, how string) {
	for _, h := range m.holds {
		if h.inv > gone {
			c.found(Violation{
				Checker: "C4", Queue: h.queue.name, UID: m.origin.uid, Events: []int{event, h.event},
				Text: fmt.Sprintf("%s %s, acknowledged at %s, and then %s", m.who(), how, at(gone), c.tell(h)),
			})
			return
		}
	}
}
