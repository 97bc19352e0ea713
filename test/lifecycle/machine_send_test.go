package lifecycle

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"tusq/service"
)

// send sends one message or several, with a key or without.
func (m *machine) send() {
	q := m.pick(anyQueue)
	messages := make([]service.SendMessage, draw(m, "messages", 1, 1, 2, 3, 10))
	for i := range messages {
		messages[i] = m.message(q)
	}
	s := m.surface()
	call := &keyedCall{queue: q, lenient: s.Lenient(), messages: messages, at: m.now()}
	if rapid.IntRange(0, 4).Draw(m.T, "keyed") == 0 {
		call.key = fmt.Sprintf("%s-%d", m.prefix, m.bodies)
		m.calls = append(m.calls, call)
	}
	call.answers = m.sendTo(s, q, call.key, messages)
}

var groups = []string{"g1", "g2", "g3"} // of FIFO queues' messages

// message draws a message for a queue.
func (m *machine) message(q *queue) service.SendMessage {
	m.bodies++
	send := service.SendMessage{Body: fmt.Sprintf("%s <%d>", m.prefix, m.bodies)}
	if rapid.IntRange(0, 3).Draw(m.T, "with attribute") == 0 {
		send.Attributes = map[string]service.Attribute{"n": {Type: "Number", Value: fmt.Sprint(m.bodies)}}
	}
	if !q.set.FIFO {
		if rapid.Bool().Draw(m.T, "own delay") {
			send.Delay = new(m.delay())
		}
		return send
	}
	send.GroupID = draw(m, "group", groups...)
	if id := draw(m, "deduplication id", "", "", "", "d1", "d2", "d3"); id != "" || !q.set.ContentDeduplication {
		send.DeduplicationID = id
		if id == "" {
			send.DeduplicationID = fmt.Sprint("own-", m.bodies)
		}
	} else if rapid.Bool().Draw(m.T, "same body") {
		send.Body = "same"
	}
	return send
}

// sendTo sends messages and compares the answers.
func (m *machine) sendTo(s surface, q *queue, key string, messages []service.SendMessage) []service.Sent {
	m.Logf("send %+v", messages)
	sent := s.Send(q.name, key, messages...)
	for i, message := range messages {
		got := sent[i]
		m.fail(got.Err, "send")
		first, duplicate := q.duplicateOf(message, m.now())
		switch {
		case duplicate && (got.ID != first.id || got.Sequence != first.sequence):
			m.differ("duplicate %+v was answered with %+v, the first with %+v", message, got, first)
		case duplicate:
		case q.set.FIFO && got.Sequence <= q.last[message.GroupID]:
			m.differ("%+v was answered with %+v, after sequence number %d", message, got, q.last[message.GroupID])
		case m.isKnown(got.ID):
			m.differ("%+v was answered with %+v, which another has", message, got)
		default:
			q.add(message, got.ID, got.Sequence, m.now())
		}
	}
	return sent
}

func (m *machine) isKnown(id string) bool {
	return slices.ContainsFunc(m.queues, func(q *queue) bool {
		return slices.ContainsFunc(q.messages, func(msg *message) bool { return msg.id == id })
	})
}

// repeatSend repeats a call with its key.
func (m *machine) repeatSend() {
	var live []*keyedCall
	for _, c := range m.calls {
		if !c.queue.deleted {
			live = append(live, c)
		}
	}
	if len(live) == 0 {
		m.Skip("no call to repeat")
	}
	call := live[rapid.IntRange(0, len(live)-1).Draw(m.T, "call")]
	s := m.surface()
	if s.Lenient() != call.lenient {
		m.Skip("keys of another dialect")
	}
	if slices.ContainsFunc(call.messages, call.queue.lacksID) {
		m.Skip("the queue would now refuse the message")
	}
	m.touched = append(m.touched, call.queue)
	if !m.now().Before(call.at.Add(service.DeduplicationInterval)) || call.queue.set.FIFO && s.Lenient() {
		// By SQS a FIFO queue's messages are deduplicated by their own ids alone.
		call.at, call.answers = m.now(), m.sendTo(s, call.queue, call.key, call.messages)
		return
	}
	for i, again := range s.Send(call.queue.name, call.key, call.messages...) {
		if again != call.answers[i] && (again.Err != nil || m.remembers(call, i)) {
			m.differ("the repetition of %+v was answered with %+v, the first with %+v", call.messages, again, call.answers)
		}
	}
}

// remembers tells whether a call's answer to a message must be known: on a FIFO queue it is
// found by the message's deduplication id, which may be forgotten before the call is.
func (m *machine) remembers(call *keyedCall, i int) bool {
	q := call.queue
	return !q.set.FIFO || q.seen[q.deduplicationKey(call.messages[i])].id == call.answers[i].ID
}
