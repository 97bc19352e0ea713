package service

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// opKind is what an operation does. A flush carries the kinds out in this order.
type opKind int

const (
	opDelete opKind = iota
	opExtend
	opRelease
	opBury
	opSend
	opClaim
	opLook // for the moment at which the next message becomes visible
)

const (
	claimSlack    = 500  // groups that a receiver who asks again may find not ready
	maxClaim      = 1000 // messages of one claim statement; who is left without asks again
	flushAttempts = 3    // of a flush that met a conflict or lost its connection

	revokeTimeout = 5 * time.Second // to undo claims whose commit is unknown
)

// op is one item of pending work, with its answer.
type op struct {
	kind  opKind
	queue *Queue
	call  *call

	settle *Settlement // of opDelete, opExtend, opRelease
	bury   *Burial     // of opBury
	send   *Outgoing   // of opSend
	claim  *demand     // of opClaim

	place int // among its call's items

	err  error
	gone bool // the queue does not exist
}

// demand is one receiver's claim.
type demand struct {
	max    int
	want   Claim // all but Max, Returned and Lease, which the flush decides
	joined bool  // in the flush: its receiver had not left before
	got    []Claimed
	more   bool // nothing was got although the queue may hold more: ask again
}

// call is one call's operations: its caller waits until all have been answered.
type call struct {
	claim *op          // of ops, the claim; nil: none
	open  atomic.Int32 // operations without an answer
	state atomic.Int32 // callWaiting, callAnswered or callAbandoned
	done  chan struct{}
}

const (
	callWaiting int32 = iota
	callAnswered
	callAbandoned // the caller has gone: what is claimed for it is released
)

// weight is an op's cost in the engine, in bytes.
func (o *op) weight() int {
	const base = 200
	if o.kind == opRelease || o.kind == opBury {
		return 0 // they are never refused
	}
	if o.send != nil {
		return base + len(o.send.Body) + len(o.send.Attributes)
	}
	return base
}

// do submits ops and waits for their answers. When ctx ends first it returns ctx's
// error: sends and settlements are carried out all the same, claims are undone.
func (s *Service) do(ctx context.Context, ops []*op) error {
	c := &call{done: make(chan struct{})}
	c.open.Store(int32(len(ops)))
	for _, o := range ops {
		o.call = c
		if o.kind == opClaim {
			c.claim = o
		}
	}
	if err := s.engine.Submit(ops); err != nil {
		return s.refused(err)
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		if c.state.CompareAndSwap(callWaiting, callAbandoned) {
			return ctx.Err()
		}
		<-c.done
		return nil
	}
}

// flush carries out ops in one transaction, again where that is safe and may help.
func (s *Service) flush(ctx context.Context, ops []*op) error {
	do, id := s.store.Flush, rand.Int64()
	for attempt := 1; ; attempt++ {
		work := plan(ops, id)
		err := do(ctx, work)
		if err == nil {
			s.fanOut(work, ops)
			return nil
		}
		if errors.Is(err, ErrOutcomeUnknown) {
			do = s.store.Reflush
			if revokeErr := s.revoke(work, err); revokeErr != nil {
				return revokeErr
			}
		} else if !errors.Is(err, ErrConflict) {
			return err
		}
		if attempt == flushAttempts {
			return err
		}
	}
}

// revoke makes a flush's unknown commit certain and undoes its claims. The flush's own
// time may be over, so it takes its own.
func (s *Service) revoke(work []QueueWork, flushErr error) error {
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	return s.store.Revoke(ctx, work, flushErr)
}

func isDivisible(err error) bool { return errors.Is(err, ErrData) }

// plan groups ops into each queue's work, in the order of the queues' ids, so that
// two replicas' flushes lock what they share in the same order.
func plan(ops []*op, flushID int64) []QueueWork {
	index := make(map[int64]int, 1)
	work := make([]QueueWork, 0, 1)
	workOf := func(queueID int64, fifo bool) *QueueWork {
		i, ok := index[queueID]
		if !ok {
			i = len(work)
			index[queueID] = i
			work = append(work, QueueWork{QueueID: queueID, FIFO: fifo, FlushID: flushID})
		}
		return &work[i]
	}
	for _, o := range ops {
		if o.kind == opBury {
			target := workOf(o.bury.Target, true)
			target.Joins = append(target.Joins, o.bury.GroupID)
			o.bury.Place = len(target.Joins)
		}
		workOf(o.queue.ID, o.queue.Settings.FIFO).add(o)
	}
	slices.SortFunc(work, func(a, b QueueWork) int {
		return cmp.Compare(a.QueueID, b.QueueID)
	})
	for i := range work {
		work[i].finish()
	}
	return work
}

func (w *QueueWork) add(o *op) {
	if o.settle != nil {
		o.settle.Done, o.settle.TooLong = false, false // of an attempt before
	}
	switch o.kind {
	case opDelete:
		w.Deletes = append(w.Deletes, o.settle)
	case opExtend:
		w.Extends = append(w.Extends, o.settle)
	case opRelease:
		w.Releases = append(w.Releases, o.settle)
	case opBury:
		o.bury.Done = false
		w.Burials = append(w.Burials, o.bury)
	case opSend:
		w.addSend(o.send)
	case opClaim:
		o.claim.joined = o.call.state.Load() != callAbandoned
		if o.claim.joined {
			w.addDemand(o.claim)
		}
	case opLook:
		w.Look = true
	}
}

// addDemand adds a receiver's demand to the claim that serves such demands.
func (w *QueueWork) addDemand(d *demand) {
	for _, claim := range w.Claims {
		if !w.serves(claim, d) {
			continue
		}
		if claim.Max+d.max <= maxClaim || !w.FIFO {
			claim.Max = min(claim.Max+d.max, maxClaim)
		}
		claim.Slack = max(claim.Slack, d.want.Slack)
		return
	}
	claim := d.want
	claim.Max, claim.PerCaller = d.max, d.max
	w.Claims = append(w.Claims, &claim)
}

// serves tells whether a claim is for such demands: of the same visibility timeout and, on
// a FIFO queue, where each receiver gets whole groups, of the same number of messages.
func (w *QueueWork) serves(claim *Claim, d *demand) bool {
	return claim.Visibility == d.want.Visibility && (!w.FIFO || claim.PerCaller == d.max)
}

// finish sorts settlements, so that rows are locked in the order of their ids, and
// gives the claims their leases.
func (w *QueueWork) finish() {
	for _, settlements := range [][]*Settlement{w.Deletes, w.Extends, w.Releases} {
		slices.SortStableFunc(settlements, func(a, b *Settlement) int { return slices.Compare(a.ID[:], b.ID[:]) })
	}
	for _, claim := range w.Claims {
		claim.Lease = 1 + rand.Int64N(1<<62)
		claim.Returned = (claim.Max + rand.IntN(2)) / 2 // an odd place goes either way
	}
}

// fanOut hands the answers of a committed flush to its ops and wakes whom it concerns.
func (s *Service) fanOut(work []QueueWork, ops []*op) {
	byID := make(map[int64]*QueueWork, len(work))
	for i := range work {
		w := &work[i]
		byID[w.QueueID] = w
		s.announceWork(w)
	}
	for _, o := range ops {
		w := byID[o.queue.ID]
		o.gone = w.Gone
		switch {
		case o.kind == opSend:
			w.answerSend(o.send)
		case o.kind == opClaim:
			w.serve(o.claim)
		case o.kind == opLook && w.HasNext:
			s.hub.Schedule(w.QueueID, w.Next)
		}
	}
}

// serve gives a receiver its part of what was claimed, first come, first served.
func (w *QueueWork) serve(d *demand) {
	for _, claim := range w.Claims {
		if !d.joined || !w.serves(claim, d) {
			continue
		}
		n := min(d.max, len(claim.Messages))
		if w.FIFO {
			n = claim.nextShare()
		}
		d.got = claim.Messages[:n:n]
		claim.Messages = claim.Messages[n:]
		d.more = n == 0 && claim.More
	}
}

// nextShare is how many of the remaining messages go to the next receiver of a FIFO
// queue: those whose places are between the same multiples of PerCaller.
func (c *Claim) nextShare() int {
	for i, m := range c.Messages {
		if (m.Place-1)/c.PerCaller != (c.Messages[0].Place-1)/c.PerCaller {
			return i
		}
	}
	return len(c.Messages)
}

// announceWork tells receivers here and elsewhere what a flush made visible, and when.
func (s *Service) announceWork(w *QueueWork) {
	for _, e := range w.events() {
		s.announce(e)
	}
	for _, b := range w.Burials {
		if b.Done {
			s.announce(Event{QueueID: b.Target, Visible: 1})
		}
	}
	for _, claim := range w.Claims {
		if len(claim.Messages) > 0 {
			s.hub.Schedule(w.QueueID, claim.Visibility) // should the lease end unused
		}
		if claim.Moved > 0 {
			s.announce(Event{QueueID: claim.DeadLetter.QueueID, Visible: claim.Moved})
		}
	}
}

// events are what a flush made visible in its queue, each with its own delay.
func (w *QueueWork) events() []Event {
	now := Event{QueueID: w.QueueID}
	later := Event{QueueID: w.QueueID}
	note := func(e Event) {
		if e.After > 0 {
			later = merge(later, e)
		} else {
			now = merge(now, e)
		}
	}
	if !w.Gone {
		for _, m := range w.Sends {
			note(Event{Visible: 1, After: m.Delay})
		}
	}
	for _, e := range w.Extends {
		if e.Done {
			note(Event{Visible: 1, After: e.Timeout})
		}
	}
	for _, r := range w.Releases {
		if r.Done {
			note(Event{Visible: 1})
		}
	}
	if w.Freed > 0 {
		note(Event{Visible: w.Freed})
	}
	return slices.DeleteFunc([]Event{now, later}, func(e Event) bool { return e.Visible == 0 })
}

// settleOps answers ops whose flush has ended.
func (s *Service) settleOps(ops []*op, err error) {
	for _, o := range ops {
		o.err = err
		if o.call == nil || o.call.open.Add(-1) > 0 {
			continue
		}
		if !o.call.state.CompareAndSwap(callWaiting, callAnswered) && o.call.claim != nil {
			s.release(o.queue, o.call.claim.claim.got)
		}
		close(o.call.done)
	}
}

// release undoes claims whose receiver has gone. Nobody waits for it.
func (s *Service) release(queue *Queue, messages []Claimed) {
	if len(messages) == 0 {
		return
	}
	ops := make([]*op, len(messages))
	for i, m := range messages {
		ops[i] = &op{kind: opRelease, queue: queue, settle: &Settlement{ID: m.ID, Lease: m.Lease, GroupID: m.Message.GroupID}}
	}
	if err := s.engine.Submit(ops); err != nil {
		s.log.Warn("messages of a receiver that left stay in flight until their timeout", "count", len(messages), "err", err)
	}
}
