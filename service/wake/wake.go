package wake

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Hub holds the waiters of all queues.
type Hub struct {
	mu     sync.Mutex
	queues map[int64]*queue
}

// queue is one queue's waiters, the longest waiting first, and its timer.
type queue struct {
	waiters list.List // of *Waiter
	timer   *time.Timer
	due     time.Time // of the timer; zero: none is set
}

// Waiter is a receiver that waits. C carries at most one wake.
type Waiter struct {
	C <-chan struct{}

	c       chan struct{}
	hub     *Hub
	queue   int64
	element *list.Element
}

// NewHub makes a Hub.
func NewHub() *Hub { return &Hub{queues: map[int64]*queue{}} }

// Register adds a waiter to a queue. It must be closed.
func (h *Hub) Register(id int64) *Waiter {
	c := make(chan struct{}, 1)
	w := &Waiter{C: c, c: c, hub: h, queue: id}
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queues[id]
	if q == nil {
		q = &queue{}
		h.queues[id] = q
	}
	w.element = q.waiters.PushBack(w)
	return w
}

// Close removes the waiter. A wake that it has not used goes to another.
func (w *Waiter) Close() {
	h := w.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queues[w.queue]
	q.waiters.Remove(w.element)
	if len(w.c) > 0 {
		q.wake(1)
	}
	if q.waiters.Len() == 0 {
		q.stopTimer()
		delete(h.queues, w.queue)
	}
}

// Wake wakes up to n waiters of a queue.
func (h *Hub) Wake(id int64, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.queues[id]; q != nil {
		q.wake(n)
	}
}

// WakeQueue wakes all waiters of a queue.
func (h *Hub) WakeQueue(id int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.queues[id]; q != nil {
		q.wake(q.waiters.Len())
	}
}

// WakeAll wakes every waiter of every queue.
func (h *Hub) WakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.queues {
		q.wake(q.waiters.Len())
	}
}

// Schedule wakes one waiter of a queue after the given time, unless one is woken
// sooner by an earlier schedule. Without waiters it does nothing.
func (h *Hub) Schedule(id int64, after time.Duration) {
	due := time.Now().Add(after)
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queues[id]
	if q == nil || (!q.due.IsZero() && !due.Before(q.due)) {
		return
	}
	q.stopTimer()
	q.due = due
	q.timer = time.AfterFunc(after, func() { h.fire(id, q) })
}

// Run wakes one waiter of each queue every interval, until ctx ends.
func (h *Hub) Run(ctx context.Context, interval time.Duration) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			h.check()
		}
	}
}

func (h *Hub) check() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range h.queues {
		q.wake(1)
	}
}

// fire is the end of q's timer.
func (h *Hub) fire(id int64, q *queue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.queues[id] != q {
		return // the queue's last waiter has gone meanwhile
	}
	q.due = time.Time{}
	q.wake(1)
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

func (q *queue) stopTimer() {
	if q.timer != nil {
		q.timer.Stop()
	}
	q.due = time.Time{}
}
