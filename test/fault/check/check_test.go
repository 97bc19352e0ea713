package check

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/test/fault/history"
)

// Histories in a few words. Times are seconds; a message's ID follows from its UID unless it
// is given one.

const ok, fail, unknown = history.OK, history.Fail, history.Unknown

func call(op history.Op, queue string, from, to int, outcome history.Outcome, messages ...history.Message) history.Event {
	e := history.Event{
		Op: op, Queue: queue, Invoked: time.Duration(from) * time.Second, Returned: time.Duration(to) * time.Second,
		Outcome: outcome, Messages: messages, Client: 1,
	}
	for i := range messages {
		m := &messages[i]
		if op == history.Receive {
			continue
		}
		if m.Outcome == "" {
			m.Outcome = outcome
		}
		if op == history.Send && m.Outcome != ok {
			m.ID, m.Sequence = "", "" // nobody was told
		}
	}
	return e
}

func send(queue string, from, to int, outcome history.Outcome, messages ...history.Message) history.Event {
	return call(history.Send, queue, from, to, outcome, messages...)
}

// receive gets messages for 30 seconds.
func receive(queue string, from, to int, messages ...history.Message) history.Event {
	e := call(history.Receive, queue, from, to, ok, messages...)
	e.Visibility = 30 * time.Second
	return e
}

func remove(queue string, from, to int, outcome history.Outcome, messages ...history.Message) history.Event {
	return call(history.Delete, queue, from, to, outcome, messages...)
}

func extend(queue string, from, to, visibility int, outcome history.Outcome, messages ...history.Message) history.Event {
	e := call(history.Extend, queue, from, to, outcome, messages...)
	e.Visibility = time.Duration(visibility) * time.Second
	return e
}

func drained(queue string, at int) history.Event { return call(history.Drained, queue, at, at, ok) }

func stats(queue string, from, to int, visible int64) history.Event {
	e := call(history.Stats, queue, from, to, ok)
	e.Counts = &history.Counts{Visible: visible}
	return e
}

func note(at int, what string) history.Event {
	e := call(history.Fault, "", at, at, "")
	e.Error = what
	return e
}

func body(uid string) history.Message {
	return history.Message{UID: uid, ID: "id-" + uid, Digest: "of " + uid}
}

// got is a message as it is received and settled.
func got(uid, receipt string, count int) history.Message {
	m := body(uid)
	m.Receipt, m.Receives = receipt, count
	return m
}

// grouped gives a message a place in the group of its queue.
func grouped(m history.Message, sequence string) history.Message {
	m.Group, m.Sequence = "g", sequence
	return m
}

func with(m history.Message, change func(*history.Message)) history.Message {
	change(&m)
	return m
}

func withKey(e history.Event, key string) history.Event {
	e.Key = key
	return e
}

func bySQS(e history.Event) history.Event {
	e.Surface = sqs
	return e
}

// life is a message's whole life from a moment on, 4 seconds.
func life(queue, uid string, from int) []history.Event {
	return []history.Event{
		send(queue, from, from+1, ok, body(uid)),
		receive(queue, from+1, from+2, got(uid, "r-"+uid, 1)),
		remove(queue, from+3, from+4, ok, got(uid, "r-"+uid, 1)),
	}
}

// example is a history, and the checkers that find something in it.
type example struct {
	name   string
	want   string // "": none
	opts   Options
	events []history.Event
}

func runExamples(t *testing.T, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			report := Run(e.events, e.opts)
			if found := strings.Join(slices.Sorted(maps.Keys(report.Found)), " "); found != e.want {
				t.Errorf("found %q, want %q:\n%s", found, e.want, report)
			}
		})
	}
}

// standard is a history of a queue q that was drained at 1,000 seconds.
func standard(events ...history.Event) []history.Event { return plus(events, drained("q", 1000)) }

// fifo is the same of q.fifo.
func fifo(events ...history.Event) []history.Event { return plus(events, drained("q.fifo", 1000)) }

func together(histories ...[]history.Event) (all []history.Event) {
	for _, h := range histories {
		all = append(all, h...)
	}
	return all
}

func plus(events []history.Event, more ...history.Event) []history.Event {
	return together(events, more)
}
