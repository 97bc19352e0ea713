package lifecycle

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tusq/service"
)

// receive receives, on a FIFO queue perhaps as an attempt.
func (m *machine) receive() {
	q := m.pick(anyQueue)
	receive := service.ReceiveMessages{Max: rapid.IntRange(1, 10).Draw(m.T, "max"), Wait: new(time.Duration(0))}
	visibility := q.set.VisibilityTimeout
	if rapid.Bool().Draw(m.T, "own visibility") {
		visibility = m.visibility()
		receive.Visibility = &visibility
	}
	if q.set.FIFO && rapid.IntRange(0, 2).Draw(m.T, "attempt") == 0 {
		receive.AttemptID = draw(m, "attempt id", "a1", "a2")
		if slices.ContainsFunc(q.attempts[receive.AttemptID].messages, func(msg *message) bool { return q.expired(msg, m.now()) }) {
			m.Skip("what has expired may or may not come again")
		}
	}
	before := q.receivable(m.now())
	m.Logf("receive %+v of %s", receive, describeAll(before))
	got, err := m.surface().Receive(q.name, receive)
	if receive.AttemptID != "" && q.voids(receive.AttemptID, m.now()) {
		m.wantCode(err, "receive of a void attempt", service.CodeAttemptVoid)
		return
	}
	m.fail(err, "receive")
	if receive.AttemptID != "" && q.repeats(receive.AttemptID, m.now()) {
		m.checkRepeated(q, receive.AttemptID, got, visibility)
		return
	}
	messages := m.checkReceived(q, before, got, receive.Max, visibility)
	if receive.AttemptID != "" && len(got) > 0 {
		a := attempt{messages: messages, visible: m.now().Add(visibility), at: m.now()}
		for _, g := range got {
			a.receipts = append(a.receipts, g.Receipt)
		}
		q.attempts[receive.AttemptID] = a
	}
}

// checkRepeated checks what a repeated attempt got.
func (m *machine) checkRepeated(q *queue, id string, got []service.Message, visibility time.Duration) {
	a := q.attempts[id]
	if len(got) != len(a.messages) {
		m.differ("the repeated attempt got %s, want %s", describeGot(got), describeAll(a.messages))
	}
	for i, msg := range a.messages {
		m.checkMessage(msg, got[i])
		if got[i].Receipt != a.receipts[i] {
			m.differ("the repeated attempt got %s with another receipt", describeGot(got[i:i+1]))
		}
	}
	for i, msg := range a.messages {
		a.visible = m.now().Add(visibility)
		if most := msg.received.Add(service.MaxVisibility); a.visible.After(most) {
			a.visible = most
		}
		a.messages[i].visible = a.visible
	}
	q.attempts[id] = a
}

// checkReceived checks what was got of the receivable messages, and what became dead letters.
func (m *machine) checkReceived(q *queue, before []*message, got []service.Message, most int, visibility time.Duration) []*message {
	buried := m.buryExhausted(q, before)
	left := slices.DeleteFunc(slices.Clone(before), func(msg *message) bool { return slices.Contains(buried, msg) })
	want, least := min(most, len(left)), min(m.least(q, most, len(buried)), len(q.certain(left, m.now())))
	if len(got) > want || len(got) < least {
		m.differ("received %s, want %d to %d of %s", describeGot(got), least, want, describeAll(left))
	}
	messages := make([]*message, len(got))
	for i, g := range got {
		at := slices.IndexFunc(left, func(msg *message) bool {
			same := msg.id == g.ID || msg.id == "" && msg.Body == g.Body && msg.GroupID == g.GroupID
			return same && !slices.Contains(messages[:i], msg)
		})
		if at < 0 {
			m.differ("received %s, which is not receivable or came twice; receivable are %s", describeGot(got[i:i+1]), describeAll(left))
		}
		if q.exhausted(left[at]) {
			m.differ("received %s, which should have become a dead letter", describeGot(got[i:i+1]))
		}
		messages[i] = left[at]
	}
	if q.set.FIFO {
		m.checkOrder(left, messages, q.uncertain(m.now()))
	}
	for i, msg := range messages {
		msg.receive(got[i].Receipt, m.now(), visibility)
		m.learn(q, msg, got[i])
		m.checkMessage(msg, got[i])
		m.taken = append(m.taken, taken{q, msg, got[i].Receipt})
	}
	return messages
}

// least is how many messages a receive gets at least, where there are so many. A claim
// makes do with one where it spent the places of others on dead letters, or on groups that
// turned out to be not ready.
func (m *machine) least(q *queue, most, buried int) int {
	switch {
	case buried > 0:
		return 1
	case q.set.FIFO:
		return max(1, most-len(groups))
	}
	return most
}

// buryExhausted finds the messages that have become dead letters.
func (m *machine) buryExhausted(q *queue, before []*message) (buried []*message) {
	if !slices.ContainsFunc(before, q.exhausted) {
		return nil
	}
	m.touched = append(m.touched, q.dead)
	there := m.peek(q)
	for _, msg := range before {
		if q.exhausted(msg) && !there[msg.id] {
			buried = append(buried, msg)
			q.bury(msg, m.now())
		}
	}
	return buried
}

// peek returns the ids of all messages of a queue that have not expired.
func (m *machine) peek(q *queue) map[string]bool {
	ids := map[string]bool{}
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, err := m.world.Service.PeekMessages(m.context, caller, q.name, service.PeekMessages{Cursor: cursor})
		m.fail(err, "peek")
		for _, msg := range page.Messages {
			ids[msg.ID] = true
		}
		cursor = page.Cursor
	}
	return ids
}

// checkOrder checks that messages of a FIFO queue are a beginning of each of their groups,
// group by group, with one group at most cut short.
func (m *machine) checkOrder(receivable, got []*message, uncertain map[string]bool) {
	var groups []string
	for i, msg := range got {
		if i == 0 || msg.GroupID != got[i-1].GroupID {
			groups = append(groups, msg.GroupID)
		}
	}
	short := 0
	for _, group := range groups {
		in := func(msg *message) bool { return msg.GroupID != group }
		want := slices.DeleteFunc(slices.Clone(receivable), in)
		has := slices.DeleteFunc(slices.Clone(got), in)
		if !slices.Equal(has, want[:len(has)]) {
			m.differ("received of group %s %s, want the beginning of %s", group, describeAll(has), describeAll(want))
		}
		if len(has) < len(want) && !uncertain[group] {
			short++
		}
	}
	if short > 1 || len(groups) != len(slices.Compact(slices.Sorted(slices.Values(groups)))) {
		m.differ("received %s: not as much as possible group by group of %s", describeAll(got), describeAll(receivable))
	}
}

// learn takes what a redrive or a move gave a message: its id and its sequence number.
func (m *machine) learn(q *queue, msg *message, got service.Message) {
	if msg.id == "" {
		msg.id = got.ID
		if msg.DeduplicationID != "" {
			msg.DeduplicationID = got.DeduplicationID
		}
	}
	if msg.sequence == 0 && q.set.FIFO {
		msg.sequence = got.Sequence
	}
}

// checkMessage compares a message with the one that was received.
func (m *machine) checkMessage(msg *message, got service.Message) {
	want := service.Message{
		ID: msg.id, Receipt: msg.receipt, Body: msg.Body, GroupID: msg.GroupID, DeduplicationID: msg.DeduplicationID, Sequence: msg.sequence,
		ReceiveCount: msg.count, SentAt: msg.sent.Truncate(time.Millisecond), FirstReceivedAt: msg.first.Truncate(time.Millisecond),
		Attributes: got.Attributes,
	}
	if msg.source != nil {
		want.DeadLetterSource = msg.source.name
	}
	equal := func(a, b service.Attribute) bool { return reflect.DeepEqual(a, b) }
	if !reflect.DeepEqual(got, want) || !maps.EqualFunc(got.Attributes, msg.Attributes, equal) {
		m.differ("received %+v, want %+v with %v", got, want, msg.Attributes)
	}
}
