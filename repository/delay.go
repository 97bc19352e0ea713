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

// delayAgain makes a FIFO queue's new delay hold for the messages that were never received:
// those that are delayed, and those that would still be. It takes the groups in parts. Done again it changes nothing.
func (r *Repository) delayAgain(ctx context.Context, queueID int64, delay time.Duration) error {
	last := ""
	for {
		rows, _ := r.cold.Query(ctx, `
SELECT group_id
FROM message_groups
WHERE queue_id = $1 AND group_id > $2
ORDER BY group_id
LIMIT $3`, queueID, last, delayPart)
		groups, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(groups) == 0 {
			return err
		}
		err = acknowledged(ctx, r.jobs, func(tx pgx.Tx) error {
			return delayGroups(ctx, tx, queueID, groups, delay)
		})
		if err != nil {
			return err
		}
		last = groups[len(groups)-1]
	}
}

// delayPart is how many groups are delayed anew in one transaction.
const delayPart = 1000

func delayGroups(ctx context.Context, tx pgx.Tx, queueID int64, groups []string, delay time.Duration) error {
	lock := lockOf(groups, noDelay)
	if _, err := tx.Exec(ctx, lockGroupsSQL, queueID, lock.groups, lock.after); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
UPDATE messages
SET visible_at = sent_at + $3::interval
WHERE queue_id = $1 AND group_id = ANY($2) AND seq IS NOT NULL AND NOT returned
	AND visible_at > tusq_now() - $4::interval AND visible_at <> sent_at + $3::interval`,
		queueID, groups, delay, service.MaxDelay)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, refreshGroupsSQL, queueID, lock.groups)
	return err
}
