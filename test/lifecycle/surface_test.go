package lifecycle

import (
	"time"

	"tusq/service"
)

// surface carries out calls in the service's own words, whatever is spoken below. Errors
// are service.Errors; one that a surface gives in words of its own has the code that
// comes nearest. Calls of one message or receipt use the single endpoint, where there is
// one, and all others the batch endpoint, of at most ten.
type surface interface {
	// Name names the surface in a test's output.
	Name() string
	// Lenient tells whether a deletion by a stale receipt is no error. It has no effect.
	Lenient() bool

	CreateQueue(name string, settings service.QueueChange) error
	UpdateQueue(name string, settings service.QueueChange) error
	// GetQueue returns a queue's name, settings and tags.
	GetQueue(name string) (service.Queue, error)
	DeleteQueue(name string) error
	PurgeQueue(name string) error
	Stats(name string) (service.Stats, error)

	// Send sends messages as one call, which key, if not empty, names. Where the call fails,
	// each answer has its error.
	Send(queue, key string, messages ...service.SendMessage) []service.Sent
	// Receive returns messages with what all surfaces show of them: times in milliseconds,
	// and neither State nor VisibleAt.
	Receive(queue string, receive service.ReceiveMessages) ([]service.Message, error)
	// Delete returns one answer for each receipt. Where the call fails, each is its error.
	Delete(queue string, receipts ...string) []error
	// Extend returns one answer for each receipt. Where the call fails, each is its error.
	Extend(queue string, timeout time.Duration, receipts ...string) []error

	// StartRedrive returns an id for CancelRedrive.
	StartRedrive(start service.StartRedrive) (id string, err error)
	CancelRedrive(id string) error
	// LastRedrive returns the status, the progress and the parameters of a queue's newest redrive.
	LastRedrive(source string) (service.Redrive, error)
}

// repeated is the answer of a call that failed for n items.
func repeated(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// unsent is the answer of a send that failed.
func unsent(err error, n int) []service.Sent {
	sent := make([]service.Sent, n)
	for i := range sent {
		sent[i].Err = err
	}
	return sent
}

// seconds is a duration as a protocol has it, nil for none.
func seconds(d *time.Duration) *int {
	if d == nil {
		return nil
	}
	return new(int(*d / time.Second))
}

func duration(seconds int) time.Duration { return time.Duration(seconds) * time.Second }

// shown is a message without what only some surfaces show.
func shown(m service.Message) service.Message {
	m.State, m.VisibleAt = "", time.Time{}
	m.SentAt, m.FirstReceivedAt = milliseconds(m.SentAt), milliseconds(m.FirstReceivedAt)
	return m
}

func milliseconds(t time.Time) time.Time { return t.Truncate(time.Millisecond).UTC() }
