package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"

	"tusq/internal/faultpoint"
	"tusq/service"
)

// Flush carries out all work in one transaction and fills in the answers.
func (r *Repository) Flush(ctx context.Context, work []service.QueueWork, executed func()) error {
	return r.flush(ctx, work, executed, false)
}

// barrierSQL writes to the log, so that the commit waits for synchronous standbys even
// where the other statements find that everything has happened before.
const barrierSQL = `SELECT pg_logical_emit_message(true, 'tusq', '')`

// Reflush is Flush for work whose commit is unknown.
func (r *Repository) Reflush(ctx context.Context, work []service.QueueWork, executed func()) error {
	return r.flush(ctx, work, executed, true)
}

// flush sends all statements; again: after a flush of the same work whose commit is unknown.
func (r *Repository) flush(ctx context.Context, work []service.QueueWork, executed func(), again bool) error {
	conn, err := r.hot.Acquire(ctx)
	if err != nil {
		return r.classify("connect", err) // nothing was sent
	}
	defer conn.Release()
	if err := faultpoint.Hit("repository.flush.begin"); err != nil {
		return r.classify("connect", err)
	}
	server := conn.Conn().PgConn()
	kept := server.CustomData()
	b := &batch{}
	queueDurability(b, work)
	begun := len(b.statements)
	for i := range work {
		if work[i].FIFO {
			queueLockGroups(b, &work[i])
		}
	}
	for i := range work { // before anything forgets a group that is still empty
		queueBurials(b, &work[i], r.laneOf(&work[i]))
	}
	for i := range work {
		queueWork(b, &work[i], r.laneOf(&work[i]), again)
	}
	if len(b.statements) == begun {
		return nil // every receiver has left
	}
	if again {
		b.queue(barrierSQL)
	}
	lost := &lostFlush{pid: server.PID(), application: r.hotName}
	if err := b.run(ctx, conn.Conn(), executed); err != nil {
		if isPlanGone(err) || errors.Is(err, errUnread) {
			_ = conn.Conn().Close(ctx)
		}
		return r.classifyFlush(err, lost)
	}
	if kept[unreplicated] != nil || needsStandby(work) && !stillNamed(ctx, conn.Conn()) {
		_ = conn.Conn().Close(ctx) // as after every lost flush: its backend is ended
		lost.err = errors.New("PostgreSQL gave up waiting for a standby")
		return lost
	}
	return nil
}

// laneOf is the lane of a flush's counters.
func (r *Repository) laneOf(w *service.QueueWork) int { return (r.lane + w.Lane) % counterLanes }

// lostFlush is an ErrOutcomeUnknown that knows which backend it was.
type lostFlush struct {
	pid         uint32
	application string
	err         error
}

func (l *lostFlush) Error() string {
	return fmt.Sprintf("flush: %v: %v", service.ErrOutcomeUnknown, l.err)
}

func (l *lostFlush) Unwrap() []error { return []error{service.ErrOutcomeUnknown, l.err} }

// queueWork adds one queue's statements in the order that QueueWork promises. The groups of
// all FIFO queues of the flush are locked before, and burials done; what was settled or
// buried is followed by a look at the groups' new state.
func queueWork(b *batch, w *service.QueueWork, lane int, again bool) {
	if len(w.Deletes) > 0 {
		queueDeletes(b, w, lane)
	}
	if len(w.Extends) > 0 {
		queueExtends(b, w)
	}
	if len(w.Releases) > 0 {
		queueReleases(b, w)
	}
	if len(w.Sends) > 0 {
		queueSends(b, w, lane, again)
	}
	if w.FIFO {
		queueRefreshGroups(b, w)
	}
	for _, claim := range w.Claims {
		queueClaim(b, w, claim, lane)
	}
	if w.Look {
		queueLook(b, w)
	}
}

func pgUUID(id service.MessageID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
