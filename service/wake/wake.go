package wake

import (
	"container/list"
	"sync"
	"time"
)

const (
	quietAge = 3 * time.Second  // for which a look or a check holds
	idleAge  = 30 * time.Second // after which a queue without waiters is forgotten
)

// Hub holds the waiters of all queues.
type Hub struct {
	mu     sync.Mutex
	queues map[int64]*queue
}

// queue is one queue's waiters, the longest waiting first, its timer, and what is known of
// what is visible.
type queue struct {
	waiters list.List // of *Waiter
	timer   *time.Timer
	due     time.Time // of the timer; zero: none is set
	planned bool      // nothing becomes visible before due without an event
	quiet   bool      // planned, and nothing is visible
	events  int       // counts what may have made something visible
	checked time.Time // when quiet was last found to be so
	left    time.Time // when the last waiter left
}

// Waiter is a receiver that waits. C carries at most one wake.
type Waiter struct {
	C <-chan struct{}

	c       chan struct{}
	hub     *Hub
	queue   *queue
	element *list.Element
}

// Mark is a moment between the events of a queue.
type Mark int

// NewHub makes a Hub.
func NewHub() *Hub { return &Hub{queues: map[int64]*queue{}} }

// Register adds a waiter to a queue. It must be closed.
func (h *Hub) Register(id int64) *Waiter {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queues[id]
	if q == nil {
		q = &queue{}
		h.queues[id] = q
	}
	w := &Waiter{C: c, c: c, hub: h, queue: q}
	w.element = q.waiters.PushBack(w)
	return w
}

// Close removes the waiter. A wake that it has not used goes to another.
func (w *Waiter) Close() {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	q := w.queue
	q.waiters.Remove(w.element)
	if len(w.c) > 0 {
		q.wake(1)
	}
	if q.waiters.Len() == 0 {
		q.left = time.Now()
	}
}

// Look returns the moment at which a look begins, whether the queue is quiet, so that it
// need not, and whether it is planned, so that the look need not go beyond what is visible.
func (w *Waiter) Look() (mark Mark, quiet, planned bool) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	q := w.queue
	return Mark(q.events), q.quiet && time.Since(q.checked) < quietAge, q.planned
}

// FoundNothing notes that a look that began at mark found nothing visible. planned says that
// the queue was planned then, or that the look has also scheduled the next message.
func (w *Waiter) FoundNothing(mark Mark, planned bool) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	if q := w.queue; q.events == int(mark) {
		q.planned = planned
		q.quiet, q.checked = planned, time.Now()
	}
}

// Wake wakes up to n waiters of a queue, in which something has become visible.
func (h *Hub) Wake(id int64, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.queues[id]; q != nil {
		q.happened()
		q.wake(n)
	}
}

// WakeQueue wakes all waiters of a queue, of which nothing is known any more.
func (h *Hub) WakeQueue(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.queues[id]; q != nil {
		q.wakeAll()
	}
}

// WakeAll wakes every waiter of every queue, of which nothing is known any more.
func (h *Hub) WakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.queues {
		q.wakeAll()
	}
}

// Schedule wakes one waiter of a queue after the given time, unless one is woken
// sooner by an earlier schedule. For a queue that is not known it does nothing.
func (h *Hub) Schedule(id int64, after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queues[id]
	if q == nil {
		return
	}
	due := time.Now().Add(after)
	if !q.due.IsZero() && !due.Before(q.due) {
		return
	}
	q.due = due
	if q.timer == nil {
		q.timer = time.AfterFunc(after, func() { h.fire(q) })
		return
	}
	q.timer.Reset(after)
}

// Waiting returns the queues that have waiters, and where their events are.
func (h *Hub) Waiting() map[int64]Mark {
	h.mu.Lock()
	defer h.mu.Unlock()
	waiting := make(map[int64]Mark, len(h.queues))
	for id, q := range h.queues {
		switch {
		case q.waiters.Len() > 0:
			waiting[id] = Mark(q.events)
		case time.Since(q.left) > idleAge:
			q.stop()
			delete(h.queues, id)
		}
	}
	return waiting
}

// Checked notes that a check that began at mark found nothing visible in a queue.
func (h *Hub) Checked(id int64, mark Mark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.queues[id]; q != nil && q.events == int(mark) {
		q.quiet, q.checked = q.planned, time.Now()
	}
}

// fire is the end of q's timer. It may come late, when another one has been set.
func (h *Hub) fire(q *queue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q.due.IsZero() || time.Now().Before(q.due) {
		return
	}
	q.due = time.Time{}
	q.planned = false
	q.happened()
	q.wake(1)
}

// happened forgets that nothing is visible.
func (q *queue) happened() {
	q.events++
	q.quiet = false
}

// wake gives a wake to the first n waiters that have none.
func (q *queue) wake(n int) {
	for e := q.waiters.Front(); e != nil && n > 0; e = e.Next() {
		select {
		case e.Value.(*Waiter).c <- struct{}{}:
			n--
		default:
		}
	}
}

func (q *queue) wakeAll() {
	q.planned = false
	q.happened()
	q.wake(q.waiters.Len())
}

func (q *queue) stop() {
	if q.timer != nil {
		q.timer.Stop()
	}
	q.due = time.Time{}
}
