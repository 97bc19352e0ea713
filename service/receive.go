package service

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"tusq/internal/faultpoint"
)

// ReceiveMessages claims up to receive.Max messages, waiting for the first. No
// message in time is not an error. When ctx ends (the client has gone) what was
// claimed is released and ctx's error returned.
func (s *Service) ReceiveMessages(ctx context.Context, caller Caller, queue string, receive ReceiveMessages) ([]Message, error) {
	if err := s.authorize(ctx, caller, ActionReceiveMessages, queue); err != nil {
		return nil, err
	}
	q, err := s.queues.get(ctx, caller.Account, queue)
	if err != nil {
		return nil, err
	}
	if err := receive.valid(); err != nil {
		return nil, err
	}
	receive.AttemptID = caller.ownName(receive.AttemptID)
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
	faultpoint.Pass("service.claim.got")
	s.answers.hold(ctx, claimed)
	return s.deliver(ctx, q, claimed)
}

// receiveAnew claims messages, waiting for the first, and remembers them for the attempt.
func (s *Service) receiveAnew(ctx context.Context, caller Caller, q *Queue, receive ReceiveMessages, wait time.Duration) (claimed []Claimed, err error) {
	if wait == 0 {
		claimed, err = s.claimOnce(ctx, q, receive)
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
	claimed, err := s.store.RepeatReceive(ctx, q.ID, newKey("attempt", receive.AttemptID), receive.visibility(q))
	if err != nil {
		s.release(q, claimed)
		return nil, err
	}
	return claimed, nil
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

// deliver seals the receipts of claimed messages. What cannot be delivered is released.
func (s *Service) deliver(ctx context.Context, q *Queue, claimed []Claimed) ([]Message, error) {
	readable, err := s.decryptAll(ctx, q, claimed)
	if err != nil {
		s.release(q, claimed)
		return nil, err
	}
	messages := make([]Message, len(readable))
	for i, c := range readable {
		m, err := c.message()
		if err != nil {
			s.release(q, claimed)
			return nil, err
		}
		m.Receipt = s.receipts.seal(receipt{queueID: q.ID, id: c.ID, lease: c.Lease, groupID: receiptGroup(q, c)})
		messages[i] = m
	}
	if faultpoint.Bug("receipts-swapped") && len(messages) > 1 {
		messages[0].Receipt, messages[1].Receipt = messages[1].Receipt, messages[0].Receipt
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
	q, err := s.GetQueueFor(ctx, caller, ActionPeekMessages, queue)
	if err != nil {
		return MessagePage{}, err
	}
	found, cursor, err := s.store.PeekMessages(ctx, q, peek)
	if err != nil {
		return MessagePage{}, err
	}
	if found, err = s.decryptAll(ctx, &q, found); err != nil {
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
