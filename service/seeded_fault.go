//go:build fault

package service

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"tusq/internal/faultpoint"
)

type flushFunc = func(ctx context.Context, work []QueueWork, executed func()) error

// seededFlush answers before the commit, whose error it drops.
func seededFlush(flush flushFunc) flushFunc {
	if !faultpoint.Bug("ack-before-commit") {
		return flush
	}
	return func(ctx context.Context, work []QueueWork, executed func()) error {
		executing, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		done := make(chan error, 2)
		go func() {
			defer cancel()
			done <- flush(executing, work, func() { done <- nil })
		}()
		return <-done
	}
}

// seededHandoffs gives receivers what is about to be stored.
func seededHandoffs(l *parking, handoffs []handoff) []handoff {
	if !faultpoint.Bug("handoff-before-commit") {
		return handoffs
	}
	return slices.DeleteFunc(handoffs, func(h handoff) bool {
		if !h.work.FIFO {
			l.complete([]handoff{h})
		}
		return !h.work.FIFO
	})
}

// seededReflush takes a lost connection for a flush that was not committed.
func seededReflush(store Store, ops []*op) flushFunc {
	if !faultpoint.Bug("resend-with-new-ids") {
		return store.Reflush
	}
	for _, o := range ops {
		if o.kind == opSend {
			o.send.ID = MessageID(uuid.Must(uuid.NewV7()))
			o.send.StoredID = o.send.ID
		}
	}
	return store.Flush
}
