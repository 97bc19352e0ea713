package service

import "context"

// DeleteMessages deletes received messages: one answer per receipt, in their order.
// nil: the message is gone, now or already. CodeReceiptStale: it was received again
// since. CodeReceiptInvalid: not a receipt of this queue.
func (s *Service) DeleteMessages(ctx context.Context, caller Caller, queue string, receipts []string) ([]error, error) {
	items := make([]ExtendVisibility, len(receipts))
	for i, r := range receipts {
		items[i].Receipt = r
	}
	return s.settle(ctx, caller, queue, opDelete, items)
}

// ExtendMessages changes when received messages become visible: one answer per item,
// in their order: nil, CodeMessageNotFound, CodeReceiptStale, CodeReceiptInvalid or
// CodeInvalidParameter.
func (s *Service) ExtendMessages(ctx context.Context, caller Caller, queue string, extends []ExtendVisibility) ([]error, error) {
	return s.settle(ctx, caller, queue, opExtend, extends)
}

// ReleaseMessages undoes a receive whose answer could not be delivered: the messages
// are visible at once and the receive is not counted. Receipts that no longer hold
// are passed over.
func (s *Service) ReleaseMessages(ctx context.Context, caller Caller, queue string, receipts []string) error {
	items := make([]ExtendVisibility, len(receipts))
	for i, r := range receipts {
		items[i].Receipt = r
	}
	_, err := s.settle(ctx, caller, queue, opRelease, items)
	return err
}

// settle carries out one kind of settlement for each receipt.
func (s *Service) settle(ctx context.Context, caller Caller, queue string, kind opKind, items []ExtendVisibility) ([]error, error) {
	q, err := s.queues.get(ctx, caller.Account, queue)
	if err != nil {
		return nil, err
	}
	if err := validBatch(len(items), nil); err != nil {
		return nil, err
	}
	answers := make([]error, len(items))
	ops := make([]*op, 0, len(items))
	places := make([]int, 0, len(items))
	for i, item := range items {
		settlement, err := s.settlement(q, item)
		if err != nil {
			answers[i] = err
			continue
		}
		ops = append(ops, &op{kind: kind, queue: q, settle: settlement})
		places = append(places, i)
	}
	if len(ops) == 0 {
		return answers, nil
	}
	if err := s.do(ctx, ops); err != nil {
		return nil, err
	}
	failed := 0
	for n, o := range ops {
		if o.err != nil {
			answers[places[n]] = o.failure("settle")
			failed++
		}
	}
	if failed == len(ops) && failed == len(items) {
		return nil, answers[0]
	}
	if kind == opRelease {
		return answers, nil
	}
	return answers, s.explain(ctx, q, kind, ops, places, answers)
}

// settlement checks an item and opens its receipt.
func (s *Service) settlement(q *Queue, item ExtendVisibility) (*Settlement, error) {
	if err := validDuration("visibility_timeout", item.Timeout, 0, MaxVisibility); err != nil {
		return nil, err
	}
	r, err := s.receipts.open(item.Receipt, q.ID)
	if err != nil {
		return nil, err
	}
	return &Settlement{ID: r.id, Lease: r.lease, Timeout: item.Timeout}, nil
}

// explain answers the items whose lease did not hold: the message is gone, or it was
// received again since. The common case needs no further query.
func (s *Service) explain(ctx context.Context, q *Queue, kind opKind, ops []*op, places []int, answers []error) error {
	var unmatched []MessageID
	for _, o := range ops {
		if o.err == nil && !o.settle.Done {
			unmatched = append(unmatched, o.settle.ID)
		}
	}
	if len(unmatched) == 0 {
		return nil
	}
	missing, err := s.store.MissingMessages(ctx, q.ID, unmatched)
	if err != nil {
		return err
	}
	for n, o := range ops {
		if o.err == nil && !o.settle.Done {
			answers[places[n]] = o.unmatched(kind, missing[o.settle.ID])
		}
	}
	return nil
}

// unmatched is the answer to a settlement that changed nothing.
func (o *op) unmatched(kind opKind, missing bool) error {
	switch {
	case o.settle.TooLong:
		return invalid("visibility_timeout", "A message stays invisible for at most %d seconds after its receive.", int(MaxVisibility.Seconds()))
	case missing && kind == opDelete:
		return nil
	case missing:
		return &Error{Code: CodeMessageNotFound, Field: "receipt", Message: "The message does not exist any more."}
	}
	return &Error{Code: CodeReceiptStale, Field: "receipt", Message: "The message was received again, or released, since this receipt was given."}
}
