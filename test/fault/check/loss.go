package check

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"tusq/test/fault/history"
)

// loss is C1: an acknowledged send comes out. Only queues that were drained are asked, and
// dead letters with them: only there absence is a fact.
func (c *checker) loss() {
	lost := map[*queue]map[*message]bool{}
	for _, m := range c.messages {
		q := m.home()
		if q == nil || !c.mustBeOut(m) || c.explained(m) {
			continue
		}
		if lost[q] == nil {
			lost[q] = map[*message]bool{}
		}
		lost[q][m] = true
	}
	for q, messages := range lost {
		c.locate(q, messages)
	}
}

// mustBeOut says that a message was acknowledged, or received, before its queues were drained.
func (c *checker) mustBeOut(m *message) bool {
	stored := m.stored()
	for q := range m.home().chain() {
		if q.drained == nil || stored > q.drained.Invoked {
			return false
		}
	}
	return true
}

// explained says that something may have removed the message for good: a purge or the end of
// its retention after its last receive, or a deletion of its last receive. A deletion by an
// earlier receipt does nothing, so a hold counts only if no other was certainly claimed later;
// for if one was, the drain had to bring the message once more.
func (c *checker) explained(m *message) bool {
	holds := c.lineage(m)
	last := time.Duration(-1) // the last claim was not before
	if len(holds) == 0 {
		last = c.earliest(m)
	}
	for _, h := range holds {
		last = max(last, h.inv)
	}
	for _, h := range holds {
		for _, s := range h.settles {
			if s.op == history.Delete && h.ret >= last {
				return true
			}
		}
	}
	for q := range m.home().chain() {
		for _, p := range q.purges {
			if p.ret >= last {
				return true
			}
		}
		if q.retention > 0 && q.drained.Returned >= c.earliest(m)+q.retention-c.slack {
			return true
		}
	}
	return false
}

// lineage are a message's holds, and those of what it became: a redrive gives it another ID.
func (c *checker) lineage(m *message) []*hold {
	if !m.home().redriven(forever) && !c.nameless(m) {
		return m.holds
	}
	holds := slices.Clone(m.holds)
	for _, other := range m.origin.messages {
		if other != m && other.origin == m.origin {
			holds = append(holds, other.holds...)
		}
	}
	return holds
}

// nameless says that an answer did not tell the message's ID (C11 reports it).
func (c *checker) nameless(m *message) bool {
	return len(m.acks) > 0 && c.events[m.acks[0].event].Messages[m.acks[0].item].ID == ""
}

// locate reports a queue's lost messages, and whether they lie before all that survived, behind all
// (the end of a log that was cut off, say), or between.
func (c *checker) locate(q *queue, lost map[*message]bool) {
	var all []*message
	for _, m := range c.messages {
		if m.home() == q && c.mustBeOut(m) {
			all = append(all, m)
		}
	}
	slices.SortStableFunc(all, func(a, b *message) int { return cmp.Compare(a.stored(), b.stored()) })
	first := slices.IndexFunc(all, func(m *message) bool { return !lost[m] })
	last := len(all) - 1
	for last >= 0 && lost[all[last]] {
		last--
	}
	for i, m := range all {
		if !lost[m] {
			continue
		}
		place, count := "between survivors", &c.report.LostMiddle
		switch {
		case first < 0 || i < first:
			place, count = "before all survivors", &c.report.LostPrefix
		case i > last:
			place, count = "behind all survivors", &c.report.LostPostfix
		}
		*count++
		c.report.Lost++
		c.found(Violation{Checker: "C1", Queue: q.name, UID: m.origin.uid, Events: m.events(), Text: c.lostText(m, place)})
	}
}

func (c *checker) lostText(m *message, place string) string {
	text := fmt.Sprintf("%s is lost, %s: ", m.who(), place)
	if len(m.acks) > 0 {
		a := m.acks[0]
		text += fmt.Sprintf("acknowledged to client %d in %s", c.events[a.event].Client, a.span)
	} else {
		text += "its send is unknown"
	}
	if len(m.holds) == 0 {
		return text + ", never received"
	}
	return text + ", last " + c.tell(m.holds[len(m.holds)-1]) + ", not deleted by that receipt, never received again"
}

// events are a message's acknowledgements and receives.
func (m *message) events() []int {
	var events []int
	for _, a := range m.acks {
		events = append(events, a.event)
	}
	for _, h := range m.holds {
		events = append(events, h.event)
	}
	return events
}
