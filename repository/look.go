package repository

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// lookSQL tells how long it is until the next message becomes visible. Each probe ends
// at the first entry of the claim index.
const lookSQL = `
SELECT (extract(epoch FROM least(
	(
		SELECT visible_at
		FROM messages
		WHERE queue_id = $1 AND priority = 0 AND returned AND visible_at > tusq_now()
		ORDER BY visible_at
		LIMIT 1
	), (
		SELECT visible_at
		FROM messages
		WHERE queue_id = $1 AND priority = 0 AND NOT returned AND visible_at > tusq_now()
		ORDER BY visible_at
		LIMIT 1
	)) - tusq_now()) * 1000000)::bigint`

func queueLook(b *batch, w *service.QueueWork) {
	sql := lookSQL
	if w.FIFO {
		sql = lookFIFOSQL
	}
	b.queue(sql, w.QueueID).row(func(row pgx.Row) error {
		var microseconds *int64
		err := row.Scan(&microseconds)
		w.HasNext = microseconds != nil
		if w.HasNext {
			w.Next = time.Duration(*microseconds) * time.Microsecond
		}
		return err
	})
}

// checkSQL finds the queues that exist, and whether something is visible in each: above the
// floors in a standard queue, or a group that is ready in a FIFO queue.
const checkSQL = `
SELECT q.id, coalesce(fresh.found, returned.found, ready.found, false), q.updated_at
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS w (id, fresh, returned)
CROSS JOIN LATERAL (
	SELECT id, fifo, updated_at
	FROM queues
	WHERE id BETWEEN w.id AND w.id AND deleted_at IS NULL
	ORDER BY id
	LIMIT 1
) AS q
LEFT JOIN LATERAL (
	SELECT true AS found
	FROM messages
	WHERE NOT q.fifo AND queue_id = w.id AND priority = 0 AND NOT returned AND visible_at >= w.fresh AND visible_at <= tusq_now()
	ORDER BY queue_id, priority, returned, visible_at
	LIMIT 1
) AS fresh ON true
LEFT JOIN LATERAL (
	SELECT true AS found
	FROM messages
	WHERE NOT q.fifo AND queue_id = w.id AND priority = 0 AND returned AND visible_at >= w.returned AND visible_at <= tusq_now()
	ORDER BY queue_id, priority, returned, visible_at
	LIMIT 1
) AS returned ON true
LEFT JOIN LATERAL (
	SELECT true AS found
	FROM generate_series(0, 2) AS t (turn)
	CROSS JOIN LATERAL (
		SELECT 1
		FROM message_groups
		WHERE q.fifo AND queue_id = w.id AND turn BETWEEN t.turn AND t.turn AND ready_at <= tusq_now()
		ORDER BY turn, ready_at
		LIMIT 1
	) AS g
	LIMIT 1
) AS ready ON true`

// Check looks at queues whose receivers wait. Those that do not exist are left out.
func (r *Repository) Check(ctx context.Context, queues []service.QueueCheck) (map[int64]service.QueueChecked, error) {
	ids, fresh, returned := make([]int64, len(queues)), make([]pgtype.Timestamptz, len(queues)), make([]pgtype.Timestamptz, len(queues))
	for i, q := range queues {
		ids[i], fresh[i], returned[i] = q.ID, floorParam(q.From.Fresh), floorParam(q.From.Returned)
	}
	found := make(map[int64]service.QueueChecked, len(queues))
	var id int64
	var checked service.QueueChecked
	err := pgx.BeginFunc(ctx, r.jobs, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, checkSQL, ids, fresh, returned)
		_, err := pgx.ForEachRow(rows, []any{&id, &checked.Visible, &checked.UpdatedAt}, func() error {
			found[id] = checked
			return nil
		})
		return err
	})
	if err != nil {
		return nil, r.classify("check queues", err)
	}
	return found, nil
}

// sweepSQL finds the first message below each floor.
const sweepSQL = `
SELECT w.id, fresh.visible_at, returned.visible_at
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS w (id, fresh, returned)
LEFT JOIN LATERAL (
	SELECT visible_at
	FROM messages
	WHERE queue_id = w.id AND priority = 0 AND NOT returned AND visible_at < w.fresh
	ORDER BY queue_id, priority, returned, visible_at
	LIMIT 1
) AS fresh ON true
LEFT JOIN LATERAL (
	SELECT visible_at
	FROM messages
	WHERE queue_id = w.id AND priority = 0 AND returned AND visible_at < w.returned
	ORDER BY queue_id, priority, returned, visible_at
	LIMIT 1
) AS returned ON true
WHERE fresh.visible_at IS NOT NULL OR returned.visible_at IS NOT NULL`

// Sweep returns where claims have to begin because something is visible below their floors.
func (r *Repository) Sweep(ctx context.Context, floors map[int64]service.Floor) (map[int64]service.Floor, error) {
	var ids []int64
	var below [2][]pgtype.Timestamptz
	for id, floor := range floors {
		ids = append(ids, id)
		below[0], below[1] = append(below[0], floorParam(floor.Fresh)), append(below[1], floorParam(floor.Returned))
	}
	found := map[int64]service.Floor{}
	var id int64
	var fresh, returned pgtype.Timestamptz
	err := pgx.BeginFunc(ctx, r.jobs, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, sweepSQL, ids, below[0], below[1])
		_, err := pgx.ForEachRow(rows, []any{&id, &fresh, &returned}, func() error {
			found[id] = service.Floor{Fresh: fresh.Time, Returned: returned.Time}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, r.classify("sweep", err)
	}
	return found, nil
}
