package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"tusq/service/wake"
)

// ReceiveMessages claims up to receive.Max messages, waiting for the first. No
// message in time is not an error. When ctx ends (the client has gone) what was
// claimed is released and ctx's error returned.
func (s *Service) ReceiveMessages(ctx context.Context, caller Caller, queue string, receive ReceiveMessages) ([]Message, error) {
	q, err := s.queues.get(ctx, caller.Account, queue)
	if err != nil {
		return nil, err
	}
	if err := receive.valid(); err != nil {
		return nil, err
	}
	wait := q.Settings.ReceiveWait
	if receive.Wait != nil {
		wait = *receive.Wait
	}
	claimed, err := s.repeatReceive(ctx, q, receive)
	if err == nil && len(claimed) == 0 {
		claimed, err = s.receiveAnew(ctx, caller, q, receive, wait)
	}
	if err != nil {
		return nil, err
	}
	return s.deliver(q, claimed)
}

// receiveAnew claims messages, waiting for the first, and remembers them for the attempt.
func (s *Service) receiveAnew(ctx context.Context, caller Caller, q *Queue, receive ReceiveMessages, wait time.Duration) (claimed []Claimed, err error) {
	if wait == 0 {
		claimed, err = s.claim(ctx, q, receive)
	} else {
		claimed, err = s.poll(ctx, caller, q, receive, wait)
	}
	if err != nil {
		return nil, err
	}
	return claimed, s.rememberReceive(ctx, q, receive, claimed)
}

func (r ReceiveMessages) valid() error {
	if err := validInt("max", r.Max, 1, MaxBatch); err != nil {
		return err
	}
	if r.Wait != nil {
		if err := validDuration("wait_seconds", *r.Wait, 0, MaxWait); err != nil {
			return err
		}
	}
	if r.Visibility != nil {
		if err := validDuration("visibility_timeout", *r.Visibility, 0, MaxVisibility); err != nil {
			return err
		}
	}
	return validToken("attempt_id", r.AttemptID)
}

// visibility is the visibility timeout of what is received.
func (r ReceiveMessages) visibility(q *Queue) time.Duration {
	if r.Visibility != nil {
		return *r.Visibility
	}
	return q.Settings.VisibilityTimeout
}

// repeatReceive returns what the attempt got before, or nothing.
func (s *Service) repeatReceive(ctx context.Context, q *Queue, receive ReceiveMessages) ([]Claimed, error) {
	if receive.AttemptID == "" || !q.Settings.FIFO {
		return nil, nil
	}
	return s.store.RepeatReceive(ctx, q.ID, newKey("attempt", receive.AttemptID), receive.visibility(q))
}

// rememberReceive keeps what an attempt got. Where that fails nothing is delivered.
func (s *Service) rememberReceive(ctx context.Context, q *Queue, receive ReceiveMessages, claimed []Claimed) error {
	if receive.AttemptID == "" || !q.Settings.FIFO || len(claimed) == 0 {
		return nil
	}
	err := s.store.RememberReceive(ctx, q.ID, newKey("attempt", receive.AttemptID), claimed)
	if err != nil {
		s.release(q, claimed)
	}
	return err
}

// poll claims, and sleeps until there may be more, for as long as wait. It serves
// one incarnation of the queue: it ends when the queue is deleted, and never takes
// messages of a new queue of the same name.
func (s *Service) poll(ctx context.Context, caller Caller, q *Queue, receive ReceiveMessages, wait time.Duration) ([]Claimed, error) {
	waiter := s.hub.Register(q.ID)
	defer waiter.Close()
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		claimed, err := s.claimOrLook(ctx, q, receive)
		if err != nil || len(claimed) > 0 {
			// There may be more for others, and a wake that this one has used up.
			s.hub.Wake(q.ID, 1)
			return claimed, err
		}
		woken, err := s.sleep(ctx, waiter, timeout.C)
		if !woken {
			return nil, err
		}
		now, err := s.queues.get(ctx, caller.Account, q.Name)
		if err != nil {
			return nil, err
		}
		if now.ID != q.ID {
			return nil, ErrQueueNotFound(q.Name)
		}
		q = now
	}
}

// sleep waits for a wake, or for a reason to wait no longer.
func (s *Service) sleep(ctx context.Context, waiter *wake.Waiter, timeout <-chan time.Time) (woken bool, err error) {
	s.waiting.Add(1)
	defer s.waiting.Add(-1)
	select {
	case <-waiter.C:
		return true, nil
	case <-timeout:
		return false, nil
	case <-s.draining:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// claimOrLook claims and, when that finds nothing, claims again while it sets the
// queue's timer to the moment at which the next message becomes visible. Both are one
// transaction: what is visible is claimed, what is not is seen by the look.
func (s *Service) claimOrLook(ctx context.Context, q *Queue, receive ReceiveMessages) ([]Claimed, error) {
	claimed, err := s.claim(ctx, q, receive)
	if err != nil || len(claimed) > 0 {
		return claimed, err
	}
	return s.claim(ctx, q, receive, &op{kind: opLook, queue: q})
}

// claim takes messages that are visible now, with other operations beside.
func (s *Service) claim(ctx context.Context, q *Queue, receive ReceiveMessages, beside ...*op) ([]Claimed, error) {
	if full, err := s.tooManyInFlight(ctx, q, receive); err != nil || full {
		return nil, err
	}
	want := Claim{Visibility: receive.visibility(q), Retention: q.Settings.Retention, DeadLetter: q.Settings.DeadLetter}
	for !s.isDraining() {
		o := &op{kind: opClaim, queue: q, claim: &demand{max: receive.Max, want: want}}
		if err := s.do(ctx, append([]*op{o}, beside...)); err != nil {
			return nil, err
		}
		if o.err != nil {
			return nil, o.failure("receive")
		}
		if ctx.Err() != nil {
			s.release(q, o.claim.got)
			return nil, ctx.Err()
		}
		got, again, err := s.bury(ctx, q, want.DeadLetter, o.claim.got)
		if err != nil {
			return nil, err
		}
		if !o.claim.more && !again {
			s.inFlight.add(q.ID, len(got))
			return got, nil
		}
		want.Slack = claimSlack
	}
	return nil, nil
}

// deliver seals the receipts of claimed messages. What cannot be delivered is released.
func (s *Service) deliver(q *Queue, claimed []Claimed) ([]Message, error) {
	messages := make([]Message, len(claimed))
	for i, c := range claimed {
		m, err := c.message()
		if err != nil {
			s.release(q, claimed)
			return nil, err
		}
		m.Receipt = s.receipts.seal(receipt{queueID: q.ID, id: c.ID, lease: c.Lease, groupID: receiptGroup(q, c)})
		messages[i] = m
	}
	return messages, nil
}

// message is a stored message as callers see it.
func (c *Claimed) message() (Message, error) {
	m := c.Message
	m.ID = uuid.UUID(c.ID).String()
	if c.Attributes == nil {
		return m, nil
	}
	if err := json.Unmarshal(c.Attributes, &m.Attributes); err != nil {
		return Message{}, fmt.Errorf("decode the attributes of message %s: %w", m.ID, err)
	}
	return m, nil
}

// PeekMessages returns a page of a queue's messages and changes none.
func (s *Service) PeekMessages(ctx context.Context, caller Caller, queue string, peek PeekMessages) (MessagePage, error) {
	if peek.Limit == 0 {
		peek.Limit = MaxPeekLimit
	}
	if err := validInt("limit", peek.Limit, 1, MaxPeekLimit); err != nil {
		return MessagePage{}, err
	}
	switch peek.State {
	case "", StateVisible, StateDelayed, StateInFlight:
	default:
		return MessagePage{}, invalid("state", "state must be visible, delayed or in_flight.")
	}
	q, err := s.GetQueue(ctx, caller, queue)
	if err != nil {
		return MessagePage{}, err
	}
	found, cursor, err := s.store.PeekMessages(ctx, q, peek)
	if err != nil {
		return MessagePage{}, err
	}
	page := MessagePage{Messages: make([]Message, len(found)), Cursor: cursor}
	for i := range found {
		if page.Messages[i], err = found[i].message(); err != nil {
			return MessagePage{}, err
		}
	}
	return page, nil
}

// receiptGroup is the group that a message's receipt names: only a FIFO queue's does.
func receiptGroup(q *Queue, c Claimed) string {
	if q.Settings.FIFO {
		return c.Message.GroupID
	}
	return ""
}

// bury moves what was received from a FIFO queue too often to its dead-letter queue, and
// returns the rest; again: nothing is left, and there may be more. Where that queue has just
// been deleted, all is delivered.
func (s *Service) bury(ctx context.Context, q *Queue, dead *DeadLetter, got []Claimed) (kept []Claimed, again bool, err error) {
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
	if err := s.do(ctx, ops); err != nil {
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
