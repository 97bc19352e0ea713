package service

import (
	"context"
	"errors"
	"time"
)

// Store keeps queues and messages. It is implemented by package repository on
// PostgreSQL. Its methods return Errors with CodeQueueNotFound, CodeUnavailable or
// CodeInternal, and Flush also the two below.
type Store interface {
	QueueStore
	MessageStore
	Maintenance
	Signals

	// ReceiptKey returns the key that seals receipts, the same for all replicas.
	ReceiptKey(ctx context.Context) ([]byte, error)
	// Ping tells whether the database can be written to.
	Ping(ctx context.Context) error
}

// QueueStore keeps queues.
type QueueStore interface {
	// CreateQueue stores a queue, or returns the live one of that name; created tells which.
	CreateQueue(ctx context.Context, queue Queue) (stored Queue, created bool, err error)
	GetQueue(ctx context.Context, account, name string) (Queue, error)
	// ListQueues returns up to limit queues whose names begin with prefix and come after the given one.
	ListQueues(ctx context.Context, account, prefix, after string, limit int) ([]Queue, error)
	// UpdateQueue reads a queue, lets change alter it, and stores it, in one transaction.
	UpdateQueue(ctx context.Context, account, name string, change func(*Queue)) (Queue, error)
	// DeleteQueue makes a queue unknown and returns its id. Its messages are collected later.
	DeleteQueue(ctx context.Context, account, name string) (id int64, err error)
	// PurgeQueue deletes the messages that were sent before the call and returns their number.
	PurgeQueue(ctx context.Context, id int64) (int64, error)
	QueueStats(ctx context.Context, id int64) (Stats, error)
}

// MessageStore keeps messages.
type MessageStore interface {
	// Flush carries out all work in one transaction and fills in the answers.
	Flush(ctx context.Context, work []QueueWork) error
	// Reflush is Flush for work whose commit is unknown. What has happened is not done
	// again, and its success means that the first commit, if there was one, is as durable
	// as its own: a synchronous standby has both. The claims must have been revoked and
	// made anew, and the work must have the same flush id.
	Reflush(ctx context.Context, work []QueueWork) error
	// Revoke makes sure that a flush that ended with flushErr, an ErrOutcomeUnknown, is
	// not committed later than now, and undoes its claims.
	Revoke(ctx context.Context, work []QueueWork, flushErr error) error
	// Leases returns the leases that messages have now, 0 where there is none. Messages
	// that are gone are left out.
	Leases(ctx context.Context, queueID int64, ids []MessageID) (map[MessageID]int64, error)
	// PeekMessages returns a page of messages as they are now, and the next page's cursor.
	PeekMessages(ctx context.Context, queue Queue, peek PeekMessages) ([]Claimed, string, error)
}

// Maintenance is what keeps the tables small. Each method does a bounded part and
// returns how many rows it removed; only one replica at a time does it, the others get 0.
type Maintenance interface {
	// DeleteExpired deletes messages that are older than their queue's retention.
	DeleteExpired(ctx context.Context) (int64, error)
	// CollectDeletedQueues deletes what deleted queues left behind.
	CollectDeletedQueues(ctx context.Context) (int64, error)
}

// Signals carries events between replicas. They are hints: any may be lost.
type Signals interface {
	// Notify tells the other replicas.
	Notify(ctx context.Context, events []Event) error
	// Listen hands on what others notify until ctx ends or the connection is lost.
	// It calls ready once it listens.
	Listen(ctx context.Context, ready func(), receive func(Event)) error
}

// Event says that something has happened to a queue.
type Event struct {
	QueueID int64
	Changed bool          // its settings were changed or it was deleted
	Visible int           // how many messages become visible
	After   time.Duration // when the first of them does, from now
}

// Kinds of errors of Flush.
var (
	// ErrOutcomeUnknown: the connection was lost around the commit.
	ErrOutcomeUnknown = errors.New("it is not known whether the transaction was committed")
	// ErrConflict: the transaction was rolled back for others' sake and may be repeated.
	ErrConflict = errors.New("the transaction conflicted with another")
	// ErrData: the data of at least one item was refused; the others may succeed apart.
	ErrData = errors.New("the database refused an item")
)

// MessageID identifies a message inside its queue: a UUID of version 7.
type MessageID [16]byte

// QueueWork is one queue's part of a flush. Within a flush deletes come first, then
// extends, releases, sends, claims: so a claim sees what was sent beside it.
type QueueWork struct {
	QueueID  int64
	FlushID  int64 // random, the same in all attempts at a flush
	Deletes  []*Settlement
	Extends  []*Settlement
	Releases []*Settlement
	Sends    []*Outgoing
	Claims   []*Claim
	Look     bool // when does the next message become visible?

	// Answers.
	Gone    bool          // the queue does not exist: nothing was sent
	Next    time.Duration // until the next message becomes visible
	HasNext bool          // whether there is one
}

// Settlement is the end or the change of one lease.
type Settlement struct {
	ID      MessageID
	Lease   int64
	Timeout time.Duration // of an extend

	// Answers.
	Done    bool // the lease held
	TooLong bool // an extend would have gone beyond MaxVisibility after the receive
}

// Outgoing is a message to store.
type Outgoing struct {
	ID          MessageID
	Body        string
	Delay       time.Duration
	Attributes  []byte // JSON; nil: none
	GroupID     string
	TraceHeader string
}

// Claim takes up to Max visible messages for Visibility.
type Claim struct {
	Max        int
	Visibility time.Duration
	Retention  time.Duration // messages sent longer ago have expired
	// Returned is how many places at most go to messages that came back while fresh ones wait too.
	Returned int
	// Lease is the first of the Max leases to give; the others follow it.
	Lease      int64
	DeadLetter *DeadLetter // with its QueueID; nil: none

	// Answers.
	Messages []Claimed // in the order in which they are to be delivered
	Moved    int       // messages that went to the dead-letter queue instead
	More     bool      // the claim ended before the queue did: ask again
}

// Claimed is a message with its new lease.
type Claimed struct {
	ID         MessageID
	Lease      int64
	Attributes []byte  // JSON, as it was sent; nil: none
	Message    Message // all but ID, Receipt and Attributes
}
