package repository

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// Flush carries out all work in one transaction and fills in the answers.
func (r *Repository) Flush(ctx context.Context, work []service.QueueWork) error {
	batch := &pgx.Batch{}
	for i := range work {
		r.queueWork(batch, &work[i])
	}
	if batch.Len() == 0 {
		return nil // every receiver has left
	}
	conn, err := r.hot.Acquire(ctx)
	if err != nil {
		return r.classify("connect", err) // nothing was sent
	}
	defer conn.Release()
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return r.classifyFlush(err)
	}
	if marks := conn.Conn().PgConn().CustomData(); marks[unreplicated] != nil {
		delete(marks, unreplicated)
		return fmt.Errorf("flush: %w: PostgreSQL gave up waiting for a standby", service.ErrOutcomeUnknown)
	}
	return nil
}

// queueWork adds one queue's statements in the order that QueueWork promises.
func (r *Repository) queueWork(batch *pgx.Batch, w *service.QueueWork) {
	if len(w.Deletes) > 0 {
		r.queueDeletes(batch, w)
	}
	if len(w.Extends) > 0 {
		queueExtends(batch, w)
	}
	if len(w.Releases) > 0 {
		queueReleases(batch, w)
	}
	if len(w.Sends) > 0 {
		r.queueSends(batch, w)
	}
	for _, claim := range w.Claims {
		r.queueClaim(batch, w, claim)
	}
	if w.Look {
		queueLook(batch, w)
	}
}

func pgUUID(id service.MessageID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
