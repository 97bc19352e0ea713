package check

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"tusq/test/fault/history"
)

// world is a simulated load on the simulated service: clients whose calls overlap, are lost before or after
// they take effect, or take effect long after their clients have given up.
type world struct {
	*service
	agenda  agenda
	nth     int
	end     time.Duration // of the load
	lossy   float64       // share of the calls whose outcome is unknown
	redrive bool
	purge   bool
	events  []history.Event
	uids    int
}

// The queues of a world: a standard and a FIFO queue without and with dead letters.
var worldQueues = []simQueue{
	{name: "plain"}, {name: "plain.fifo", fifo: true},
	{name: "work", dead: "work-dead", max: 2}, {name: "work-dead"},
	{name: "work.fifo", fifo: true, dead: "dead.fifo", max: 2}, {name: "dead.fifo", fifo: true},
}

func worldOptions() Options {
	o := Options{DeadLetters: map[string]DeadLetter{}}
	for _, q := range worldQueues {
		if q.dead != "" {
			o.DeadLetters[q.name] = DeadLetter{q.dead, q.max}
		}
	}
	return o
}

func newWorld(seed uint64, b bug, lossy float64) *world {
	random := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		service: &service{random: random, bug: b, queues: map[string]*simQueue{}, once: map[string]*once{}},
		end:     time.Duration(20+random.IntN(40)) * time.Second, lossy: lossy,
		redrive: random.IntN(3) == 0, purge: random.IntN(3) == 0,
	}
	for _, q := range worldQueues {
		w.queues[q.name] = &q
	}
	return w
}

// run makes a history.
func (w *world) run() []history.Event {
	for client := range 3 {
		w.after(w.pause(), func() { w.produce(client) })
	}
	for client := range 4 {
		w.after(w.pause(), func() { w.consume(10 + client) })
	}
	w.after(w.pause(), func() { w.oversee(20) })
	for w.agenda.Len() > 0 {
		w.step()
	}
	w.now = w.leases() + time.Second
	w.moveBack()
	for _, q := range worldQueues {
		w.drain(q.name)
	}
	sortEvents(w.events)
	return w.events
}

func (w *world) step() {
	next := heap.Pop(&w.agenda).(task)
	w.now = next.at
	next.do()
}

func (w *world) after(d time.Duration, do func()) {
	w.nth++
	heap.Push(&w.agenda, task{w.now + d, w.nth, do})
}

// pause is a random time, mostly short.
func (w *world) pause() time.Duration {
	d := time.Duration(w.random.IntN(1000)+1) * time.Millisecond
	if w.random.IntN(10) == 0 {
		d *= 4
	}
	return d
}

// call makes a call of a client: effect happens between now and the answer, and fills in what was
// answered; then comes next, with the outcome. A call that is lost takes effect in time, late or never.
func (w *world) call(e history.Event, effect func(e *history.Event), next func(history.Event)) {
	e.Invoked = w.now
	lost := w.random.Float64() < w.lossy
	takes, returns := w.pause()/4, w.pause()/4
	if lost && w.random.IntN(3) == 0 {
		takes = w.pause() * 10
	}
	unasked := e
	unasked.Messages = append([]history.Message(nil), e.Messages...)
	answered := func(e history.Event) {
		e.Returned = w.now
		w.events = append(w.events, e)
		next(e)
	}
	if !lost {
		w.after(takes, func() {
			effect(&e)
			w.after(returns, func() { answered(e) })
		})
		return
	}
	if w.random.IntN(3) > 0 {
		w.after(takes, func() { effect(&e) })
	}
	unasked.Outcome = history.Unknown
	w.after(w.pause(), func() { answered(unasked) })
}

// produce sends a batch, again and again as long as its outcome is unknown, and goes on.
func (w *world) produce(client int) {
	if w.now > w.end {
		return
	}
	q := worldQueues[w.random.IntN(len(worldQueues))]
	if q.name == "work-dead" || q.name == "dead.fifo" {
		q = worldQueues[0]
	}
	e := history.Event{Client: client, Op: history.Send, Queue: q.name}
	for range 1 + w.random.IntN(4) {
		w.uids++
		uid := fmt.Sprintf("u%d", w.uids)
		m := history.Message{UID: uid, Digest: "of " + uid}
		if q.fifo {
			m.Group, m.Deduplication = fmt.Sprintf("g%d", w.random.IntN(2)), "d"+uid
			if w.random.IntN(20) == 0 {
				m.Deduplication = fmt.Sprintf("d%d", w.random.IntN(5))
			}
		} else if w.random.IntN(5) == 0 {
			m.Delay = w.pause() * 3
		}
		e.Messages = append(e.Messages, m)
	}
	if !q.fifo && w.random.IntN(2) == 0 {
		e.Key = "k" + e.Messages[0].UID
		if w.random.IntN(10) == 0 {
			e.Key = fmt.Sprintf("k%d", w.random.IntN(5))
		}
	}
	w.send(e, 5)
}

func (w *world) send(e history.Event, tries int) {
	again := e
	w.call(e, w.sent, func(answer history.Event) {
		if repeatable := e.Key != "" || e.Messages[0].Deduplication != ""; answer.Outcome == history.Unknown && repeatable && tries > 0 {
			w.after(w.pause(), func() { w.send(again, tries-1) })
			return
		}
		w.after(w.pause(), func() { w.produce(e.Client) })
	})
}

// sent is a send's effect; some are refused.
func (w *world) sent(e *history.Event) {
	messages := append([]history.Message(nil), e.Messages...)
	e.Messages = messages
	if w.random.IntN(20) == 0 {
		e.Outcome = history.Fail
		if w.bitten("stores what it refuses", 1) {
			w.service.send(e.Queue, e.Key, messages)
		}
		return
	}
	answers, outcome := w.service.send(e.Queue, e.Key, messages)
	e.Outcome = outcome
	for i, a := range answers {
		messages[i].ID, messages[i].Sequence, messages[i].Outcome = a.ID, a.Sequence, history.OK
		if len(answers) > 1 && w.bitten("answers too little", 0.1) {
			messages[i].Outcome = ""
		}
	}
}

// consume receives some messages and does something with each.
func (w *world) consume(client int) {
	if w.now > w.end {
		return
	}
	q := worldQueues[w.random.IntN(len(worldQueues))].name
	e := history.Event{Client: client, Op: history.Receive, Queue: q, Visibility: w.pause() * 3}
	w.call(e, func(e *history.Event) {
		if w.lossy > 0 && w.random.IntN(20) == 0 { // a load balancer repeats the call
			w.receive(e.Queue, 1+w.random.IntN(4), e.Visibility)
		}
		e.Messages, e.Outcome = w.receive(e.Queue, 1+w.random.IntN(4), e.Visibility), history.OK
		if w.lossy > 0 && w.random.IntN(20) == 0 { // the client has gone, and the service knows
			w.release(e.Queue, e.Messages)
			e.Messages, e.Outcome = nil, history.Unknown
		}
	}, func(got history.Event) { w.after(w.pause(), func() { w.settle(client, q, got.Messages) }) })
}

// settle deletes, extends, releases or leaves what was received, one after the other.
func (w *world) settle(client int, q string, messages []history.Message) {
	if len(messages) == 0 {
		w.after(w.pause(), func() { w.consume(client) })
		return
	}
	e := history.Event{Client: client, Op: history.Delete, Queue: q, Surface: "rest"}
	if w.random.IntN(2) == 0 {
		e.Surface = "sqs"
	}
	n := 1 + w.random.IntN(len(messages))
	now, rest := messages[:n], messages[n:]
	switch w.random.IntN(8) {
	case 0: // leave it
		w.settle(client, q, rest)
		return
	case 1:
		e.Op = history.Extend
	case 2:
		e.Op, e.Visibility = history.Extend, w.pause()*5
		rest = messages
	case 3:
		w.after(w.pause()*8, func() { w.settle(client, q, messages) }) // late
		return
	}
	for _, m := range now {
		e.Messages = append(e.Messages, history.Message{UID: m.UID, ID: m.ID, Receipt: m.Receipt})
	}
	w.call(e, w.settled, func(history.Event) { w.after(w.pause()/4, func() { w.settle(client, q, rest) }) })
}

func (w *world) settled(e *history.Event) {
	e.Outcome = history.OK
	for i := range e.Messages {
		e.Messages[i].Outcome = w.service.settle(e.Op, e.Queue, e.Messages[i], e.Visibility, e.Surface == "sqs")
	}
}

// oversee asks for counts, purges and redrives now and then.
func (w *world) oversee(client int) {
	if w.now > w.end {
		return
	}
	e := history.Event{Client: client, Op: history.Stats, Queue: worldQueues[w.random.IntN(len(worldQueues))].name}
	switch n := w.random.IntN(20); {
	case n == 0 && w.purge:
		e.Op, e.Queue = history.Purge, []string{"plain", "plain.fifo", "work"}[w.random.IntN(3)]
	case n <= 2 && w.redrive:
		e.Op, e.Queue = history.Redrive, []string{"work-dead", "dead.fifo"}[w.random.IntN(2)]
	}
	w.call(e, func(e *history.Event) {
		e.Outcome = history.OK
		switch e.Op {
		case history.Stats:
			e.Counts = w.counts(e.Queue)
		case history.Purge:
			w.service.purge(e.Queue)
		case history.Redrive:
			w.service.redrive = append(w.service.redrive, e.Queue)
			w.after(w.pause(), w.moveBack)
		}
	}, func(history.Event) { w.after(w.pause(), func() { w.oversee(client) }) })
}

// drain takes all there is.
func (w *world) drain(queue string) {
	begin := w.now
	note := func(e history.Event) {
		e.Queue, e.Outcome, e.Invoked, e.Client = queue, history.OK, w.now, 30
		w.now += time.Millisecond
		e.Returned = w.now
		w.events = append(w.events, e)
		w.now += time.Millisecond
	}
	for range 1000 {
		got := w.receive(queue, 10, time.Minute)
		note(history.Event{Op: history.Receive, Messages: got, Visibility: time.Minute})
		if len(got) == 0 && w.buried(queue) {
			break
		}
		for _, m := range got {
			m = history.Message{UID: m.UID, ID: m.ID, Receipt: m.Receipt}
			m.Outcome = w.service.settle(history.Delete, queue, m, 0, false)
			note(history.Event{Op: history.Delete, Messages: []history.Message{m}})
		}
	}
	w.events = append(w.events, history.Event{Op: history.Drained, Queue: queue, Invoked: begin, Returned: w.now})
	note(history.Event{Op: history.Stats, Counts: w.counts(queue)})
}

// buried says that nothing visible is left.
func (w *world) buried(queue string) bool {
	for _, m := range w.queues[queue].messages {
		if m.visible <= w.now {
			return false
		}
	}
	return true
}

// agenda is what happens in a world, in the order of time.
type agenda []task

type task struct {
	at  time.Duration
	nth int
	do  func()
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].nth < a[j].nth
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(t any)   { *a = append(*a, t.(task)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}
