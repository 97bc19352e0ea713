package service

import (
	"context"
	"slices"
)

// DeleteMessages deletes received messages: one answer per receipt, in their order.
// nil: the message is gone, now or already. CodeReceiptStale: it was received again
// since. CodeReceiptExpired: of a FIFO queue, its visibility timeout has ended.
// CodeReceiptInvalid: not a receipt of this queue.
func (s *Service) DeleteMessages(ctx context.Context, caller Caller, queue string, receipts []string) ([]error, error) {
	items := make([]ExtendVisibility, len(receipts))
	for i, r := range receipts {
		items[i].Receipt = r
	}
	if err := s.authorize(ctx, caller, ActionDeleteMessages, queue); err != nil {
		return nil, err
	}
	return s.settle(ctx, caller, queue, opDelete, items)
}

// ExtendMessages changes when received messages become visible: one answer per item,
// in their order: nil, CodeMessageNotFound, CodeReceiptStale, CodeReceiptExpired,
// CodeReceiptInvalid, CodeInvalidParameter, or CodeUnavailable where it is not known.
func (s *Service) ExtendMessages(ctx context.Context, caller Caller, queue string, extends []ExtendVisibility) ([]error, error) {
	if err := s.authorize(ctx, caller, ActionExtendMessages, queue); err != nil {
		return nil, err
	}
	return s.settle(ctx, caller, queue, opExtend, extends)
}

// ReleaseMessages undoes a receive whose answer could not be delivered: the messages
// are visible at once and the receive is not counted. Those whose receipts no longer
// hold are passed over, and those that the same attempt has received once more.
func (s *Service) ReleaseMessages(ctx context.Context, caller Caller, queue string, messages []Message) error {
	if err := s.authorize(ctx, caller, ActionReceiveMessages, queue); err != nil {
		return err
	}
	q, err := s.queues.get(ctx, caller.Account, queue)
	if err != nil {
		return err
	}
	var claimed []Claimed
	for _, m := range messages {
		if r, err := s.receipts.open(m.Receipt); err == nil && r.queueID == q.ID {
			claimed = append(claimed, Claimed{ID: r.id, Lease: r.lease, Message: Message{GroupID: r.groupID, VisibleAt: m.VisibleAt}})
		}
	}
	if len(claimed) == 0 {
		return nil
	}
	return s.do(ctx, opsToRelease(q, claimed))
}

// settleAttempts is how often a settlement is tried whose lease holds, while others
// change its message at the very moment.
const settleAttempts = 5

// settle carries out one kind of settlement, which the caller may do, for each receipt.
func (s *Service) settle(ctx context.Context, caller Caller, queue string, kind opKind, items []ExtendVisibility) ([]error, error) {
	q, err := s.queues.get(ctx, caller.Account, queue)
	if err != nil {
		return nil, err
	}
	if err := validBatch(len(items), nil); err != nil {
		return nil, err
	}
	answers := make([]error, len(items))
	receipts := s.openReceipts(items, answers)
	if slices.ContainsFunc(receipts, func(r receipt) bool { return r.queueID != 0 && r.queueID != q.ID }) {
		// Foreign receipts, or another replica has just deleted the queue and made it anew.
		if q, err = s.reload(ctx, q); err != nil {
			return nil, err
		}
	}
	ops := make([]*op, 0, len(items))
	made := make([]struct {
		op     op
		settle Settlement
	}, len(items))
	for i, r := range receipts {
		switch {
		case answers[i] != nil:
		case r.queueID != q.ID:
			answers[i] = errReceiptInvalid()
		default:
			m := &made[i]
			m.settle = Settlement{ID: r.id, Lease: r.lease, GroupID: r.groupID, Timeout: items[i].Timeout}
			m.op = op{kind: kind, queue: q, settle: &m.settle, place: i}
			ops = append(ops, &m.op)
		}
	}
	for attempt := 1; len(ops) > 0; attempt++ {
		if err := s.do(ctx, ops); err != nil {
			return nil, err
		}
		if ops, err = s.explain(ctx, q, ops, answers, attempt == settleAttempts); err != nil {
			return nil, err
		}
	}
	return answers, settleFailure(answers)
}

// openReceipts checks items and opens their receipts. What is wrong with one is its answer.
func (s *Service) openReceipts(items []ExtendVisibility, answers []error) []receipt {
	receipts := make([]receipt, len(items))
	for i, item := range items {
		if answers[i] = validDuration("visibility_timeout", item.Timeout, 0, MaxVisibility); answers[i] == nil {
			receipts[i], answers[i] = s.receipts.open(item.Receipt)
		}
	}
	return receipts
}

// explain answers the items and returns those that must be tried again. Where a lease
// did not match, the message is gone, or it was received again since, or it was changed
// at that moment and the lease still holds. The common case needs no further query.
func (s *Service) explain(ctx context.Context, q *Queue, ops []*op, answers []error, last bool) (again []*op, err error) {
	var unmatched []*op
	var ids []MessageID
	for _, o := range ops {
		switch {
		case o.err != nil:
			answers[o.place] = o.failure("settle")
		case o.settle.TooLong:
			answers[o.place] = invalid("visibility_timeout", "A message stays invisible for at most %d seconds after its receive.", int(MaxVisibility.Seconds()))
		case !o.settle.Done:
			unmatched = append(unmatched, o)
			ids = append(ids, o.settle.ID)
		}
	}
	if len(unmatched) == 0 {
		return nil, nil
	}
	leases, err := s.store.Leases(ctx, q.ID, ids)
	if err != nil {
		return nil, err
	}
	for _, o := range unmatched {
		lease, there := leases[o.settle.ID]
		switch {
		case there && lease == o.settle.Lease && o.kind == opExtend && o.settle.Timeout == 0:
			// It is visible, as it was to be: a repetition after a lost commit.
		case o.lost && o.kind == opExtend:
			// The lost commit may have extended the lease, which has ended since.
			answers[o.place] = Errorf(CodeUnavailable, "It is not known whether the visibility timeout was changed: the connection to the database was lost.")
		case there && q.Settings.FIFO:
			answers[o.place] = &Error{Code: CodeReceiptExpired, Field: "receipt",
				Message: "The visibility timeout has ended, so that the message may be received by others."}
		case there && lease == o.settle.Lease && last:
			answers[o.place] = Errorf(CodeUnavailable, "The message is being changed by others; try again in a moment.")
		case there && lease == o.settle.Lease:
			again = append(again, o)
		case there:
			answers[o.place] = &Error{Code: CodeReceiptStale, Field: "receipt",
				Message: "The message was received again, or released, since this receipt was given."}
		case o.kind != opDelete:
			answers[o.place] = &Error{Code: CodeMessageNotFound, Field: "receipt", Message: "The message does not exist any more."}
		}
	}
	return again, nil
}

// settleFailure is the error of a call whose every item failed for one reason that is
// not the items' own.
func settleFailure(answers []error) error {
	for _, err := range answers {
		if err == nil || !isServerFault(err) {
			return nil
		}
	}
	return answers[0]
}
