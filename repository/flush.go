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
	conn, err := r.hot.Acquire(ctx)
	if err != nil {
		return r.classify("connect", err) // nothing was sent
	}
	defer conn.Release()
	kept := conn.Conn().PgConn().CustomData()
	lane, _ := kept[laneKey].(int)
	batch := &pgx.Batch{}
	for i := range work {
		queueWork(batch, &work[i], lane)
	}
	if batch.Len() == 0 {
		return nil // every receiver has left
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return r.classifyFlush(err)
	}
	if kept[unreplicated] != nil {
		delete(kept, unreplicated)
		return fmt.Errorf("flush: %w: PostgreSQL gave up waiting for a standby", service.ErrOutcomeUnknown)
	}
	return nil
}

// queueWork adds one queue's statements in the order that QueueWork promises.
func queueWork(batch *pgx.Batch, w *service.QueueWork, lane int) {
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
		queueSends(batch, w, lane)
	}
	for _, claim := range w.Claims {
		queueClaim(batch, w, claim, lane)
	}
	if w.Look {
		queueLook(batch, w)
	}
}

func pgUUID(id service.MessageID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }
