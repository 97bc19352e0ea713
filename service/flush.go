package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"tusq/internal/faultpoint"
)

const flushAttempts = 3 // of a flush that met a conflict or lost its connection

// flush carries out ops in one transaction of one durability, again where that is safe and may
// help: it outlasts a short outage of the database. It calls next when nothing is left but to
// wait for the commit, if that is slow.
func (s *Service) flush(ctx context.Context, f *flusher, loop int, ops []*op, next func()) error {
	do, id, again := seededFlush(s.store.Flush), rand.Int64(), false
	began := time.Now() // of the first attempt: it may be the one that was committed
	for attempt := 1; ; {
		work := plan(ops, f.firstLane+loop, id)
		var handoffs []handoff
		if !again { // of what may be stored already, somebody may have been told
			handoffs = s.parking.handOff(work)
		}
		for i := range work {
			work[i].Durability = f.durability
			work[i].finish()
		}
		handoffs = seededHandoffs(s.parking, handoffs)
		s.prepareClaims(work)
		faultpoint.Pass("service.flush.planned")
		timing := f.pace.begin(next)
		err := do(ctx, work, timing.onExecuted())
		if err == nil {
			timing.end()
			faultpoint.Pass("service.flush.committed")
			s.outage.over()
			s.fanOut(work, ops, began)
			s.parking.complete(handoffs)
			return nil
		}
		s.parking.undo(handoffs)
		if errors.Is(err, ErrOutcomeUnknown) {
			do, again = seededReflush(s.store, ops), true
			for _, o := range ops {
				o.lost = true
			}
			faultpoint.Pass("service.flush.unknown")
			if revokeErr := s.revokeOutlasting(ctx, work, err); revokeErr != nil {
				s.revocations.add(work, err)
				s.distrustFloors(work)
				return revokeErr
			}
		}
		faultpoint.Pass("service.flush.revoked")
		if s.outage.wait(ctx, s.draining, err) { // nothing was locked
			continue
		}
		s.distrustFloors(work)
		attempt++
		if errors.Is(err, ErrNoStandby) {
			if ops = s.refuseSends(ops, err, again); len(ops) == 0 {
				return nil
			}
			continue
		}
		if again && (errors.Is(err, ErrData) || errors.Is(err, ErrFull)) {
			// What may be stored is neither refused nor divided: its parts would be new flushes.
			return fmt.Errorf("%w: its repetition: %s", ErrOutcomeUnknown, err.Error())
		}
		if attempt > flushAttempts || !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// prepareClaims tells claims how much they may take and, on standard queues, where to begin.
func (s *Service) prepareClaims(work []QueueWork) {
	for i := range work {
		for _, claim := range work[i].Claims {
			claim.MaxBytes = s.answers.claimBytes()
			if !work[i].FIFO {
				s.floors.begin(work[i].QueueID, claim)
			}
		}
	}
}

// distrustFloors has all replicas begin at the beginning in the queues in which a flush that failed may have made messages visible: by
// what it has done all the same, or because other claims passed over messages while it had locked them.
func (s *Service) distrustFloors(work []QueueWork) {
	for i := range work {
		w := &work[i]
		if !w.FIFO && len(w.Claims)+len(w.Handoffs)+len(w.Releases)+len(w.Extends) > 0 {
			s.announce(Event{QueueID: w.QueueID, Changed: true})
		}
		for _, claim := range w.Claims {
			if claim.DeadLetter != nil && !w.FIFO {
				s.announce(Event{QueueID: claim.DeadLetter.QueueID, Changed: true})
			}
		}
	}
}

// divide tells where to divide ops whose flush has failed, so that not all fail for the sake of some; 0: nowhere. Where
// the database is full, what makes room or needs little of it goes first, without the sends.
func divide(ops []*op, err error) int {
	switch {
	case errors.Is(err, ErrData):
		return len(ops) / 2
	case errors.Is(err, ErrFull):
		others, sends := partition(ops, func(o *op) bool { return o.kind != opSend })
		if sends == 0 { // claims may need more than deletes
			return others / 2
		}
		return others
	}
	return 0
}

// partition moves the ops that are first before the others, in their order, and counts both.
func partition(ops []*op, first func(*op) bool) (firsts, others int) {
	var rest []*op
	for _, o := range ops {
		if first(o) {
			ops[firsts] = o
			firsts++
		} else {
			rest = append(rest, o)
		}
	}
	return firsts, copy(ops[firsts:], rest)
}

// fanOut hands the answers of a committed flush to its ops and wakes whom it concerns.
func (s *Service) fanOut(work []QueueWork, ops []*op, began time.Time) {
	byID := make(map[int64]*QueueWork, len(work))
	for i := range work {
		w := &work[i]
		byID[w.QueueID] = w
		s.announceWork(w, began)
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

// announceWork tells receivers here and elsewhere what a flush made visible, and when.
func (s *Service) announceWork(w *QueueWork, began time.Time) {
	for _, e := range w.events() {
		e.Since = began
		s.announce(e)
	}
	for _, b := range w.Burials {
		if b.Done {
			s.announce(Event{QueueID: b.Target, Visible: 1, Since: began})
		}
	}
	for _, claim := range w.Handoffs {
		s.hub.Schedule(w.QueueID, claim.Visibility) // should the lease end unused
	}
	for _, claim := range w.Claims {
		s.floors.raise(w.QueueID, claim, s.slack())
		if len(claim.Messages) > 0 {
			s.hub.Schedule(w.QueueID, claim.Visibility)
		}
		if claim.Moved > 0 {
			s.announce(Event{QueueID: claim.DeadLetter.QueueID, Visible: claim.Moved, Since: began})
		}
	}
}

// slack is how far floors stay behind.
func (s *Service) slack() time.Duration {
	if s.isAlone() {
		return aloneSlack
	}
	return floorSlack
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
			if m.Handoff == nil {
				note(Event{Visible: 1, After: m.Delay})
			}
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
	if w.drained() {
		now.Visible = 0
	}
	return slices.DeleteFunc([]Event{now, later}, func(e Event) bool { return e.Visible == 0 })
}

// drained tells that the flush's own claims have taken all that was visible at its end.
func (w *QueueWork) drained() bool {
	return len(w.Claims) > 0 && !slices.ContainsFunc(w.Claims, func(c *Claim) bool {
		// After a failover the database's clock may be behind the floor.
		return c.More || c.From.Fresh.After(c.Now) || c.From.Returned.After(c.Now)
	})
}
