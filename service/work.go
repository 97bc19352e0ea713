package service

import "time"

// What a flush asks the store for, and what it is told.

// MessageID identifies a message inside its queue: a UUID of version 7.
type MessageID [16]byte

// Key stands for something that happens once in DeduplicationInterval in its queue: a part
// of the SHA-256 of what it is and of its name.
type Key [16]byte

// QueueWork is one queue's part of a flush. Burials of all queues come first, then for each
// queue deletes, extends, releases, sends, claims: so a claim sees what was sent beside it.
// Settlements of each kind are in the order of their messages' ids.
type QueueWork struct {
	QueueID int64
	FIFO    bool
	Lane    int   // of this replica's counters: one flush at a time has it, in all attempts
	FlushID int64 // random, the same in all attempts at a flush
	// Durability of the flush: all of its work has the same. None: DurabilityDefault.
	Durability Durability
	Deletes    []*Settlement
	Extends    []*Settlement
	Releases   []*Settlement
	Sends      []*Outgoing
	Burials    []*Burial   // of a FIFO queue
	Joins      []string    // groups into which other queues' burials come, by their places
	Calls      []*SendCall // those of Sends that have a key, each key once
	Claims     []*Claim
	Look       bool // when does the next message become visible?
	// Handoffs are the claims of the Sends that have one: of each only Max, Visibility and Lease, to be revoked.
	Handoffs []*Claim

	// Answers.
	Gone    bool          // the queue does not exist: nothing was sent
	SentAt  time.Time     // of the sends, where one of them was handed off
	Next    time.Duration // until the next message becomes visible
	HasNext bool          // whether there is one
	Freed   int           // groups of a FIFO queue that settlements have made ready

	firsts firsts
}

// Settlement is the end or the change of one lease.
type Settlement struct {
	ID      MessageID
	Lease   int64
	GroupID string        // of a FIFO queue's message
	Timeout time.Duration // of an extend

	// VisibleAt is of a release from a FIFO queue: when the lease ended as it was given. An
	// attempt that was repeated since has the same lease, with another end, and keeps it.
	VisibleAt time.Time

	// Answers.
	Done    bool // the lease held: on a FIFO queue, and had not ended
	TooLong bool // an extend would have gone beyond MaxVisibility after the receive
}

// Burial moves a claimed message of a FIFO queue to its dead-letter queue, in whose work
// its group is the Place'th of Joins. It is not part of the claim, because by then it is
// known which groups of which queues are to be locked, and all are locked in one order.
type Burial struct {
	ID      MessageID
	Lease   int64
	GroupID string
	Target  int64 // the dead-letter queue
	Place   int   // set by the flush

	Done bool // the answer: the lease held, and the dead-letter queue exists
}

// Outgoing is a message to store.
type Outgoing struct {
	ID          MessageID
	Body        string
	Delay       time.Duration
	Attributes  []byte // JSON; nil: none
	GroupID     string
	TraceHeader string
	Call        *SendCall // that the message came with; nil: one without a key
	Handoff     *Handoff  // stored already claimed, for a receiver that waits; nil: stored visible or delayed

	// Of a FIFO queue.
	DeduplicationID string
	Key             Key // of the deduplication id in its scope; in a flush at most once without a Call, and once with each

	// Answers.
	StoredID MessageID // ID, or that of the message of which this one is a duplicate
	Sequence int64     // of a FIFO queue's message
}

// Handoff is the claim with which a message is stored.
type Handoff struct {
	Lease      int64
	Visibility time.Duration
}

// SendCall is a call with a key: of calls with the same key one is carried out.
type SendCall struct {
	Key         Key
	Fingerprint Key       // of the call's messages
	Owner       MessageID // the id of the call's first message; those of the others follow from it

	// Answers: those of the call that was carried out.
	FirstOwner       MessageID
	FirstFingerprint Key
}

// Claim takes up to Max visible messages for Visibility.
type Claim struct {
	MaxBytes   int64 // of the messages, of which one at least is claimed; 0: 16 MiB
	Max        int
	PerCaller  int // on a FIFO queue: Max is a multiple of it; messages of a group go to one caller
	Slack      int // on a FIFO queue: groups that turn out to be not ready, on which no place is lost
	Visibility time.Duration
	Retention  time.Duration // messages sent longer ago have expired
	// Returned is how many places at most go to messages that came back while fresh ones wait too.
	Returned int
	// Lease is the first of the Max leases to give; the others follow it.
	Lease      int64
	DeadLetter *DeadLetter // with its QueueID; nil: none
	From       Floor       // where to begin; zero: at the beginning. Not of a FIFO queue

	floorChanges int // of the floor, when the claim was told where to begin

	// Answers.
	Floor    Floor     // where a claim right after this one could begin; zero: where this one did
	Now      time.Time // by which messages were visible
	Messages []Claimed // in the order in which they are to be delivered
	Moved    int       // messages that went to the dead-letter queue instead
	More     bool      // the claim ended before the queue did: ask again
}

// Floor is where claims of a queue begin to look, in the order of the moments at which
// messages became visible: before it are only messages that are gone. It is a hint.
type Floor struct {
	Fresh    time.Time // of those that were never received
	Returned time.Time // of those that came back
}

// Claimed is a message with its new lease.
type Claimed struct {
	ID         MessageID
	Lease      int64
	Place      int     // in a claim, from 1
	Receives   int     // in this queue, the last one included
	Attributes []byte  // JSON, as it was sent; nil: none
	Message    Message // all but ID, Receipt and Attributes
}
