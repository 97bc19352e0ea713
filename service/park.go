package service

import (
	"container/list"
	"math/rand/v2"
	"sync"
	"time"

	"tusq/internal/faultpoint"
)

// parking holds the demands of receivers that sleep. A flush hands them what it stores in a
// standard queue: the message is stored already claimed, and there is no claim at all. On a
// FIFO queue a flush that may make groups ready claims for them, too.
type parking struct {
	mu     sync.Mutex
	queues map[int64]*list.List // of *parked, the longest waiting first
}

// parked is a receiver's demand while it sleeps. It is free, taken by one flush, or left;
// who takes it answers it or puts it back.
type parked struct {
	queue  *Queue
	demand demand

	lot     *parking
	element *list.Element // nil: taken or left
	left    bool
	done    chan struct{} // closed when a flush has handed it messages, or put it back after it left
	got     []Claimed
}

func newParking() *parking { return &parking{queues: map[int64]*list.List{}} }

// park adds a receiver. It must leave.
func (l *parking) park(q *Queue, receive ReceiveMessages) *parked {
	p := &parked{queue: q, demand: receive.demand(q), lot: l, done: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.queues[q.ID]
	if waiting == nil {
		waiting = list.New()
		l.queues[q.ID] = waiting
	}
	p.element = waiting.PushBack(p)
	return p
}

// leave ends a receiver's sleep, and returns what it was handed. Where a flush has taken
// its demand, leave waits for the end of that flush.
func (p *parked) leave() []Claimed {
	p.lot.mu.Lock()
	p.left = true
	taken := p.element == nil
	p.lot.remove(p)
	p.lot.mu.Unlock()
	if taken {
		<-p.done
	}
	return p.got
}

// remove takes a free receiver out. The lot is locked.
func (l *parking) remove(p *parked) {
	if p.element == nil {
		return
	}
	waiting := l.queues[p.queue.ID]
	waiting.Remove(p.element)
	p.element = nil
	if waiting.Len() == 0 {
		delete(l.queues, p.queue.ID)
	}
}

// take returns receivers of a queue that want n messages together, or fewer.
func (l *parking) take(queueID int64, n int) (taken []*parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n > 0 {
		waiting := l.queues[queueID]
		if waiting == nil {
			break
		}
		p := waiting.Front().Value.(*parked)
		l.remove(p)
		taken = append(taken, p)
		n -= p.demand.max
	}
	return taken
}

// putBack frees receivers that got nothing: they are the first in their queue again.
func (l *parking) putBack(taken []*parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(taken) - 1; i >= 0; i-- {
		p := taken[i]
		if p.left {
			close(p.done)
			continue
		}
		waiting := l.queues[p.queue.ID]
		if waiting == nil {
			waiting = list.New()
			l.queues[p.queue.ID] = waiting
		}
		p.element = waiting.PushFront(p)
	}
}

// answer hands messages to a receiver that was taken.
func (p *parked) answer(got []Claimed) {
	p.got = got
	close(p.done)
}

// handoff is what a flush hands to one receiver: of a standard queue, what it stores; of a
// FIFO queue, what it claims.
type handoff struct {
	receiver *parked
	work     *QueueWork
	sends    []*Outgoing
}

// handOff gives the messages that a flush is about to store, and that are not delayed, to
// receivers that sleep: in the order of both, as many to each as it wants.
func (l *parking) handOff(work []QueueWork) (handoffs []handoff) {
	for i := range work {
		w := &work[i]
		if w.FIFO {
			for range w.changedGroups() {
				for _, p := range l.take(w.QueueID, 1) { // a group's messages go to one receiver
					w.addDemand(&p.demand)
					handoffs = append(handoffs, handoff{receiver: p, work: w})
				}
			}
			continue
		}
		sends := w.undelayed()
		for _, p := range l.take(w.QueueID, len(sends)) {
			n := min(p.demand.max, len(sends))
			w.claimSends(sends[:n], p.demand.want.Visibility)
			handoffs = append(handoffs, handoff{p, w, sends[:n:n]})
			sends = sends[n:]
		}
	}
	return handoffs
}

// changedGroups is how many groups of a FIFO queue the work may make ready.
func (w *QueueWork) changedGroups() int {
	groups := map[string]bool{}
	for _, settlements := range [][]*Settlement{w.Deletes, w.Extends, w.Releases} {
		for _, s := range settlements {
			groups[s.GroupID] = true
		}
	}
	for _, m := range w.Sends {
		groups[m.GroupID] = true
	}
	for _, group := range w.Joins {
		groups[group] = true
	}
	return len(groups)
}

// undelayed are the messages that become visible at once.
func (w *QueueWork) undelayed() []*Outgoing {
	sends := make([]*Outgoing, 0, len(w.Sends))
	for _, m := range w.Sends {
		if m.Delay == 0 {
			sends = append(sends, m)
		}
	}
	return sends
}

// claimSends gives messages leases that follow each other in the claim of that visibility.
func (w *QueueWork) claimSends(sends []*Outgoing, visibility time.Duration) {
	var claim *Claim
	for _, c := range w.Handoffs {
		if c.Visibility == visibility {
			claim = c
		}
	}
	if claim == nil {
		claim = &Claim{Visibility: visibility, Lease: newLease()}
		w.Handoffs = append(w.Handoffs, claim)
	}
	for _, m := range sends {
		m.Handoff = &Handoff{Lease: claim.Lease + int64(claim.Max), Visibility: visibility}
		claim.Max++
	}
}

// newLease makes the first lease of a claim.
func newLease() int64 { return 1 + rand.Int64N(1<<62) }

// complete answers the receivers after the commit. Those that got nothing sleep on.
func (l *parking) complete(handoffs []handoff) {
	for _, h := range handoffs {
		faultpoint.Pass("service.handoff.complete")
		if got := h.got(); len(got) > 0 {
			h.receiver.answer(got)
		} else {
			l.putBack([]*parked{h.receiver})
		}
	}
}

// got is what the receiver gets: nothing where the messages' calls had been carried out
// before, their queue is gone, or no group was ready.
func (h handoff) got() []Claimed {
	if h.work.FIFO {
		h.work.serve(&h.receiver.demand)
		return h.receiver.demand.got
	}
	got := make([]Claimed, 0, len(h.sends))
	for _, m := range h.sends {
		if !h.work.Gone && (m.Call == nil || !m.Call.repeated()) {
			got = append(got, m.claimed(h.work.SentAt))
		}
	}
	return got
}

// undo puts the receivers back after a flush that failed.
func (l *parking) undo(handoffs []handoff) {
	receivers := make([]*parked, len(handoffs))
	for i, h := range handoffs {
		receivers[i] = h.receiver
	}
	l.putBack(receivers)
}

// claimed is a message as its first receiver gets it that was stored for it.
func (o *Outgoing) claimed(sentAt time.Time) Claimed {
	return Claimed{
		ID:         o.ID,
		Lease:      o.Handoff.Lease,
		Receives:   1,
		Attributes: o.Attributes,
		Message: Message{
			Body:            o.Body,
			GroupID:         o.GroupID,
			TraceHeader:     o.TraceHeader,
			State:           StateInFlight,
			ReceiveCount:    1,
			SentAt:          sentAt,
			FirstReceivedAt: sentAt,
			VisibleAt:       sentAt.Add(o.Handoff.Visibility),
		},
	}
}
