package service

import (
	"context"
	"sync/atomic"
)

const (
	// Bounds of the bytes of messages whose answers are not read yet.
	readyAnswers = 64 << 20  // beyond it a claim takes longAnswer at most
	mostAnswers  = 192 << 20 // beyond it receives are refused with CodeOverloaded
	longAnswer   = 64 << 10  // a shorter one is not counted: the system buffers it
	mostClaimed  = 16 << 20  // of one claim; a message at least is claimed
)

// answers are the bytes of messages that clients have not read yet: of clients that do not
// read, until their connections are cut.
type answers struct{ held atomic.Int64 }

// full is the error of a receive while too much waits to be read.
func (a *answers) full() error {
	if a.held.Load() >= mostAnswers {
		return Errorf(CodeOverloaded, "Too much is waiting to be read; try again in a moment.")
	}
	return nil
}

// claimBytes is how many bytes of messages a claim may take now.
func (a *answers) claimBytes() int64 {
	return min(max(readyAnswers-a.held.Load(), longAnswer), mostClaimed)
}

// hold counts messages until ctx ends, with the request that they answer.
func (a *answers) hold(ctx context.Context, claimed []Claimed) {
	size := int64(0)
	for i := range claimed {
		size += int64(len(claimed[i].Message.Body) + len(claimed[i].Attributes))
	}
	if size < longAnswer || ctx.Done() == nil {
		return
	}
	a.held.Add(size)
	context.AfterFunc(ctx, func() { a.held.Add(-size) })
}
