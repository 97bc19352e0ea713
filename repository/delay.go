package repository

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// outlive waits for the end of all transactions that write at the moment, and so may have read what was there before. It
// waits no longer than a flush waits for a lock: what takes longer is somebody else's.
func (r *Repository) outlive(ctx context.Context) error {
	var next, oldest int64
	err := r.cold.QueryRow(ctx, `SELECT pg_current_xact_id()::text::bigint`).Scan(&next)
	for began := time.Now(); err == nil && oldest < next && time.Since(began) < outliveMost; {
		err = r.cold.QueryRow(ctx, `SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint`).Scan(&oldest)
		if oldest < next {
			time.Sleep(outlivePause)
		}
	}
	return err
}

const (
	outliveMost  = 3 * time.Second
	outlivePause = 5 * time.Millisecond // between two looks
)

// delayAgain makes a FIFO queue's new delay hold for the messages that were never received: those that are delayed, and
// those that would still be. It takes the groups in parts. Where it is interrupted the queue's next change goes through them again.
func (r *Repository) delayAgain(ctx context.Context, queue service.Queue) error {
	if err := r.outlive(ctx); err != nil {
		return err
	}
	for last, more := "", true; more; {
		var err error
		if last, more, err = r.delayNext(ctx, queue.ID, last); err != nil {
			return err
		}
	}
	_, err := r.cold.Exec(ctx, `UPDATE queues SET delaying = false WHERE id = $1 AND delay = $2`, queue.ID, queue.Settings.Delay)
	return err
}

// delayPart is how many groups are delayed anew in one transaction.
const delayPart = 1000

// delayNext delays the next groups after one anew, and returns the last of them.
func (r *Repository) delayNext(ctx context.Context, queueID int64, after string) (last string, more bool, err error) {
	rows, _ := r.cold.Query(ctx, `
SELECT group_id
FROM message_groups
WHERE queue_id = $1 AND group_id > $2
ORDER BY group_id
LIMIT $3`, queueID, after, delayPart)
	groups, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(groups) == 0 {
		return "", false, err
	}
	err = acknowledged(ctx, r.jobs, func(tx pgx.Tx) error { return delayGroups(ctx, tx, queueID, groups) })
	return groups[len(groups)-1], len(groups) == delayPart, err
}

func delayGroups(ctx context.Context, tx pgx.Tx, queueID int64, groups []string) error {
	lock := lockOf(groups, noDelay)
	if _, err := tx.Exec(ctx, lockGroupsSQL, queueID, lock.groups, lock.after); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
UPDATE messages m
SET visible_at = m.sent_at + q.delay
FROM queues q
WHERE q.id = $1 AND m.queue_id = $1 AND m.group_id = ANY($2) AND m.seq IS NOT NULL AND NOT m.returned
	AND m.visible_at > tusq_now() - $3::interval AND m.visible_at <> m.sent_at + q.delay`,
		queueID, groups, service.MaxDelay)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, refreshGroupsSQL, queueID, lock.groups)
	return err
}
