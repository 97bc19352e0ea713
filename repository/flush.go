package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
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
	b := &batch{}
	if r.way.pooled {
		b.known = &r.known
	}
	queueDurability(b, work)
	begun := len(b.statements)
	chosen := r.countersOf(work, again)
	r.queueAll(b, work, chosen, again)
	if len(b.statements) == begun {
		return nil // every receiver has left
	}
	if again {
		b.queue(barrierSQL)
	}
	described, err := b.describe(ctx, conn.Conn())
	if err != nil {
		return r.classifyBegin(err)
	}
	server := conn.Conn().PgConn()
	lost := &lostFlush{pid: server.PID(), application: r.hotName}
	if r.way.pooled {
		if err := lost.begin(ctx, server, r.hot.begin); err != nil {
			return r.classifyBegin(err)
		}
	}
	if err := b.run(ctx, conn.Conn(), described, r.seededCounts(ctx, work, executed, again)); err != nil {
		err = r.failed(ctx, conn.Conn(), err, lost)
		if errors.Is(err, service.ErrFull) && r.counters.withdraw(chosen) {
			return fmt.Errorf("%w: %s", service.ErrConflict, err.Error()) // as it was before, it may find room
		}
		return err
	}
	if server.CustomData()[unreplicated] != nil || needsStandby(work) && !stillNamed(ctx, conn.Conn()) {
		_ = conn.Conn().Close(ctx) // as after every lost flush: its backend is ended
		lost.err = errGivenUp
		return lost
	}
	r.counters.committed(chosen)
	return nil
}

// failed is the end of a flush that began.
func (r *Repository) failed(ctx context.Context, conn *pgx.Conn, err error, lost *lostFlush) error {
	if isPlanGone(err) || errors.Is(err, errUnread) {
		_ = conn.Close(ctx)
	}
	if r.way.pooled {
		r.known.forget()
		giveBack(ctx, conn.PgConn())
	}
	return r.classifyFlush(err, lost)
}

// queueAll adds all work's statements.
func (r *Repository) queueAll(b *batch, work []service.QueueWork, chosen []counter, again bool) {
	for i := range work {
		if work[i].FIFO {
			queueLockGroups(b, &work[i])
		}
	}
	for i := range work { // before anything forgets a group that is still empty
		queueBurials(b, &work[i], r.laneOf(&work[i])+buryLanes)
	}
	for i := range work {
		queueWork(b, &work[i], chosen[i], again)
	}
}

// lostFlush is an ErrOutcomeUnknown that knows which backend it was.
type lostFlush struct {
	pid         uint32
	application string // of the backend's connection; behind a pooler it may serve others now
	began       int64  // behind a pooler, the transaction's time in microseconds; else 0
	err         error
}

func (l *lostFlush) Error() string {
	return fmt.Sprintf("flush: %v: %v", service.ErrOutcomeUnknown, l.err)
}

func (l *lostFlush) Unwrap() []error { return []error{service.ErrOutcomeUnknown, l.err} }

// queueWork adds one queue's statements in the order that QueueWork promises. The groups of
// all FIFO queues of the flush are locked before, and burials done; what was settled or
// buried is followed by a look at the groups' new state.
func queueWork(b *batch, w *service.QueueWork, n counter, again bool) {
	queueLocks(b, w)
	if len(w.Deletes) > 0 {
		queueDeletes(b, w, n.number())
	}
	if len(w.Extends) > 0 {
		queueExtends(b, w)
	}
	if len(w.Releases) > 0 {
		queueReleases(b, w)
	}
	if len(w.Sends) > 0 {
		queueSends(b, w, n.number(), again)
	}
	queueCarry(b, n)
	if w.FIFO {
		queueRefreshGroups(b, w)
	}
	for _, claim := range w.Claims {
		queueClaim(b, w, claim, n.lane.lane+buryLanes)
	}
	if w.Look {
		queueLook(b, w)
	}
}

func pgUUID(id service.MessageID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
