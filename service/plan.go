package service

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// maxClaim is how many messages one claim statement takes; who is left without asks again.
const maxClaim = 1000

// plan groups ops into each queue's work, in the order of the queues' ids, so that
// two replicas' flushes lock what they share in the same order.
func plan(ops []*op, lane int, flushID int64) []QueueWork {
	index := make(map[int64]int, 1)
	work := make([]QueueWork, 0, 1)
	workOf := func(queueID int64, fifo bool) *QueueWork {
		i, ok := index[queueID]
		if !ok {
			i = len(work)
			index[queueID] = i
			work = append(work, QueueWork{QueueID: queueID, FIFO: fifo, Lane: lane, FlushID: flushID})
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
		o.send.Handoff, o.refused = nil, nil // of an attempt, or a whole flush, before
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
		claim.Lease = newLease()
		claim.Returned = (claim.Max + rand.IntN(2)) / 2 // an odd place goes either way
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
		d.more = claim.More
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
