// Package history records what the clients of a queue service did and what they were told: one
// line of JSON for each call, all times by one monotonic clock. A history is all that the
// checkers know; like them, this package imports nothing of the server.
package history

import "time"

// Op is what a call asked for.
type Op string

// The calls. Batches are one call with several messages.
const (
	Send    Op = "send"
	Receive Op = "receive"
	Delete  Op = "delete"
	Extend  Op = "extend"  // of a visibility timeout; to 0: a release
	Purge   Op = "purge"   // of a queue
	Redrive Op = "redrive" // of a dead-letter queue, to where its messages came from
	Stats   Op = "stats"   // the queue's counts
	// Drained says that all faults have ended, that all leases have ended, and that the queue
	// was then received from until nothing came any more. It is the last of its queue but
	// for Stats.
	Drained Op = "drained"
	// Fault is not a call: a fault was injected or healed (see Event.Error).
	Fault Op = "fault"
)

// Outcome is what a client knows of a call or of a message in it.
type Outcome string

// OK: it was acknowledged. Fail: it was refused (4xx), so it must never take effect. Unknown: a
// lost connection, a timeout or 5xx, so it may have taken effect, now or later.
const (
	OK      Outcome = "ok"
	Fail    Outcome = "fail"
	Unknown Outcome = "unknown"
)

// Event is one call. Times are since the history's beginning.
type Event struct {
	Client   int           `json:"client"` // the calls of one client do not overlap
	Op       Op            `json:"op"`
	Surface  string        `json:"surface,omitempty"` // rest or sqs
	Queue    string        `json:"queue,omitempty"`
	Invoked  time.Duration `json:"invoked"`
	Returned time.Duration `json:"returned"`
	Outcome  Outcome       `json:"outcome,omitempty"` // of the call; each message of a batch has its own
	Status   int           `json:"status,omitempty"`  // of HTTP; 0: there was no answer
	Error    string        `json:"error,omitempty"`   // code of the error or, for Fault, what was done

	// Key is a send's idempotency key. A repetition of a call is an event of its own, with the
	// same key and the same UIDs.
	Key string `json:"key,omitempty"`
	// Visibility is the timeout that a receive or an extend asked for.
	Visibility time.Duration `json:"visibility,omitempty"`
	Messages   []Message     `json:"messages,omitempty"`
	Counts     *Counts       `json:"counts,omitempty"` // answer of Stats
}

// Message is one message of a call: what was asked for and, where there was one, the answer.
type Message struct {
	// UID names the message for ever. The body begins with it, so that a receive tells it too.
	UID     string  `json:"uid"`
	Outcome Outcome `json:"outcome,omitempty"`
	Error   string  `json:"error,omitempty"`

	ID      string `json:"id,omitempty"`      // that the service gave it
	Receipt string `json:"receipt,omitempty"` // a hash of it
	Digest  string `json:"digest,omitempty"`  // of body and attributes: as sent, as received

	Group         string        `json:"group,omitempty"`
	Deduplication string        `json:"dedup,omitempty"`
	Sequence      string        `json:"seq,omitempty"` // decimal digits; longer ones are larger
	Receives      int           `json:"receives,omitempty"`
	Delay         time.Duration `json:"delay,omitempty"`
}

// Counts are a queue's numbers of messages.
type Counts struct {
	Visible  int64 `json:"visible"`
	InFlight int64 `json:"in_flight"`
	Delayed  int64 `json:"delayed"`
}

// Total is how many messages the queue holds.
func (c Counts) Total() int64 { return c.Visible + c.InFlight + c.Delayed }
