package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tusq/test/fault/history"
)

// healed begins the note of a fault that has ended.
const healed = "heal"

// liveness is C9: acknowledged calls follow each other closely, soon after the last fault has
// healed too, and every queue was drained in the end.
func (c *checker) liveness() {
	c.report.LongestGap, _ = c.longestGap(0)
	if last, ok := c.lastHealed(); ok {
		gap, from := c.longestGap(last)
		c.report.GapAfterHeal = gap
		if c.opts.MaxGap > 0 && gap > c.opts.MaxGap {
			c.found(Violation{Checker: "C9", Text: fmt.Sprintf(
				"nothing was acknowledged for %s from %s on, although calls were made; the last fault healed at %s", gap, at(from), at(last))})
		}
		if c.report.FirstAfterHeal, ok = c.firstAfter(last); !ok {
			c.found(Violation{Checker: "C9", Text: fmt.Sprintf("nothing was acknowledged after the last fault healed at %s", at(last))})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.queues)) {
		if q := c.queues[name]; q.drained == nil && q.mustDrain() {
			c.found(Violation{Checker: "C9", Queue: name, Text: "the queue was not drained: nothing can be said about losses"})
		}
	}
}

// mustDrain says that messages may have got into a queue.
func (q *queue) mustDrain() bool {
	return q.sends > 0 || slices.ContainsFunc(q.sources, func(s *queue) bool { return s.sends > 0 })
}

func (c *checker) lastHealed() (at time.Duration, ok bool) {
	for i := range c.events {
		if e := &c.events[i]; e.Op == history.Fault && strings.HasPrefix(e.Error, healed) && (!ok || e.Invoked > at) {
			at, ok = e.Invoked, true
		}
	}
	return at, ok
}

// demands says that an event is a call that wants an answer now; a receive that waited for messages, and
// found none, does not. A look at the counts is no use of a queue: it may be answered where no message is taken.
func demands(e *history.Event) bool {
	switch e.Op {
	case history.Receive:
		return e.Outcome != history.OK || len(e.Messages) > 0
	case history.Send, history.Delete, history.Extend, history.Purge, history.Redrive:
		return true
	}
	return false
}

// longestGap is the longest time, from a moment on, in which nothing was acknowledged although at least
// one call was waiting, and when that began. Waiting begins with the first call that was under
// way, or came, after the last acknowledgement, and ends with the next one, or with the last answer.
func (c *checker) longestGap(since time.Duration) (gap, from time.Duration) {
	type moment struct {
		at   time.Duration
		kind int // at one moment acknowledgements are before other ends, those before beginnings
	}
	const acknowledged, ended, begun = 0, 1, 2
	var moments []moment
	for i := range c.events {
		e := &c.events[i]
		if !demands(e) || e.Returned < since {
			continue
		}
		kind := ended
		if e.Outcome == history.OK {
			kind = acknowledged
		}
		moments = append(moments, moment{max(e.Invoked, since), begun}, moment{e.Returned, kind})
	}
	slices.SortFunc(moments, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), a.kind-b.kind) })
	waiting, begin := 0, time.Duration(-1)
	for _, m := range moments {
		if begin >= 0 && m.at-begin > gap {
			gap, from = m.at-begin, begin
		}
		switch m.kind {
		case begun:
			waiting++
			if begin < 0 {
				begin = m.at
			}
			continue
		case acknowledged:
			begin = -1
		}
		if waiting--; waiting > 0 && begin < 0 {
			begin = m.at
		}
	}
	return gap, from
}

// firstAfter is how long after a moment the first call was acknowledged that was invoked after it.
func (c *checker) firstAfter(since time.Duration) (after time.Duration, ok bool) {
	first, invoked := forever, false
	for i := range c.events {
		e := &c.events[i]
		if e.Op == history.Fault || e.Op == history.Drained || e.Op == history.Stats || e.Invoked < since {
			continue
		}
		invoked = true
		if e.Outcome == history.OK {
			first = min(first, e.Returned-since)
		}
	}
	if first == forever {
		return 0, !invoked
	}
	return first, true
}
