package repository

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/faultpoint"
	"tusq/service"
)

// queueColumns are what scanQueue reads, from queues q and its dead-letter queue d.
const queueColumns = `
	q.id, q.account, q.name, q.visibility_timeout, q.delay, q.retention, q.receive_wait, q.max_message_size,
	q.dead_letter_queue, q.max_receives, d.id, q.extra, q.tags, q.created_at, q.updated_at,
	q.fifo, q.content_deduplication, q.deduplication_scope, q.durability, q.data_key
FROM queues q
LEFT JOIN queues d ON d.account = q.account AND d.name = q.dead_letter_queue AND d.deleted_at IS NULL
WHERE q.deleted_at IS NULL`

// CreateQueue stores a queue, or returns the live one of that name; created tells which.
// It fails with CodeQueueDeletedRecently where one was deleted less than reuseAfter ago.
func (r *Repository) CreateQueue(ctx context.Context, queue service.Queue, reuseAfter time.Duration) (stored service.Queue, created bool, err error) {
	err = r.change(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
INSERT INTO queues (id, account, name, fifo, deduplication_scope, visibility_timeout, delay, retention, receive_wait,
	max_message_size, dead_letter_queue, max_receives, extra, tags, content_deduplication, durability, data_key, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, tusq_now(), tusq_now())
ON CONFLICT (account, name) WHERE deleted_at IS NULL DO NOTHING`,
			append([]any{queue.ID, queue.Account, queue.Name, queue.Settings.FIFO, queue.Settings.DeduplicationScope},
				settingsParams(queue)...)...)
		if err != nil {
			return err
		}
		created = tag.RowsAffected() == 1
		if created {
			if err := storeDataKey(ctx, tx, queue.NewDataKey); err != nil {
				return err
			}
		}
		if created && reuseAfter > 0 {
			if err := checkReuse(ctx, tx, queue, reuseAfter); err != nil {
				return err
			}
		}
		if !created {
			if _, err := tx.Exec(ctx, barrierSQL); err != nil {
				return err
			}
		}
		stored, err = getQueue(ctx, tx, queue.Account, queue.Name)
		return err
	})
	if err != nil {
		return service.Queue{}, false, r.classifyQueue("create queue", queue.Name, err)
	}
	return stored, created, nil
}

// checkReuse refuses the name of a queue that was deleted a moment ago.
func checkReuse(ctx context.Context, tx pgx.Tx, queue service.Queue, after time.Duration) error {
	var recently bool
	err := tx.QueryRow(ctx, `
SELECT EXISTS (
	SELECT 1
	FROM queues
	WHERE account = $1 AND name = $2 AND deleted_at > tusq_now() - $3::interval
)`, queue.Account, queue.Name, after).Scan(&recently)
	if err == nil && recently {
		return service.Errorf(service.CodeQueueDeletedRecently, "A queue of this name was deleted less than %d seconds ago.", int(after.Seconds()))
	}
	return err
}

// settingsParams are the values of the columns from visibility_timeout to data_key.
func settingsParams(q service.Queue) []any {
	s := q.Settings
	var dead *string
	var maxReceives *int
	if s.DeadLetter != nil {
		dead, maxReceives = &s.DeadLetter.Queue, &s.DeadLetter.MaxReceives
	}
	var dataKey *int64
	if q.DataKeyID != 0 {
		dataKey = &q.DataKeyID
	}
	return []any{s.VisibilityTimeout, s.Delay, s.Retention, s.ReceiveWait, s.MaxMessageSize,
		dead, maxReceives, notNil(q.Extra), notNil(q.Tags), s.ContentDeduplication,
		cmp.Or(s.Durability, service.DurabilityDefault), dataKey}
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
	var deadID, dataKey *int64
	s := &q.Settings
	err := row.Scan(&q.ID, &q.Account, &q.Name, &s.VisibilityTimeout, &s.Delay, &s.Retention, &s.ReceiveWait,
		&s.MaxMessageSize, &dead, &maxReceives, &deadID, &q.Extra, &q.Tags, &q.CreatedAt, &q.UpdatedAt,
		&s.FIFO, &s.ContentDeduplication, &s.DeduplicationScope, &s.Durability, &dataKey)
	s.Encryption = service.EncryptionNone
	if dataKey != nil {
		s.Encryption, q.DataKeyID = service.EncryptionBody, *dataKey
	}
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

// ListQueues returns the queues that a filter chooses, in the order of their names.
func (r *Repository) ListQueues(ctx context.Context, filter service.QueueFilter) ([]service.Queue, error) {
	rows, _ := r.cold.Query(ctx, `SELECT`+queueColumns+`
	AND q.account = $1
	AND q.name COLLATE "C" > $2
	AND q.name LIKE $3
	AND ($4 = '' OR q.dead_letter_queue = $4)
	AND (q.name = ANY ($6::text[]) OR EXISTS (SELECT 1 FROM unnest($7::text[]) AS b WHERE starts_with(q.name, b)))
ORDER BY q.name COLLATE "C"
LIMIT $5`, filter.Account, filter.After, escapeLike(filter.Prefix)+"%", filter.DeadLetter, filter.Limit,
		filter.Names, filter.Beginnings)
	queues, err := pgx.CollectRows(rows, scanQueue)
	if err != nil {
		return nil, r.classify("list queues", err)
	}
	return queues, nil
}

// escapeLike makes a queue name's one wildcard, the underscore, stand for itself.
func escapeLike(prefix string) string { return strings.ReplaceAll(prefix, "_", `\_`) }

// UpdateQueue reads a queue, lets change alter it, and stores it, in one transaction.
func (r *Repository) UpdateQueue(ctx context.Context, account, name string, change func(*service.Queue) error) (service.Queue, error) {
	var queue service.Queue
	var delaying bool // its delay changes now, or such a change was interrupted
	err := r.change(ctx, func(tx pgx.Tx) error {
		// The lock comes first, so that concurrent changes of different settings both last.
		err := tx.QueryRow(ctx, `
SELECT delaying
FROM queues
WHERE account = $1 AND name = $2 AND deleted_at IS NULL
FOR NO KEY UPDATE`, account, name).Scan(&delaying)
		if err != nil {
			return err
		}
		if queue, err = getQueue(ctx, tx, account, name); err != nil {
			return err
		}
		before := queue.Settings
		if err := change(&queue); err != nil {
			return err
		}
		delaying = delaying || before.FIFO && before.Delay != queue.Settings.Delay
		_, err = tx.Exec(ctx, `
UPDATE queues
SET visibility_timeout = $2, delay = $3, retention = $4, receive_wait = $5, max_message_size = $6,
	dead_letter_queue = $7, max_receives = $8, extra = $9, tags = $10, content_deduplication = $11, durability = $12, data_key = $13,
	delaying = $14, updated_at = tusq_now()
WHERE id = $1`, append(append([]any{queue.ID}, settingsParams(queue)...), delaying)...)
		if err != nil {
			return err
		}
		if err := storeDataKey(ctx, tx, queue.NewDataKey); err != nil {
			return err
		}
		queue, err = getQueue(ctx, tx, account, name)
		return err
	})
	if err == nil && delaying {
		err = r.delayAgain(context.WithoutCancel(ctx), queue)
	}
	if err != nil {
		return service.Queue{}, r.classifyQueue("update queue", name, err)
	}
	return queue, nil
}

// DeleteQueue makes a queue unknown and returns its id. Its messages are collected later.
func (r *Repository) DeleteQueue(ctx context.Context, account, name string) (id int64, err error) {
	err = r.change(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
UPDATE queues
SET deleted_at = tusq_now()
WHERE account = $1 AND name = $2 AND deleted_at IS NULL
RETURNING id`, account, name).Scan(&id)
	})
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
	(SELECT count(*) FROM messages WHERE queue_id = q.id AND priority = 0 AND returned AND visible_at > tusq_now()),
	(SELECT count(*) FROM messages WHERE queue_id = q.id AND priority = 0 AND NOT returned AND visible_at > tusq_now()),
	(
		SELECT count(*)
		FROM messages
		WHERE queue_id = q.id AND id < `+idAt("tusq_now() - q.retention")+`
			AND sent_at <= tusq_now() - q.retention AND visible_at <= tusq_now()
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
func (r *Repository) PurgeQueue(ctx context.Context, id int64, every time.Duration) (purged int64, err error) {
	var until time.Time
	var last *time.Time
	p := part{queueID: id, condition: `sent_at <= $4`}
	err = r.change(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
UPDATE queues q
SET purged_at = tusq_now()
FROM (SELECT purged_at FROM queues WHERE id = $1) AS was
WHERE q.id = $1 AND q.deleted_at IS NULL AND ($2::interval = '0' OR q.purged_at IS NULL OR q.purged_at <= tusq_now() - $2::interval)
RETURNING q.purged_at, was.purged_at, q.fifo`, id, every).Scan(&until, &last, &p.fifo)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, service.Errorf(service.CodePurgeInProgress, "The queue was purged less than %d seconds ago.", int(every.Seconds()))
	}
	if err = cmp.Or(err, faultpoint.Hit("repository.purge.begin")); err == nil {
		p.params = []any{until}
		purged, err = r.purge(ctx, p, until)
	}
	if err != nil {
		// It may be tried again at once. That is not worth a long wait for a standby.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_, _ = r.cold.Exec(ctx, `UPDATE queues SET purged_at = $2 WHERE id = $1`, id, last)
		return purged, r.classify("purge", err)
	}
	return purged, nil
}

// purge deletes all messages of a kind, and then the deduplication ids of those sent until then.
func (r *Repository) purge(ctx context.Context, p part, until time.Time) (purged int64, err error) {
	for {
		found, n, err := r.deleteMessages(ctx, p)
		purged += n
		if err != nil {
			return purged, err
		}
		if found == 0 {
			break
		}
	}
	if !p.fifo {
		return purged, nil
	}
	if err := faultpoint.Hit("repository.purge.keys"); err != nil {
		return purged, err
	}
	return purged, r.forgetKeysOf(ctx, p.queueID, until)
}

// CountInFlight counts messages in flight, up to limit: a range of the claim index.
func (r *Repository) CountInFlight(ctx context.Context, id int64, limit int) (counted int, err error) {
	err = r.cold.QueryRow(ctx, `
SELECT count(*)
FROM (
	SELECT
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND returned AND visible_at > tusq_now()
	LIMIT $2
) AS in_flight`, id, limit).Scan(&counted)
	if err != nil {
		return 0, r.classify("count messages in flight", err)
	}
	return counted, nil
}
