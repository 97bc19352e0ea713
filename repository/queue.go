package repository

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// queueColumns are what scanQueue reads, from queues q and its dead-letter queue d.
const queueColumns = `
	q.id, q.account, q.name, q.visibility_timeout, q.delay, q.retention, q.receive_wait, q.max_message_size,
	q.dead_letter_queue, q.max_receives, d.id, q.extra, q.tags, q.created_at, q.updated_at
FROM queues q
LEFT JOIN queues d ON d.account = q.account AND d.name = q.dead_letter_queue AND d.deleted_at IS NULL
WHERE q.deleted_at IS NULL`

// CreateQueue stores a queue, or returns the live one of that name; created tells which.
func (r *Repository) CreateQueue(ctx context.Context, queue service.Queue) (stored service.Queue, created bool, err error) {
	err = pgx.BeginFunc(ctx, r.cold, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
INSERT INTO queues (id, account, name, visibility_timeout, delay, retention, receive_wait, max_message_size,
	dead_letter_queue, max_receives, extra, tags)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (account, name) WHERE deleted_at IS NULL DO NOTHING`,
			append([]any{queue.ID, queue.Account, queue.Name}, settingsParams(queue)...)...)
		if err != nil {
			return err
		}
		created = tag.RowsAffected() == 1
		stored, err = getQueue(ctx, tx, queue.Account, queue.Name)
		return err
	})
	if err != nil {
		return service.Queue{}, false, r.classifyQueue("create queue", queue.Name, err)
	}
	return stored, created, nil
}

// settingsParams are the values of the columns from visibility_timeout to tags.
func settingsParams(q service.Queue) []any {
	s := q.Settings
	var dead *string
	var maxReceives *int
	if s.DeadLetter != nil {
		dead, maxReceives = &s.DeadLetter.Queue, &s.DeadLetter.MaxReceives
	}
	return []any{s.VisibilityTimeout, s.Delay, s.Retention, s.ReceiveWait, s.MaxMessageSize,
		dead, maxReceives, notNil(q.Extra), notNil(q.Tags)}
}

func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func getQueue(ctx context.Context, from querier, account, name string) (service.Queue, error) {
	rows, _ := from.Query(ctx, `SELECT`+queueColumns+` AND q.account = $1 AND q.name = $2`, account, name)
	queue, err := pgx.CollectExactlyOneRow(rows, scanQueue)
	if errors.Is(err, pgx.ErrNoRows) {
		return service.Queue{}, errQueueGone
	}
	return queue, err
}

func scanQueue(row pgx.CollectableRow) (service.Queue, error) {
	var q service.Queue
	var dead *string
	var maxReceives *int
	var deadID *int64
	s := &q.Settings
	err := row.Scan(&q.ID, &q.Account, &q.Name, &s.VisibilityTimeout, &s.Delay, &s.Retention, &s.ReceiveWait,
		&s.MaxMessageSize, &dead, &maxReceives, &deadID, &q.Extra, &q.Tags, &q.CreatedAt, &q.UpdatedAt)
	if dead != nil {
		s.DeadLetter = &service.DeadLetter{Queue: *dead, MaxReceives: *maxReceives}
		if deadID != nil {
			s.DeadLetter.QueueID = *deadID
		}
	}
	return q, err
}

// GetQueue returns a live queue.
func (r *Repository) GetQueue(ctx context.Context, account, name string) (service.Queue, error) {
	queue, err := getQueue(ctx, r.cold, account, name)
	if err != nil {
		return service.Queue{}, r.classifyQueue("get queue", name, err)
	}
	return queue, nil
}

// ListQueues returns up to limit queues whose names begin with prefix and come after the given one.
func (r *Repository) ListQueues(ctx context.Context, account, prefix, after string, limit int) ([]service.Queue, error) {
	rows, _ := r.cold.Query(ctx, `SELECT`+queueColumns+`
	AND q.account = $1
	AND q.name COLLATE "C" > $2
	AND q.name LIKE $3
ORDER BY q.name COLLATE "C"
LIMIT $4`, account, after, escapeLike(prefix)+"%", limit)
	queues, err := pgx.CollectRows(rows, scanQueue)
	if err != nil {
		return nil, r.classify("list queues", err)
	}
	return queues, nil
}

// escapeLike makes a queue name's one wildcard, the underscore, stand for itself.
func escapeLike(prefix string) string { return strings.ReplaceAll(prefix, "_", `\_`) }

// UpdateQueue reads a queue, lets change alter it, and stores it, in one transaction.
func (r *Repository) UpdateQueue(ctx context.Context, account, name string, change func(*service.Queue)) (service.Queue, error) {
	var queue service.Queue
	err := pgx.BeginFunc(ctx, r.cold, func(tx pgx.Tx) error {
		// The lock comes first, so that concurrent changes of different settings both last.
		_, err := tx.Exec(ctx, `SELECT 1 FROM queues WHERE account = $1 AND name = $2 AND deleted_at IS NULL FOR NO KEY UPDATE`, account, name)
		if err != nil {
			return err
		}
		if queue, err = getQueue(ctx, tx, account, name); err != nil {
			return err
		}
		change(&queue)
		_, err = tx.Exec(ctx, `
UPDATE queues
SET visibility_timeout = $2, delay = $3, retention = $4, receive_wait = $5, max_message_size = $6,
	dead_letter_queue = $7, max_receives = $8, extra = $9, tags = $10, updated_at = now()
WHERE id = $1`, append([]any{queue.ID}, settingsParams(queue)...)...)
		if err != nil {
			return err
		}
		queue, err = getQueue(ctx, tx, account, name)
		return err
	})
	if err != nil {
		return service.Queue{}, r.classifyQueue("update queue", name, err)
	}
	return queue, nil
}

// DeleteQueue makes a queue unknown and returns its id. Its messages are collected later.
func (r *Repository) DeleteQueue(ctx context.Context, account, name string) (id int64, err error) {
	rows, _ := r.cold.Query(ctx, `
UPDATE queues
SET deleted_at = now()
WHERE account = $1 AND name = $2 AND deleted_at IS NULL
RETURNING id`, account, name)
	id, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, r.classifyQueue("delete queue", name, err)
	}
	return id, nil
}

// classifyQueue is classify for a call that names a queue.
func (r *Repository) classifyQueue(operation, name string, err error) error {
	if errors.Is(err, errQueueGone) || errors.Is(err, pgx.ErrNoRows) {
		return service.ErrQueueNotFound(name)
	}
	return r.classify(operation+" "+name, err)
}

// QueueStats counts a queue's messages in one snapshot. The total is kept, not counted;
// what is in flight or delayed are ranges of the claim index above now; what has expired
// and was not deleted yet is a short range of the primary key, whose ids carry the time.
func (r *Repository) QueueStats(ctx context.Context, id int64) (service.Stats, error) {
	var total, inFlight, delayed, expired int64
	err := r.cold.QueryRow(ctx, `
SELECT
	(SELECT coalesce(sum(messages), 0)::bigint FROM queue_counters WHERE queue_id = q.id),
	(SELECT count(*) FROM messages WHERE queue_id = q.id AND priority = 0 AND returned AND visible_at > now()),
	(SELECT count(*) FROM messages WHERE queue_id = q.id AND priority = 0 AND NOT returned AND visible_at > now()),
	(
		SELECT count(*)
		FROM messages
		WHERE queue_id = q.id AND id < `+idAt("now() - q.retention")+`
			AND sent_at <= now() - q.retention AND visible_at <= now()
	)
FROM queues q
WHERE q.id = $1`, id).Scan(&total, &inFlight, &delayed, &expired)
	if err != nil {
		return service.Stats{}, r.classifyQueue("count messages", "", err)
	}
	return service.Stats{Visible: total - inFlight - delayed - expired, InFlight: inFlight, Delayed: delayed}, nil
}

// idAt is SQL for the smallest UUID of version 7 that can be made at a time. Ids are
// made by the replicas' clocks, so it narrows a search and never decides it.
func idAt(time string) string {
	return `rpad(lpad(to_hex((extract(epoch FROM ` + time + `) * 1000)::bigint), 12, '0'), 32, '0')::uuid`
}

// PurgeQueue deletes the messages that were sent before the call, in parts that each
// lock little and are counted in their own transaction, and returns their number.
func (r *Repository) PurgeQueue(ctx context.Context, id int64) (purged int64, err error) {
	var until time.Time
	if err := r.cold.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&until); err != nil {
		return 0, r.classify("purge", err)
	}
	for {
		n, err := r.deleteMessages(ctx, id, `sent_at <= $4`, until)
		if err != nil {
			return purged, r.classify("purge", err)
		}
		if n == 0 {
			return purged, nil
		}
		purged += n
	}
}
