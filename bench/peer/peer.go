// Package peer drives other queues with the workloads of `tusq bench`, each over its native client.
package peer

import (
	"context"
	"time"

	"tusq/bench/report"
)

// receiveWait is how long a receive waits for a first message.
const receiveWait = time.Second

// System is a queue under test. Start makes a new, empty one in a directory; Stop ends all that Start began, also after a
// Start that failed, and may be called again.
type System interface {
	Series() report.Series
	Start(ctx context.Context, dir string) error
	Connect(ctx context.Context, kind Kind) (Session, error)
	Stop()
}

// Kind is what a session will do. Batch is the most messages that one call carries.
type Kind struct {
	Sends, Receives bool
	Batch           int
}

// Session is one worker's connection; it has one call at a time.
type Session interface {
	// Send returns when all bodies are as durable as the series says.
	Send(ctx context.Context, bodies []string) error
	// Receive waits up to about a second for a message and returns those that are there, at most limit; none is no error.
	Receive(ctx context.Context, limit int) ([]Delivery, error)
	// Settle acknowledges messages for good.
	Settle(ctx context.Context, deliveries []Delivery) error
	Close()
}

// Delivery is a received message. Handle is what its session needs to settle it.
type Delivery struct {
	Body   string
	Handle any
}

// Settler is a System that settles in the background: the load counts its number instead of the calls.
type Settler interface {
	// Settled counts the messages whose settling is durable.
	Settled() int64
}
