package repository

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/internal/faultpoint"
)

// deletePart is how many messages background work deletes in one transaction.
const deletePart = 5000

// deletePartText is deletePart in SQL.
const deletePartText = "5000"

// deleteAttempts is how often a part is tried that deadlocks with settlements.
const deleteAttempts = 5

// part chooses some of a queue's messages, oldest first. The condition's parameters begin
// at $4.
type part struct {
	queueID   int64
	fifo      bool
	condition string
	params    []any
}

// deleteMessages deletes up to deletePart messages and counts them. On a FIFO queue it
// holds their groups, which may go on afterwards. Those that others have changed at that moment are found and not
// deleted: where nothing is found, nothing is left.
func (r *Repository) deleteMessages(ctx context.Context, p part) (found, deleted int64, err error) {
	for attempt := 1; ; attempt++ {
		err := acknowledged(ctx, r.jobs, func(tx pgx.Tx) error {
			if p.fifo {
				return r.deleteFIFOPart(ctx, tx, p, &found, &deleted)
			}
			params := append([]any{p.queueID, r.lane + jobLanes, deletePart}, p.params...)
			err := tx.QueryRow(ctx, deletePartSQL(p.condition), params...).Scan(&found, &deleted)
			return cmp.Or(err, faultpoint.Hit("repository.delete.part"))
		})
		err = cmp.Or(err, faultpoint.Hit("repository.delete.done"))
		if err == nil {
			return found, deleted, nil
		}
		var refused *pgconn.PgError
		if attempt == deleteAttempts || !errors.As(err, &refused) || !isConflict(refused) {
			return 0, 0, err
		}
	}
}

func deletePartSQL(condition string) string {
	return `
WITH doomed AS MATERIALIZED (
	SELECT ctid, queue_id
	FROM messages
	WHERE queue_id = $1 AND ` + condition + `
	ORDER BY id
	LIMIT $3
	FOR UPDATE
), deleted AS (
	DELETE FROM messages m
	USING doomed d
	WHERE m.ctid = d.ctid AND m.queue_id = d.queue_id
	RETURNING 1
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages)
	SELECT $1, $2, -count(*) FROM deleted HAVING count(*) > 0
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages
)
SELECT (SELECT count(*) FROM doomed), (SELECT count(*) FROM deleted)`
}

// deleteFIFOPart chooses messages, locks their groups as flushes do, and then deletes those
// of the messages that are still there.
func (r *Repository) deleteFIFOPart(ctx context.Context, tx pgx.Tx, p part, found, deleted *int64) error {
	params := append([]any{p.queueID, r.lane + jobLanes, deletePart}, p.params...)
	rows, _ := tx.Query(ctx, `
SELECT group_id, id
FROM messages
WHERE queue_id = $1 AND $2::int IS NOT NULL AND `+p.condition+`
ORDER BY id
LIMIT $3`, params...)
	var groups []string
	var ids []pgtype.UUID
	var group string
	var id pgtype.UUID
	_, err := pgx.ForEachRow(rows, []any{&group, &id}, func() error {
		groups, ids = append(groups, group), append(ids, id)
		return nil
	})
	*found, *deleted = int64(len(ids)), 0
	if err != nil || len(ids) == 0 {
		return err
	}
	lock := lockOf(groups, noDelay)
	if _, err := tx.Exec(ctx, lockGroupsSQL, p.queueID, lock.groups, lock.after); err != nil {
		return err
	}
	if err := faultpoint.Hit("repository.delete.locked"); err != nil {
		return err
	}
	sql := deletePartSQL(p.condition + fmt.Sprintf(" AND id = ANY($%d)", len(params)+1))
	if err := tx.QueryRow(ctx, sql, append(params, ids)...).Scan(new(int64), deleted); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, refreshGroupsSQL, p.queueID, lock.groups)
	return cmp.Or(err, faultpoint.Hit("repository.delete.part"))
}

// Keys of the advisory locks that let one replica at a time do a job.
const (
	lockExpire   = 0x74757371_0001
	lockCollect  = 0x74757371_0002
	lockForget   = 0x74757371_0003
	lockSessions = 0x74757371_0005 // 4 is lockFix
	lockAudit    = 0x74757371_0006
)

// exclusively runs a job where the query due, which is all that an idle server is asked, finds
// something to do, unless another replica is running it. The query has a fixed plan: to a planner that
// trusts it to end at the first row, reading a whole table seems cheap. The lock belongs to a
// transaction, so that it works through a pooler and ends with the connection.
func (r *Repository) exclusively(ctx context.Context, lock int64, due string, job func(pgx.Tx) (int64, error)) (done int64, err error) {
	var any bool
	err = pgx.BeginFunc(ctx, r.jobs, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (`+due+`)`).Scan(&any)
	})
	if err != nil || !any {
		return 0, err
	}
	err = pgx.BeginFunc(ctx, r.cold, func(tx pgx.Tx) error {
		// The lock's transaction is idle while the job works on other connections.
		if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		var locked bool
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, lock).Scan(&locked); err != nil || !locked {
			return err
		}
		if err := faultpoint.Hit("repository.job.locked"); err != nil {
			return err
		}
		done, err = job(tx)
		return cmp.Or(err, faultpoint.Hit("repository.job.done"))
	})
	return done, err
}

// forEachQueue does something for each queue, the others too where one fails.
func forEachQueue[Q any](queues []Q, do func(Q) (int64, error)) (done int64, err error) {
	for _, queue := range queues {
		n, queueErr := do(queue)
		done += n
		if queueErr != nil {
			err = errors.Join(err, fmt.Errorf("queue %v: %w", queue, queueErr))
		}
	}
	return done, err
}

// expiredQueuesSQL finds queues that hold messages that are older than their retention.
var expiredQueuesSQL = `
SELECT q.id, q.fifo
FROM queues q
CROSS JOIN LATERAL (
	SELECT 1
	FROM messages
	WHERE queue_id = q.id AND id < ` + idAt("tusq_now() - q.retention") + ` AND sent_at <= tusq_now() - q.retention
	ORDER BY id
	LIMIT 1
) AS m
WHERE q.deleted_at IS NULL`

// DeleteExpired deletes messages that are older than their queue's retention.
func (r *Repository) DeleteExpired(ctx context.Context) (int64, error) {
	deleted, err := r.exclusively(ctx, lockExpire, faultpoint.SQL(expiredQueuesSQL), func(pgx.Tx) (int64, error) {
		var queues []livingQueue
		err := pgx.BeginFunc(ctx, r.jobs, func(tx pgx.Tx) (err error) {
			rows, _ := tx.Query(ctx, faultpoint.SQL(expiredQueuesSQL))
			queues, err = pgx.CollectRows(rows, pgx.RowToStructByPos[livingQueue])
			return err
		})
		if err != nil {
			return 0, err
		}
		return forEachQueue(queues, func(q livingQueue) (int64, error) {
			_, n, err := r.deleteMessages(ctx, part{queueID: q.ID, fifo: q.FIFO, condition: faultpoint.SQL(expired)})
			return n, err
		})
	})
	if err != nil {
		return deleted, r.classify("delete expired messages", err)
	}
	return deleted, nil
}

type livingQueue struct {
	ID   int64
	FIFO bool
}

// expired is the condition that a message is older than its queue's retention now.
var expired = `id < ` + idAt(retentionStart) + ` AND sent_at <= ` + retentionStart

const retentionStart = `(SELECT tusq_now() - retention FROM queues WHERE id = $1)`

// deletedQueuesSQL finds the queues that were deleted first.
const deletedQueuesSQL = `
SELECT id
FROM queues
WHERE deleted_at IS NOT NULL
ORDER BY deleted_at
LIMIT 100`

// CollectDeletedQueues deletes what deleted queues left behind. Their rows stay for a
// minute at least, so that a send that was under way leaves nothing.
func (r *Repository) CollectDeletedQueues(ctx context.Context) (int64, error) {
	collected, err := r.exclusively(ctx, lockCollect, deletedQueuesSQL, func(tx pgx.Tx) (int64, error) {
		rows, _ := tx.Query(ctx, deletedQueuesSQL)
		queues, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return 0, err
		}
		return forEachQueue(queues, func(id int64) (int64, error) {
			// Nothing else changes what is left, so groups need no lock.
			found, n, err := r.deleteMessages(ctx, part{queueID: id, condition: `true`})
			if err == nil && found == 0 {
				n, err = r.deleteRows(ctx, "message_groups", `queue_id = $1`, `group_id`, id)
			}
			if err == nil && found == 0 && n == 0 {
				n, err = r.forgetQueue(ctx, id)
			}
			return n, err
		})
	})
	if err != nil {
		return collected, r.classify("collect deleted queues", err)
	}
	return collected, nil
}

// forgetQueue removes the last traces of a queue that was deleted more than a minute ago.
func (r *Repository) forgetQueue(ctx context.Context, id int64) (int64, error) {
	if err := faultpoint.Hit("repository.collect.queue"); err != nil {
		return 0, err
	}
	tag, err := r.cold.Exec(ctx, `
WITH forgotten AS (
	DELETE FROM queues
	WHERE id = $1 AND deleted_at < tusq_now() - interval '1 minute'
	RETURNING id
)
DELETE FROM queue_counters
WHERE queue_id IN (SELECT id FROM forgotten)`, id)
	return tag.RowsAffected(), err
}
