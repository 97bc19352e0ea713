package service

import (
	"context"
	"sync/atomic"

	"tusq/internal/faultpoint"
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

	refused error // it was taken out of its flush
	err     error
	gone    bool // the queue does not exist
	lost    bool // the commit of an earlier attempt is unknown
}

// demand is one receiver's claim.
type demand struct {
	max    int
	want   Claim // all but Max, Returned and Lease, which the flush decides
	joined bool  // in the flush: its receiver had not left before
	got    []Claimed
	more   bool // the queue may hold more: ask again where nothing was got
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

// do submits ops on one queue and waits for their answers. When ctx ends first, or the service gives up, it
// returns an error: sends and settlements are carried out all the same, claims are undone.
func (s *Service) do(ctx context.Context, ops []*op) error {
	c := &call{done: make(chan struct{})}
	c.open.Store(int32(len(ops)))
	for _, o := range ops {
		o.call = c
		if o.kind == opClaim {
			c.claim = o
		}
	}
	if err := s.flusherOf(ops[0].queue).engine.Submit(ops); err != nil {
		return s.refused(err)
	}
	var err error
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.givenUp:
		err = Errorf(CodeUnavailable, "This replica is shutting down; it is not known whether the call took effect.")
	}
	if c.state.CompareAndSwap(callWaiting, callAbandoned) {
		return err
	}
	<-c.done
	return nil
}

// settleOps answers ops whose flush has ended.
func (s *Service) settleOps(ops []*op, err error) {
	for _, o := range ops {
		o.err = err
		if o.refused != nil {
			o.err = o.refused
		}
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
	faultpoint.Pass("service.release")
	if err := s.flusherOf(queue).engine.Submit(opsToRelease(queue, messages)); err != nil {
		s.log.Warn("messages of a receiver that left stay in flight until their timeout", "count", len(messages), "err", err)
	}
}

// opsToRelease are the operations that undo claims, where they still hold.
func opsToRelease(queue *Queue, messages []Claimed) []*op {
	ops := make([]*op, len(messages))
	for i, m := range messages {
		ops[i] = &op{kind: opRelease, queue: queue, settle: &Settlement{
			ID: m.ID, Lease: m.Lease, GroupID: m.Message.GroupID, VisibleAt: m.Message.VisibleAt,
		}}
	}
	return ops
}
