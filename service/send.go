package service

import (
	"context"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"fmt"

	"tusq/internal/faultpoint"
	"tusq/service/engine"
)

// SendMessages stores messages: one answer per message, in their order. An error
// means that none was stored (or, with CodeUnavailable, that it is not known).
func (s *Service) SendMessages(ctx context.Context, caller Caller, queue string, send SendMessages) ([]Sent, error) {
	if err := s.authorize(ctx, caller, ActionSendMessages, queue); err != nil {
		return nil, err
	}
	q, err := s.queues.get(ctx, caller.Account, queue)
	if err != nil {
		return nil, err
	}
	if err := send.valid(); err != nil {
		return nil, err
	}
	send.Key.ID = caller.ownName(send.Key.ID)
	end, err := s.calls.begin(q, send.Key)
	if err != nil {
		return nil, err
	}
	defer end()
	sent, gone, err := s.sendTo(ctx, q, send)
	if err != nil || !gone {
		return sent, err
	}
	// The queue was deleted; another replica may have made it anew.
	if q, err = s.reload(ctx, q); err != nil {
		return nil, err
	}
	if sent, gone, err = s.sendTo(ctx, q, send); gone {
		return nil, ErrQueueNotFound(queue)
	}
	return sent, err
}

// sendTo stores messages in one incarnation of a queue; gone: it has been deleted.
func (s *Service) sendTo(ctx context.Context, q *Queue, send SendMessages) (sent []Sent, gone bool, err error) {
	if err := s.requireStandbys(ctx, q); err != nil {
		return nil, false, err
	}
	var key cipher.AEAD
	if q.DataKeyID != 0 {
		if key, err = s.dataKeys.get(ctx, q.Account, q.DataKeyID); err != nil {
			return nil, false, err
		}
	}
	ids, err := newMessageIDs(len(send.Messages))
	if err != nil {
		return nil, false, err
	}
	sent = make([]Sent, len(send.Messages))
	ops := make([]*op, 0, len(send.Messages))
	made := make([]struct {
		op  op
		out Outgoing
	}, len(send.Messages))
	for i := range send.Messages {
		m := &made[i]
		if sent[i].Err = send.Messages[i].outgoing(q.Settings, &m.out); sent[i].Err != nil {
			continue
		}
		if key != nil {
			m.out.encrypt(key, q.DataKeyID)
		}
		m.out.ID, m.out.StoredID = ids[i], ids[i]
		m.op = op{kind: opSend, queue: q, send: &m.out, place: i}
		ops = append(ops, &m.op)
	}
	if len(ops) == 0 {
		return sent, false, nil
	}
	call := send.call(ids[0], q.Settings.FIFO, sent)
	for _, o := range ops {
		o.send.Call = call
	}
	if err := s.do(ctx, ops); err != nil {
		return nil, false, err
	}
	for _, o := range ops {
		if o.gone {
			return nil, true, nil
		}
		if o.err != nil {
			sent[o.place].Err = o.failure("send")
			continue
		}
		sent[o.place] = o.send.sent(o.place)
	}
	if faultpoint.Bug("answers-swapped") && len(sent) > 1 {
		sent[0], sent[1] = sent[1], sent[0]
	}
	if send.Key.Strict && call.reused() {
		return nil, false, &Error{Code: CodeKeyReused, Field: "idempotency_key",
			Message: "This idempotency key has named a call with other messages."}
	}
	return sent, false, wholeFailure(sent)
}

// valid checks the bounds of a whole call.
func (s *SendMessages) valid() error {
	if len(s.Key.ID) > MaxCallKey {
		return invalid("idempotency_key", "An idempotency key has at most %d bytes.", MaxCallKey)
	}
	return validBatch(len(s.Messages), s.Messages)
}

// validBatch checks the bounds of a whole call.
func validBatch(items int, messages []SendMessage) error {
	if items == 0 {
		return Errorf(CodeBatchEmpty, "The batch has no entries.")
	}
	if items > MaxBatch {
		return Errorf(CodeBatchTooMany, "A call takes at most %d entries; this one has %d.", MaxBatch, items)
	}
	size := 0
	for i := range messages {
		size += messages[i].size()
	}
	if size > MaxBatchBytes {
		return Errorf(CodeBatchTooLarge, "A call takes at most %d bytes of messages; this one has %d.", MaxBatchBytes, size)
	}
	return nil
}

// outgoing checks a message and makes it ready to be stored, as out.
func (m *SendMessage) outgoing(settings Settings, out *Outgoing) error {
	if err := m.valid(settings); err != nil {
		return err
	}
	*out = Outgoing{Body: m.Body, Delay: settings.Delay, GroupID: m.GroupID, TraceHeader: m.TraceHeader}
	if settings.FIFO {
		out.deduplicate(m.DeduplicationID, settings.DeduplicationScope)
	} else if m.Delay != nil {
		out.Delay = *m.Delay
	}
	if len(m.Attributes) > 0 {
		attributes, err := json.Marshal(m.Attributes)
		if err != nil {
			return fmt.Errorf("encode attributes: %w", err)
		}
		out.Attributes = attributes
	}
	return nil
}

// failure is an op's error as its caller may be told. The database's refusal of a
// single item is the caller's matter in no case that is known, so it is internal.
func (o *op) failure(action string) error {
	var known *Error
	switch {
	case errors.As(o.err, &known):
		return o.err
	case errors.Is(o.err, ErrOutcomeUnknown):
		return &Error{Code: CodeUnavailable, Err: o.err,
			Message: "The connection to the database was lost; it is not known whether the call took effect."}
	case errors.Is(o.err, ErrNoStandby):
		return errStandbyMissing(o.queue, o.err)
	case errors.Is(o.err, ErrConflict), errors.Is(o.err, context.DeadlineExceeded):
		return &Error{Code: CodeUnavailable, Message: "The database could not carry this out in time.", Err: o.err}
	}
	return fmt.Errorf("%s on queue %d: %w", action, o.queue.ID, o.err)
}

// wholeFailure is the error of a call whose every message failed for one reason that
// is not the messages' own.
func wholeFailure(sent []Sent) error {
	for _, m := range sent {
		if m.Err == nil || !isServerFault(m.Err) {
			return nil
		}
	}
	return sent[0].Err
}

// refused is the error of a call that the engine did not take.
func (s *Service) refused(err error) error {
	if errors.Is(err, engine.ErrFull) {
		return &Error{Code: CodeOverloaded, Message: "Too much is waiting to be stored; try again in a moment.", Err: err}
	}
	return &Error{Code: CodeUnavailable, Message: "This replica is shutting down.", Err: err}
}

// isServerFault tells whether err is not about the item that it answers.
func isServerFault(err error) bool {
	code := ErrorCode(err)
	return code == CodeUnavailable || code == CodeStorageFull || code == CodeStandbyMissing || code == CodeInternal
}

// reload returns a queue's live incarnation, which may have changed since q was read.
func (s *Service) reload(ctx context.Context, q *Queue) (*Queue, error) {
	s.queues.forget(q.ID)
	return s.queues.get(ctx, q.Account, q.Name)
}

// ErrQueueNotFound is the error of a call that names a queue that does not exist.
func ErrQueueNotFound(name string) *Error {
	return &Error{Code: CodeQueueNotFound, Field: "queue", Message: fmt.Sprintf("The queue %q does not exist.", withoutSecret(name))}
}
