package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// Flush carries out all work in one transaction and fills in the answers.
func (r *Repository) Flush(ctx context.Context, work []service.QueueWork) error {
	return r.flush(ctx, work, false)
}

// barrierSQL writes to the log, so that the commit waits for synchronous standbys even
// where the other statements find that everything has happened before.
const barrierSQL = `SELECT pg_logical_emit_message(true, 'tusq', '')`

// Reflush is Flush for work whose commit is unknown.
func (r *Repository) Reflush(ctx context.Context, work []service.QueueWork) error {
	return r.flush(ctx, work, true)
}

// flush sends all statements; again: after a flush of the same work whose commit is unknown.
func (r *Repository) flush(ctx context.Context, work []service.QueueWork, again bool) error {
	conn, err := r.hot.Acquire(ctx)
	if err != nil {
		return r.classify("connect", err) // nothing was sent
	}
	defer conn.Release()
	server := conn.Conn().PgConn()
	kept := server.CustomData()
	lane, _ := kept[laneKey].(int)
	batch := &pgx.Batch{}
	for i := range work {
		if work[i].FIFO {
			queueLockGroups(batch, &work[i])
		}
	}
	for i := range work { // before anything forgets a group that is still empty
		queueBurials(batch, &work[i], lane)
	}
	for i := range work {
		queueWork(batch, &work[i], lane, again)
	}
	if batch.Len() == 0 {
		return nil // every receiver has left
	}
	if again {
		batch.Queue(barrierSQL)
	}
	lost := &lostFlush{pid: server.PID(), application: r.hotName}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return r.classifyFlush(err, lost)
	}
	if kept[unreplicated] != nil {
		_ = conn.Conn().Close(ctx) // as after every lost flush: its backend is ended
		lost.err = errors.New("PostgreSQL gave up waiting for a standby")
		return lost
	}
	return nil
}

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
func queueWork(batch *pgx.Batch, w *service.QueueWork, lane int, again bool) {
	if len(w.Deletes) > 0 {
		queueDeletes(batch, w, lane)
	}
	if len(w.Extends) > 0 {
		queueExtends(batch, w)
	}
	if len(w.Releases) > 0 {
		queueReleases(batch, w)
	}
	if len(w.Sends) > 0 {
		queueSends(batch, w, lane, again)
	}
	if w.FIFO {
		queueRefreshGroups(batch, w)
	}
	for _, claim := range w.Claims {
		queueClaim(batch, w, claim, lane)
	}
	if w.Look {
		queueLook(batch, w)
	}
}

func pgUUID(id service.MessageID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
