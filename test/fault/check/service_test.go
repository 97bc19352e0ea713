package check

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tusq/test/fault/history"
)

// bug is one way in which the simulated service breaks a promise.
type bug string

// service is a small queue service that keeps tusq's promises, but for its bug. All that it does it does at
// one moment of the simulated time, as a transaction.
type service struct {
	now     time.Duration
	random  *rand.Rand
	bug     bug
	bites   int // how often the bug had an effect
	queues  map[string]*simQueue
	ids     int
	once    map[string]*once // by queue and deduplication id or key
	redrive []string         // dead-letter queues to be emptied
}

type simQueue struct {
	name     string
	fifo     bool
	dead     string
	max      int
	messages []*simMessage
	seq      int
	miscount int64 // what a bug makes the counts wrong by
}

type simMessage struct {
	history.Message
	visible time.Duration
	lease   string
	count   int
	earlier int // receives before it was moved
}

// once is what a name was answered, and until when that is remembered.
type once struct {
	until   time.Duration
	sent    string // what was sent under the key
	answers []history.Message
}

// bites says that the service has that bug and that it takes effect now.
func (s *service) bitten(b bug, chance float64) bool {
	if s.bug != b || s.random.Float64() >= chance {
		return false
	}
	s.bites++
	return true
}

func (s *service) id() string {
	s.ids++
	return fmt.Sprintf("id%d", s.ids)
}

// send stores messages; the outcome of the call is refused where its key named other messages.
func (s *service) send(queue, key string, messages []history.Message) ([]history.Message, history.Outcome) {
	name, sent := queue+" key "+key, ""
	for _, m := range messages {
		sent += m.UID + m.Digest + ","
	}
	if known := s.once[name]; key != "" && known != nil && known.until > s.now {
		if known.sent != sent {
			if !s.bitten("accepts another call's key", 1) {
				return nil, history.Fail
			}
		} else if !s.bitten("forgets keys", 0.5) {
			return known.answers, history.OK
		}
	}
	answers := make([]history.Message, len(messages))
	for i, m := range messages {
		answers[i] = s.store(s.queues[queue], m)
	}
	if key != "" {
		s.once[name] = &once{s.now + interval, sent, answers}
	}
	return answers, history.OK
}

func (s *service) store(q *simQueue, m history.Message) history.Message {
	name := q.name + " dedup " + m.Deduplication
	if known := s.once[name]; m.Deduplication != "" && known != nil && known.until > s.now && !s.bitten("forgets deduplication ids", 0.5) {
		answer := known.answers[0]
		answer.UID, answer.Digest = m.UID, m.Digest
		return answer
	}
	m.ID, m.Outcome = s.id(), history.OK
	if q.fifo {
		q.seq += 1 + s.random.IntN(3)
		m.Sequence = fmt.Sprint(q.seq)
		if s.bitten("numbers backwards", 0.1) {
			m.Sequence = fmt.Sprint(max(1, q.seq-5))
		}
		s.once[name] = &once{until: s.now + interval, answers: []history.Message{m}}
	}
	stored := &simMessage{Message: m, visible: s.now + m.Delay}
	switch {
	case s.bitten("forgets a send", 0.02):
		q.miscount++
	case s.bitten("changes a body", 0.05):
		stored.Digest = "changed"
		q.messages = append(q.messages, stored)
	case m.Delay > 0 && s.bitten("ignores delays", 1):
		stored.visible = s.now
		q.messages = append(q.messages, stored)
	default:
		q.messages = append(q.messages, stored)
	}
	if s.bitten("miscounts", 0.02) {
		q.miscount--
	}
	if s.bitten("stores twice", 0.02) {
		twin := *stored
		twin.ID = s.id()
		q.messages = append(q.messages, &twin)
	}
	return m
}

// receive claims messages, up to a number, for a time.
func (s *service) receive(queue string, n int, visibility time.Duration) (got []history.Message) {
	q := s.queues[queue]
	if q.fifo {
		slices.SortStableFunc(q.messages, func(a, b *simMessage) int { return compareDecimals(a.Sequence, b.Sequence) })
	} else {
		s.random.Shuffle(len(q.messages), func(i, j int) { q.messages[i], q.messages[j] = q.messages[j], q.messages[i] })
	}
	blocked := map[string]bool{}
	for _, m := range slices.Clone(q.messages) {
		if len(got) == n || q.fifo && blocked[m.Group] {
			continue
		}
		if m.visible > s.now && !(m.lease != "" && s.bitten("gives a leased message", 0.02)) {
			blocked[m.Group] = !s.bitten("does not hold up a group", 0.2)
			continue
		}
		if q.fifo && s.bitten("passes over a message", 0.1) {
			continue
		}
		if q.dead != "" && m.count-m.earlier >= q.max && !s.bitten("moves too late", 0.5) ||
			q.dead != "" && m.count > 0 && s.bitten("moves too early", 0.3) {
			s.bury(q, m)
			continue
		}
		got = append(got, s.claim(m, visibility))
	}
	return got
}

func (s *service) claim(m *simMessage, visibility time.Duration) history.Message {
	m.visible, m.lease = s.now+visibility, fmt.Sprintf("lease%d", s.random.Uint64())
	if s.bitten("shortens leases", 0.2) {
		m.visible = s.now + visibility/4
	}
	switch {
	case s.bitten("does not count a receive", 0.1):
	case s.bitten("counts a receive twice", 0.1):
		m.count += 2
	default:
		m.count++
	}
	answer := m.Message
	answer.Receipt, answer.Receives, answer.Deduplication, answer.Delay, answer.Outcome = m.lease, m.count, "", 0, ""
	return answer
}

// bury moves a message that was received too often to its dead-letter queue.
func (s *service) bury(q *simQueue, m *simMessage) {
	dead := s.queues[q.dead]
	moved := *m
	moved.visible, moved.lease, moved.earlier = s.now, "", m.count
	if dead.fifo {
		dead.seq++
		moved.Sequence = fmt.Sprint(dead.seq)
	}
	if s.bitten("loses a dead letter", 0.3) {
		s.remove(q, m)
		return
	}
	dead.messages = append(dead.messages, &moved)
	if s.bitten("leaves a copy of a dead letter", 1) {
		m.count = 0
		return
	}
	s.remove(q, m)
}

func (s *service) remove(q *simQueue, m *simMessage) {
	q.messages = slices.DeleteFunc(q.messages, func(o *simMessage) bool { return o == m })
}

// settle deletes a message, or changes when its lease ends.
func (s *service) settle(op history.Op, queue string, m history.Message, visibility time.Duration, sqs bool) history.Outcome {
	q := s.queues[queue]
	i := slices.IndexFunc(q.messages, func(o *simMessage) bool { return o.ID == m.ID })
	if i < 0 {
		if op == history.Delete {
			return history.OK // it is gone
		}
		return history.Fail
	}
	is := q.messages[i]
	if is.lease != m.Receipt && !(op == history.Delete && s.bitten("deletes by old receipts", 1)) &&
		!(op == history.Extend && is.lease != "" && s.bitten("extends by old receipts", 1)) {
		if op == history.Delete && sqs && !q.fifo {
			return history.OK
		}
		return history.Fail
	}
	if q.fifo && is.lease == m.Receipt && is.visible <= s.now && !s.bitten("obeys after the lease", 1) {
		return history.Fail
	}
	switch {
	case op == history.Extend && s.bitten("forgets an extension", 0.5):
	case op == history.Extend:
		is.visible = s.now + visibility
	case s.bitten("forgets a deletion", 0.1):
	case s.bitten("miscounts deletions", 0.05):
		s.remove(q, is)
		q.miscount++
	default:
		s.remove(q, is)
	}
	return history.OK
}

// release undoes claims whose receiver has gone.
func (s *service) release(queue string, messages []history.Message) {
	for _, m := range messages {
		for _, is := range s.queues[queue].messages {
			if is.lease == m.Receipt {
				is.visible, is.lease, is.count = s.now, "", is.count-1
			}
		}
	}
}

func (s *service) purge(queue string) {
	q := s.queues[queue]
	left := q.messages[:0:0]
	if len(q.messages) > 0 && s.bitten("does not purge all", 1) {
		left = append(left, q.messages[0])
	}
	q.messages = left
	for name := range s.once {
		if strings.HasPrefix(name, queue+" dedup ") {
			delete(s.once, name)
		}
	}
}

// moveBack empties the dead-letter queues that are being redriven of what is visible.
func (s *service) moveBack() {
	for _, name := range s.redrive {
		dead := s.queues[name]
		for _, m := range slices.Clone(dead.messages) {
			if m.visible > s.now {
				continue
			}
			s.remove(dead, m)
			for _, q := range s.queues {
				if q.dead != name {
					continue
				}
				q.seq++
				back := &simMessage{Message: m.Message, visible: s.now}
				back.ID = s.id()
				if q.fifo {
					back.Sequence = fmt.Sprint(q.seq)
				}
				q.messages = append(q.messages, back)
			}
		}
	}
	s.redrive = nil
}

func (s *service) counts(queue string) *history.Counts {
	q := s.queues[queue]
	counts := &history.Counts{Visible: q.miscount}
	for _, m := range q.messages {
		switch {
		case m.visible <= s.now:
			counts.Visible++
		case m.count > 0:
			counts.InFlight++
		default:
			counts.Delayed++
		}
	}
	return counts
}

// leases says when the last lease or delay of all queues ends.
func (s *service) leases() time.Duration {
	last := s.now
	for _, q := range s.queues {
		for _, m := range q.messages {
			last = max(last, m.visible)
		}
	}
	return last
}

func sortEvents(events []history.Event) {
	slices.SortStableFunc(events, func(a, b history.Event) int { return cmp.Compare(a.Returned, b.Returned) })
}
