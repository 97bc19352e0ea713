package check

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tusq/test/fault/history"
)

// forever is when a call whose outcome is unknown returns: it may yet take effect.
const forever = time.Duration(math.MaxInt64 / 4)

// span is when something took effect: at one moment from inv to ret, both included.
type span struct{ inv, ret time.Duration }

// before says that s was over when o began.
func (s span) before(o span) bool { return s.ret < o.inv }

// spanOf is when a call took effect, if it did.
func spanOf(e *history.Event, outcome history.Outcome) span {
	if outcome == history.Unknown {
		return span{e.Invoked, forever}
	}
	return span{e.Invoked, e.Returned}
}

// outcomeOf is what became of a message of a call.
func outcomeOf(e *history.Event, m *history.Message) history.Outcome {
	if m.Outcome != "" {
		return m.Outcome
	}
	return e.Outcome
}

// index is a history, by what its calls were about.
type index struct {
	events   []history.Event
	queues   map[string]*queue
	origins  map[string]*origin
	sent     []*origin  // in the order in which they are first named
	messages []*message // in the order in which they are first named
	byID     map[string]*message
	holds    map[holdKey]*hold
	receives map[attemptKey]time.Duration // when the first receive with an attempt id was invoked
	slack    time.Duration
}

// queue is what happened to a queue as a whole.
type queue struct {
	name      string
	fifo      bool
	dead      *queue // where its messages go, or nil
	max       int    // receives before that
	sources   []*queue
	retention time.Duration // 0: nothing expires
	sends     int           // acknowledged messages
	purges    []action
	redrives  []action        // from it
	unknown   []time.Duration // when receives were invoked whose outcome is unknown, ascending
	drained   *history.Event
	stats     []int // events
}

// action is a call on a whole queue that may have taken effect.
type action struct {
	span
	ok    bool
	event int
}

// origin is what was sent under one UID.
type origin struct {
	uid      string
	queue    *queue // of the first send
	attempts []attempt
	messages []*message
}

// attempt is one message of one send.
type attempt struct {
	span
	outcome history.Outcome
	event   int
	item    int
}

// message is what the service knows by one ID.
type message struct {
	id     string
	origin *origin // by its deliveries or, if there are none, by its first acknowledgement
	acks   []ack
	holds  []*hold // in the order in which they were invoked
}

// ack is an acknowledged send that was answered with a message's ID; it may be another
// UID's, whose deduplication id was the same.
type ack struct {
	attempt
	origin *origin
}

type holdKey struct{ uid, receipt string }

type attemptKey struct{ queue, key string }

// hold is a message in the hands of a receiver: one receipt.
type hold struct {
	span       // of the claim
	message    *message
	queue      *queue
	event      int
	item       int
	visibility time.Duration
	settles    []settle
}

// settle is a deletion or an extension that may have taken effect, if the receipt still held.
type settle struct {
	span
	op         history.Op
	ok         bool
	visibility time.Duration
	event      int
}

func newIndex(events []history.Event, opts Options) *index {
	x := &index{
		events: events, slack: opts.Slack, queues: map[string]*queue{}, origins: map[string]*origin{},
		byID: map[string]*message{}, holds: map[holdKey]*hold{}, receives: map[attemptKey]time.Duration{},
	}
	for source, dead := range opts.DeadLetters {
		q, target := x.queue(source), x.queue(dead.Target)
		q.dead, q.max = target, dead.MaxReceives
		target.sources = append(target.sources, q)
	}
	for name, retention := range opts.Retention {
		x.queue(name).retention = retention
	}
	x.each(history.Send, x.addSend)
	x.addAttempts()
	x.each(history.Receive, x.addReceive)
	for _, op := range []history.Op{history.Delete, history.Extend} {
		x.each(op, x.addSettle)
	}
	for i := range events {
		x.addQueueEvent(i)
	}
	for _, q := range x.queues {
		slices.Sort(q.unknown)
	}
	for _, m := range x.messages {
		slices.SortStableFunc(m.holds, func(a, b *hold) int { return cmp.Compare(a.inv, b.inv) })
	}
	return x
}

func (x *index) queue(name string) *queue {
	q := x.queues[name]
	if q == nil {
		q = &queue{name: name, fifo: len(name) > 5 && name[len(name)-5:] == ".fifo"}
		x.queues[name] = q
	}
	return q
}

func (x *index) each(op history.Op, do func(event, item int)) {
	for i := range x.events {
		if x.events[i].Op == op {
			for j := range x.events[i].Messages {
				do(i, j)
			}
		}
	}
}

func (x *index) at(event, item int) (*history.Event, *history.Message) {
	return &x.events[event], &x.events[event].Messages[item]
}

func (x *index) addSend(event, item int) {
	e, m := x.at(event, item)
	o := x.originOf(m.UID)
	if o.queue == nil {
		o.queue = x.queue(e.Queue)
	}
	outcome := outcomeOf(e, m)
	a := attempt{spanOf(e, outcome), outcome, event, item}
	o.attempts = append(o.attempts, a)
	if outcome == history.OK {
		o.queue.sends++
		named := x.named(m, o)
		named.acks = append(named.acks, ack{a, o})
	}
}

func (x *index) originOf(uid string) *origin {
	o := x.origins[uid]
	if o == nil {
		o = &origin{uid: uid}
		x.origins[uid] = o
		x.sent = append(x.sent, o)
	}
	return o
}

// named is the message with the ID of m; without one, that of its UID without an ID.
func (x *index) named(m *history.Message, o *origin) *message {
	id := m.ID
	if id == "" {
		id = "of " + m.UID
	}
	known := x.byID[id]
	if known == nil {
		known = &message{id: id, origin: o}
		x.byID[id] = known
		x.messages = append(x.messages, known)
		o.messages = append(o.messages, known)
	}
	return known
}

// addAttempts notes receives with an attempt id (their Key): what the last of them got, the first, whose
// answer was lost, may have claimed.
func (x *index) addAttempts() {
	for i := range x.events {
		e := &x.events[i]
		if e.Op != history.Receive || e.Key == "" {
			continue
		}
		k := attemptKey{e.Queue, e.Key}
		if first, known := x.receives[k]; !known || e.Invoked < first {
			x.receives[k] = e.Invoked
		}
	}
}

// addReceive notes a delivery. Where a receive from a FIFO queue was repeated with its attempt id
// and answered with the same receipt and count, it is one claim, made before either returned.
func (x *index) addReceive(event, item int) {
	e, m := x.at(event, item)
	at := span{e.Invoked, e.Returned}
	if first, repeated := x.receives[attemptKey{e.Queue, e.Key}]; repeated {
		at.inv = first
	}
	key := holdKey{m.UID, m.Receipt}
	if h := x.holds[key]; h != nil && h.queue.fifo && h.queue.name == e.Queue && m.Receipt != "" &&
		h.event != event && x.item(h).Receives == m.Receives {
		if at.inv < h.inv {
			h.event, h.item = event, item
		}
		h.inv, h.ret = min(h.inv, at.inv), min(h.ret, at.ret)
		h.visibility = min(h.visibility, e.Visibility)
		return
	}
	o := x.originOf(m.UID)
	of := x.named(m, o)
	if len(of.holds) == 0 && of.origin != o {
		of.origin = o
		o.messages = append(o.messages, of)
	}
	h := &hold{span: at, message: of, queue: x.queue(e.Queue), event: event, item: item, visibility: e.Visibility}
	x.holds[key] = h
	of.holds = append(of.holds, h)
}

func (x *index) addSettle(event, item int) {
	e, m := x.at(event, item)
	h := x.holds[holdKey{m.UID, m.Receipt}]
	outcome := outcomeOf(e, m)
	if h == nil || outcome == history.Fail {
		return
	}
	h.settles = append(h.settles, settle{spanOf(e, outcome), e.Op, outcome == history.OK, e.Visibility, event})
}

func (x *index) addQueueEvent(event int) {
	e := &x.events[event]
	if e.Outcome == history.Fail {
		return
	}
	act := action{spanOf(e, e.Outcome), e.Outcome == history.OK, event}
	switch e.Op {
	case history.Purge:
		q := x.queue(e.Queue)
		q.purges = append(q.purges, act)
	case history.Redrive:
		q := x.queue(e.Queue)
		q.redrives = append(q.redrives, act)
	case history.Receive:
		if e.Outcome == history.Unknown {
			q := x.queue(e.Queue)
			q.unknown = append(q.unknown, e.Invoked)
		}
	case history.Drained:
		if e.Outcome != history.Unknown { // recorders of what is no call may leave it empty
			x.queue(e.Queue).drained = e
		}
	case history.Stats:
		if e.Outcome == history.OK && e.Counts != nil {
			x.queue(e.Queue).stats = append(x.queue(e.Queue).stats, event)
		}
	}
}
