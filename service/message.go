package service

import "time"

// Attribute is a typed value beside a message's body.
type Attribute struct {
	Type   string // String, Number or Binary, with an optional ".label"
	Value  string // of String and Number
	Binary []byte // of Binary
}

// SendMessage is one message to send.
type SendMessage struct {
	Body        string
	Delay       *time.Duration // nil: the queue's
	Attributes  map[string]Attribute
	GroupID     string // whose order is kept, required, on a FIFO queue; a tag of the sender's on others
	TraceHeader string // X-Ray's trace header; not counted in the message's size
	// DeduplicationID, of a FIFO queue only, is accepted once in DeduplicationInterval. Empty:
	// made of the body, where the queue has ContentDeduplication.
	DeduplicationID string
}

// SendMessages are messages to send in one call: 1 to MaxBatch.
type SendMessages struct {
	Messages []SendMessage
	Key      CallKey
}

// CallKey names a call, so that its repetition within DeduplicationInterval gets the first
// call's answer and sends nothing. The zero CallKey names none.
type CallKey struct {
	ID string // 1 to MaxCallKey bytes, unique among the account's calls on the queue
	// Strict refuses a call of the same ID with other messages, with CodeKeyReused, and one
	// that comes while the first is carried out, with CodeKeyInUse. Otherwise other messages
	// make another call, and the second waits for the first.
	Strict bool
}

// Sent is the answer to one sent message: Err, or the id that it got. A duplicate's is
// that of the message that was sent first.
type Sent struct {
	ID       string // a UUID of version 7
	Sequence int64  // on a FIFO queue: increases within the message's group
	Err      error
}

// ReceiveMessages asks for messages of a queue.
type ReceiveMessages struct {
	Max        int            // 1 to MaxBatch
	Wait       *time.Duration // for the first message, 0 to MaxWait; nil: the queue's
	Visibility *time.Duration // 0 to MaxVisibility; nil: the queue's

	// AttemptID makes a receive from a FIFO queue repeatable for DeduplicationInterval: the
	// same id gets the same messages and receipts, and their visibility timeout anew. Once one
	// of them has been settled it gets CodeAttemptVoid, once they have become visible it is a
	// new receive. Empty: not repeatable.
	AttemptID string
	// MaxInFlight refuses a receive that does not wait, with CodeTooManyInFlight, and leaves
	// one that waits without messages, while about so many are in flight in a standard queue.
	// 0: no limit.
	MaxInFlight int
}

// Message is a received or a peeked message.
type Message struct {
	ID               string
	Receipt          string // empty on a peeked message
	Body             string
	Attributes       map[string]Attribute
	GroupID          string
	DeduplicationID  string // of a FIFO queue's message
	Sequence         int64  // of a FIFO queue's message: increases within its group
	TraceHeader      string
	DeadLetterSource string // the queue that it was moved from; empty: none
	State            State
	ReceiveCount     int // this receive included
	SentAt           time.Time
	FirstReceivedAt  time.Time // zero: never received
	VisibleAt        time.Time // when it is or was to be seen (again)
}

// ExtendVisibility asks that a message in flight stays (or becomes) invisible
// until Timeout from now: 0 to MaxVisibility, and no later than MaxVisibility
// after its receive. Zero makes it visible at once.
type ExtendVisibility struct {
	Receipt string
	Timeout time.Duration
}

// State is where a message is in its life.
type State string

// The states.
const (
	StateVisible  State = "visible"
	StateDelayed  State = "delayed"
	StateInFlight State = "in_flight"
)

// PeekMessages asks for a page of a queue's messages without receiving them.
type PeekMessages struct {
	State  State  // empty: all, oldest first
	Limit  int    // 1 to MaxPeekLimit; 0 means MaxPeekLimit
	Cursor string // of the page before; empty for the first
}

// MessagePage is one page of messages.
type MessagePage struct {
	Messages []Message
	Cursor   string // of the next page; empty on the last
}
