package check

import (
	"fmt"

	"tusq/test/fault/history"
)

// batches is C11: in a call that was answered, each message has its own answer, once.
func (c *checker) batches() {
	for i := range c.events {
		e := &c.events[i]
		if e.Outcome != history.OK {
			continue
		}
		switch e.Op {
		case history.Send, history.Delete, history.Extend:
			c.answers(i, e)
		case history.Receive:
			c.doubles(i, e)
		}
	}
}

// answers: every message of a batch has an outcome of its own, and what was stored an ID of its own.
// One UID may be settled by several receipts.
func (c *checker) answers(event int, e *history.Event) {
	uids := make(map[holdKey]bool, len(e.Messages))
	ids := make(map[string]string, len(e.Messages))
	for j := range e.Messages {
		m := &e.Messages[j]
		stored := e.Op == history.Send && outcomeOf(e, m) == history.OK
		key := holdKey{uid: m.UID}
		if e.Op != history.Send {
			key.receipt = m.Receipt
		}
		other, known := ids[m.ID]
		switch {
		case m.Outcome == "" && len(e.Messages) > 1:
			c.unanswered(event, m, "has no answer")
		case uids[key]:
			c.unanswered(event, m, "has two answers")
		case stored && m.ID == "":
			c.unanswered(event, m, "was acknowledged without an ID")
		case stored && known && m.Deduplication == "":
			c.unanswered(event, m, fmt.Sprintf("was acknowledged with the ID of %s, %s", other, m.ID))
		}
		uids[key] = true
		if stored {
			ids[m.ID] = m.UID
		}
	}
}

// doubles: one answer has a message once.
func (c *checker) doubles(event int, e *history.Event) {
	ids := make(map[string]bool, len(e.Messages))
	for j := range e.Messages {
		m := &e.Messages[j]
		if m.ID != "" && ids[m.ID] {
			c.unanswered(event, m, "is twice in one answer")
		}
		ids[m.ID] = true
	}
}

func (c *checker) unanswered(event int, m *history.Message, problem string) {
	e := &c.events[event]
	c.found(Violation{
		Checker: "C11", Queue: e.Queue, UID: m.UID, Events: []int{event},
		Text: fmt.Sprintf("%s %s in a %s of %d by client %d that returned at %s", m.UID, problem, e.Op, len(e.Messages), e.Client, at(e.Returned)),
	})
}
