package check

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"tusq/test/fault/history"
)

// interval is for how long deduplication ids and keys are remembered, from the send that was
// stored under them.
const interval = 5 * time.Minute

// once is C6 and C10: what has one deduplication id, or one key and one UID, is one message for
// five minutes; and a key names one call's messages.
//
// A message was stored at one moment from the first send that can have made it until its first
// acknowledgement or delivery. Two messages of one name are a violation if these two intervals
// together are shorter than the time for which the first of them is remembered. A purge
// forgets a queue's deduplication ids.
func (c *checker) once() {
	for name, sends := range c.names() {
		stored := c.storedUnder(name, sends)
		for i, a := range stored {
			for _, b := range stored[i+1:] {
				if max(a.ret, b.ret)-min(a.inv, b.inv) >= interval-c.slack {
					continue
				}
				if name.deduplication && c.forgotten(name.queue, min(a.inv, b.inv), max(a.ret, b.ret)) {
					continue
				}
				c.twice(name, a, b)
				break
			}
		}
	}
	c.keys()
}

// name is what names a message: a deduplication id, or a key together with a UID.
type name struct {
	queue         string
	deduplication bool
	text, uid     string
}

// named is a send under a name.
type named struct {
	attempt
	origin *origin
}

func (c *checker) names() map[name][]named {
	names := map[name][]named{}
	for _, o := range c.sent {
		for _, a := range o.attempts {
			e, m := c.at(a.event, a.item)
			if a.outcome == history.Fail {
				continue
			}
			if m.Deduplication != "" {
				n := name{e.Queue, true, m.Deduplication, ""}
				names[n] = append(names[n], named{a, o})
			}
			if e.Key != "" && len(o.attempts) > 1 {
				n := name{e.Queue, false, e.Key, m.UID}
				names[n] = append(names[n], named{a, o})
			}
		}
	}
	return names
}

// twin is one of the messages of a name, and when it was stored.
type twin struct {
	*message
	span
}

// storedUnder are the messages of a name that were acknowledged or delivered, in the order in
// which they may have been stored.
func (c *checker) storedUnder(n name, sends []named) []twin {
	if len(sends) == 1 && len(sends[0].origin.messages) < 2 {
		return nil
	}
	var twins []twin
	seen := map[*message]bool{}
	for _, s := range sends {
		for _, m := range s.origin.messages {
			if seen[m] || !c.namedBy(m, n) {
				continue
			}
			seen[m] = true
			t := twin{m, span{forever, m.stored()}}
			for _, s := range sends {
				// Another's UID or ID tells that this send did not make the message.
				unknown := s.outcome == history.Unknown && (len(m.holds) == 0 || s.origin == m.origin)
				if unknown || s.outcome == history.OK && c.madeBy(m, s.attempt) {
					t.inv = min(t.inv, s.inv)
				}
			}
			if t.inv < forever { // else a redrive made it
				twins = append(twins, t)
			}
		}
	}
	slices.SortFunc(twins, func(a, b twin) int { return cmp.Or(cmp.Compare(a.inv, b.inv), cmp.Compare(a.id, b.id)) })
	return twins
}

// namedBy says that all sends that may have made m had the name n, and that no redrive may have made it.
func (c *checker) namedBy(m *message, n name) bool {
	if len(m.acks) == 0 && m.home().redriven(forever) {
		return false
	}
	for _, a := range m.origin.attempts {
		e, sent := c.at(a.event, a.item)
		if a.outcome == history.Fail || a.outcome == history.OK && !c.madeBy(m, a) {
			continue
		}
		if n.deduplication && sent.Deduplication != n.text || !n.deduplication && e.Key != n.text || e.Queue != n.queue {
			return false
		}
	}
	return true
}

func (c *checker) forgotten(queue string, from, until time.Duration) bool {
	for _, p := range c.queue(queue).purges {
		if p.inv <= until && p.ret >= from {
			return true
		}
	}
	return false
}

func (c *checker) twice(n name, a, b twin) {
	checker, what := "C10", "key "+n.text
	if n.deduplication {
		checker, what = "C6", "deduplication id "+n.text
	}
	c.found(Violation{
		Checker: checker, Queue: n.queue, UID: a.origin.uid, Events: append(a.events(), b.events()...),
		Text: fmt.Sprintf("%s has two messages: %s, stored in %s, and %s, stored in %s", what, a.who(), a.span, b.who(), b.span),
	})
}

// keyed is an acknowledged call with a key.
type keyed struct {
	event  int
	digest uint64 // of what it sends
}

// keys: of calls with one key and other messages at most one is acknowledged. SQS has no keys:
// there it is an SDK's name for a call, and counts only together with the messages.
func (c *checker) keys() {
	acknowledged := map[attemptKey][]keyed{}
	for i := range c.events {
		e := &c.events[i]
		if e.Op != history.Send || e.Key == "" || e.Surface == "sqs" || len(e.Messages) == 0 {
			continue
		}
		if slices.ContainsFunc(e.Messages, func(m history.Message) bool { return outcomeOf(e, &m) == history.OK }) {
			k := attemptKey{e.Queue, e.Key}
			acknowledged[k] = append(acknowledged[k], keyed{i, digest(e.Messages)})
		}
	}
	for key, calls := range acknowledged {
		for _, other := range calls[1:] {
			a, b := &c.events[calls[0].event], &c.events[other.event]
			if other.digest == calls[0].digest || max(a.Returned, b.Returned)-min(a.Invoked, b.Invoked) >= interval-c.slack {
				continue
			}
			c.found(Violation{
				Checker: "C10", Queue: key.queue, UID: b.Messages[0].UID, Events: []int{calls[0].event, other.event},
				Text: fmt.Sprintf("key %s was acknowledged for other messages: to client %d at %s, beginning with %s, and to client %d at %s, beginning with %s",
					key.key, a.Client, at(a.Returned), a.Messages[0].UID, b.Client, at(b.Returned), b.Messages[0].UID),
			})
			break
		}
	}
}

func digest(messages []history.Message) uint64 {
	h := fnv.New64a()
	for i := range messages {
		h.Write([]byte(messages[i].UID + "\x00" + messages[i].Digest + "\x00"))
	}
	return h.Sum64()
}
