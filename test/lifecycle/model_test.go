package lifecycle

import (
	"maps"
	"slices"
	"time"

	"tusq/service"
)

// The model: what a queue holds and what may be received of it. Time is given, and stands
// still during a call. What has expired is treated as gone, although the service may keep
// it for a while: that shows only in counts of what is not visible, and to old receipts.

// queue is a queue.
type queue struct {
	name     string
	set      service.Settings
	dead     *queue     // where its dead letters go; nil: nowhere
	messages []*message // in the order of their arrival
	seen     map[string]answer
	last     map[string]int64 // the last sequence number of each group
	attempts map[string]attempt
	purged   time.Time
	deleted  bool
}

// message is a message of a queue.
type message struct {
	service.SendMessage
	id       string // empty: given by a redrive, not known yet
	sequence int64  // 0: not known yet, or none
	source   *queue // the queue that it was moved from; nil: none

	sent, first, received, visible time.Time

	count   int    // receives
	earlier int    // of them, those in other queues
	receipt string // that holds; empty: none
}

// answer is the answer to a message that was sent.
type answer struct {
	id       string
	sequence int64
	at       time.Time
}

// attempt is what a receive with an attempt id got.
type attempt struct {
	messages []*message
	receipts []string
	visible  time.Time
	at       time.Time
}

func newQueue(name string, set service.Settings, dead *queue) *queue {
	return &queue{
		name: name, set: set, dead: dead,
		seen: map[string]answer{}, last: map[string]int64{}, attempts: map[string]attempt{},
	}
}

func (q *queue) expired(m *message, now time.Time) bool {
	return !m.sent.After(now.Add(-q.set.Retention))
}

// returned tells whether a message was received from this queue.
func (m *message) returned() bool { return m.count > m.earlier }

// duplicateOf returns the answer that a message gets because its deduplication id was
// accepted within five minutes before.
func (q *queue) duplicateOf(m service.SendMessage, now time.Time) (answer, bool) {
	first, known := q.seen[q.deduplicationKey(m)]
	return first, q.set.FIFO && known && now.Before(first.at.Add(service.DeduplicationInterval))
}

func (q *queue) deduplicationKey(m service.SendMessage) string {
	if q.set.DeduplicationScope == service.ScopeGroup {
		return m.GroupID + " " + deduplicationID(m)
	}
	return deduplicationID(m)
}

// lacksID tells whether the queue refuses a message for want of a deduplication id.
func (q *queue) lacksID(m service.SendMessage) bool {
	return q.set.FIFO && !q.set.ContentDeduplication && m.DeduplicationID == ""
}

// add stores a message that was sent and answered so.
func (q *queue) add(send service.SendMessage, id string, sequence int64, now time.Time) {
	m := &message{SendMessage: send, id: id, sequence: sequence, sent: now, visible: now.Add(q.set.Delay)}
	if q.set.FIFO {
		q.seen[q.deduplicationKey(send)] = answer{id, sequence, now}
		q.last[send.GroupID] = sequence
		m.DeduplicationID = deduplicationID(send)
	} else if send.Delay != nil {
		m.visible = now.Add(*send.Delay)
	}
	q.messages = append(q.messages, m)
}

func (q *queue) remove(m *message) {
	q.messages = slices.DeleteFunc(q.messages, func(other *message) bool { return other == m })
	m.receipt = ""
}

func (q *queue) holds(m *message) bool { return slices.Contains(q.messages, m) }

// receivable are the messages that a receive may get, in the order of their arrival. Of a
// group of a FIFO queue these are the ones before the first that is in flight; what is
// delayed holds up nothing.
func (q *queue) receivable(now time.Time) []*message {
	var found []*message
	blocked := map[string]bool{}
	for _, m := range q.messages {
		switch {
		case q.expired(m, now):
		case m.visible.After(now):
			blocked[m.GroupID] = blocked[m.GroupID] || m.returned()
		case !q.set.FIFO || !blocked[m.GroupID]:
			found = append(found, m)
		}
	}
	return found
}

// uncertain are the groups that may be held up longer than they must be: by what has
// expired, until it is collected, and by what is delayed. Only a move from or to a
// dead-letter queue puts a visible message behind a delayed one.
func (q *queue) uncertain(now time.Time) map[string]bool {
	groups := map[string]bool{}
	for _, m := range q.messages {
		if q.set.FIFO && (q.expired(m, now) || m.visible.After(now) && !m.returned()) {
			groups[m.GroupID] = true
		}
	}
	return groups
}

// certain are those of receivable messages that must be received.
func (q *queue) certain(receivable []*message, now time.Time) []*message {
	groups := q.uncertain(now)
	return slices.DeleteFunc(slices.Clone(receivable), func(m *message) bool { return groups[m.GroupID] })
}

// exhausted tells whether the next receive of a message moves it to the dead-letter queue.
func (q *queue) exhausted(m *message) bool {
	return q.dead != nil && !q.dead.deleted && m.count-m.earlier >= q.set.DeadLetter.MaxReceives
}

// bury moves a message to the dead-letter queue.
func (q *queue) bury(m *message, now time.Time) {
	q.remove(m)
	m.source, m.visible, m.earlier = q, now, m.count
	if q.set.FIFO {
		m.sent, m.DeduplicationID, m.sequence = now, m.id, 0
	}
	q.dead.messages = append(q.dead.messages, m)
}

// redrive moves a message from a dead-letter queue to another queue, where it is new.
func (q *queue) redrive(m *message, to *queue, now time.Time) {
	q.remove(m)
	to.messages = append(to.messages, &message{SendMessage: m.SendMessage, sent: now, visible: now})
}

// receive notes that a message was received with a receipt.
func (m *message) receive(receipt string, now time.Time, visibility time.Duration) {
	m.count++
	m.receipt, m.received, m.visible = receipt, now, now.Add(visibility)
	if m.first.IsZero() {
		m.first = now
	}
}

// settle is what a deletion (timeout nil) or an extension by a receipt of m is answered,
// with its effect. A code of "" is success.
func (q *queue) settle(m *message, receipt string, timeout *time.Duration, now time.Time) service.Code {
	there := q.holds(m)
	switch {
	case !there && timeout == nil:
		return ""
	case !there:
		return service.CodeMessageNotFound
	case q.set.FIFO && m.receipt == receipt && timeout != nil && *timeout == 0:
		m.visible = earlier(m.visible, now)
		return ""
	case q.set.FIFO && (m.receipt != receipt || !m.visible.After(now)):
		return service.CodeReceiptExpired
	case m.receipt != receipt:
		return service.CodeReceiptStale
	case timeout == nil:
		q.remove(m)
		return ""
	case now.Add(*timeout).After(m.received.Add(service.MaxVisibility)):
		return service.CodeInvalidParameter
	}
	m.visible = now.Add(*timeout)
	return ""
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// stats are the counts, and how many more may be in flight and delayed that have expired.
func (q *queue) stats(now time.Time) (exact, more service.Stats) {
	for _, m := range q.messages {
		to := &exact
		if q.expired(m, now) {
			to = &more
		}
		switch {
		case !m.visible.After(now):
			to.Visible++
		case m.returned():
			to.InFlight++
		default:
			to.Delayed++
		}
	}
	return exact, more
}

// repeats tells whether a receive of this attempt gets what the one before got.
func (q *queue) repeats(id string, now time.Time) bool {
	a, known := q.attempts[id]
	return known && now.Before(a.at.Add(service.DeduplicationInterval)) && a.visible.After(now) &&
		!slices.ContainsFunc(a.messages, func(m *message) bool { return !q.holds(m) || !m.visible.Equal(a.visible) }) &&
		slices.EqualFunc(a.messages, a.receipts, func(m *message, receipt string) bool { return m.receipt == receipt })
}

// voids tells whether a receive of this attempt is refused: a message that it got is gone,
// or its visibility was changed.
func (q *queue) voids(id string, now time.Time) bool {
	a, known := q.attempts[id]
	if !known || !now.Before(a.at.Add(service.DeduplicationInterval)) {
		return false
	}
	for i, m := range a.messages {
		if !q.holds(m) || m.receipt == a.receipts[i] && !m.visible.Equal(a.visible) {
			return true
		}
	}
	return false
}

// delay sets the delay and makes a FIFO queue's new delay hold for what was never received.
func (q *queue) delay(d time.Duration) {
	changed := d != q.set.Delay
	q.set.Delay = d
	for _, m := range q.messages {
		if changed && q.set.FIFO && !m.returned() {
			m.visible = m.sent.Add(d)
		}
	}
}

// purge empties the queue and forgets the deduplication ids.
func (q *queue) purge(now time.Time) {
	for _, m := range slices.Clone(q.messages) {
		q.remove(m)
	}
	clear(q.seen)
	q.purged = now
}

// events are the moments after now at which something changes by itself.
func (q *queue) events(now time.Time) []time.Time {
	moments := map[time.Time]bool{}
	for _, m := range q.messages {
		moments[m.visible], moments[m.sent.Add(q.set.Retention)] = true, true
		moments[m.received.Add(service.MaxVisibility)] = !m.received.IsZero()
	}
	for _, first := range q.seen {
		moments[first.at.Add(service.DeduplicationInterval)] = true
	}
	maps.DeleteFunc(moments, func(at time.Time, is bool) bool { return !is || !at.After(now) })
	return slices.SortedFunc(maps.Keys(moments), time.Time.Compare)
}
