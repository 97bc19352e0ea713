package service

import (
	"context"
	"slices"

	"tusq/internal/faultpoint"
)

// claimSlack is how many groups of a FIFO queue a receiver who asks again may find not ready.
const claimSlack = 500

// claimOnce claims for a receiver that does not wait.
func (s *Service) claimOnce(ctx context.Context, q *Queue, receive ReceiveMessages) ([]Claimed, error) {
	if full, err := s.tooManyInFlight(ctx, q, receive); err != nil || full {
		return nil, err
	}
	claimed, _, err := s.claim(ctx, q, receive)
	return claimed, err
}

// claim takes messages that are visible now, with other operations beside; more: there may
// be more of them.
func (s *Service) claim(ctx context.Context, q *Queue, receive ReceiveMessages, beside ...*op) (got []Claimed, more bool, err error) {
	for want := receive.demand(q); !s.isDraining(); want.want.Slack = claimSlack {
		demand := want
		if err := s.answers.full(); err != nil {
			return nil, false, err
		}
		o := &op{kind: opClaim, queue: q, claim: &demand}
		if err := s.do(ctx, append([]*op{o}, beside...)); err != nil {
			return nil, false, err
		}
		if o.err != nil {
			return nil, false, o.failure("receive")
		}
		if ctx.Err() != nil {
			s.release(q, o.claim.got)
			return nil, false, ctx.Err()
		}
		got, buried, err := s.bury(ctx, q, o.claim.got)
		if err != nil {
			return nil, false, err
		}
		if len(got) > 0 || !o.claim.more && !buried {
			s.inFlight.add(q.ID, len(got))
			return got, o.claim.more, nil
		}
	}
	return nil, false, nil
}

// demand is what a receive asks for.
func (r ReceiveMessages) demand(q *Queue) demand {
	return demand{max: r.Max, joined: true,
		want: Claim{Visibility: r.visibility(q), Retention: q.Settings.Retention, DeadLetter: q.Settings.DeadLetter}}
}

// bury moves what was received from a FIFO queue too often to its dead-letter queue, and
// returns the rest; again: nothing is left, and there may be more. Where that queue has just
// been deleted, all is delivered; where the move fails, nothing is.
func (s *Service) bury(ctx context.Context, q *Queue, got []Claimed) (kept []Claimed, again bool, err error) {
	dead := q.Settings.DeadLetter
	if !q.Settings.FIFO || dead == nil || dead.QueueID == 0 || dead.QueueID == q.ID {
		return got, false, nil
	}
	var ops []*op
	for _, m := range got {
		if m.Receives > dead.MaxReceives {
			ops = append(ops, &op{kind: opBury, queue: q,
				bury: &Burial{ID: m.ID, Lease: m.Lease, GroupID: m.Message.GroupID, Target: dead.QueueID}})
		}
	}
	if len(ops) == 0 {
		return got, false, nil
	}
	faultpoint.Pass("service.bury")
	err = s.do(ctx, ops)
	for _, o := range ops {
		if err == nil && o.err != nil {
			err = o.failure("move dead letters")
		}
	}
	if err != nil {
		s.release(q, got)
		return nil, false, err
	}
	gone, err := s.buried(ctx, q, ops)
	if err != nil {
		s.release(q, got)
		return nil, false, err
	}
	kept = slices.DeleteFunc(slices.Clone(got), func(m Claimed) bool { return gone[m.ID] })
	return kept, len(kept) == 0, nil
}

// buried tells which messages have gone to the dead-letter queue. One that has not is still
// there with its lease, unless the commit of its move was lost and the repetition found
// that it had happened.
func (s *Service) buried(ctx context.Context, q *Queue, ops []*op) (map[MessageID]bool, error) {
	gone := make(map[MessageID]bool, len(ops))
	var left []MessageID
	for _, o := range ops {
		gone[o.bury.ID] = true
		if !o.bury.Done {
			left = append(left, o.bury.ID)
		}
	}
	if len(left) == 0 {
		return gone, nil
	}
	s.queues.forget(q.ID) // its dead-letter queue is another one now
	leases, err := s.store.Leases(ctx, q.ID, left)
	for _, o := range ops {
		if leases[o.bury.ID] == o.bury.Lease {
			delete(gone, o.bury.ID)
		}
	}
	return gone, err
}
