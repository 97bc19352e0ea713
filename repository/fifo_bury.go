package repository

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// buryFIFOSQL moves messages whose leases hold to the dead-letter queue. The groups of both
// queues are locked. A message keeps its group, gets a sequence number of its new queue,
// above those of what the flush sends there, and is deduplicated by its own id.
const buryFIFOSQL = `
WITH target AS (
	SELECT id FROM queues WHERE id = $2 AND ` + alive + `
), found AS MATERIALIZED (
	SELECT m.ctid, m.queue_id, g.last_seq - ` + seqStride + ` / 2 + s.place AS new_seq
	FROM unnest($4::uuid[], $5::bigint[], $6::int[], $7::text[]) AS s (id, lease, place, group_id)
	` + findLease + `
	CROSS JOIN LATERAL (
		SELECT last_seq
		FROM message_groups
		WHERE queue_id = $2 AND group_id BETWEEN s.group_id AND s.group_id
		ORDER BY group_id
		LIMIT 1
	) AS g
), dead AS (
	DELETE FROM messages m
	USING found f
	WHERE m.ctid = f.ctid AND m.queue_id = f.queue_id AND EXISTS (SELECT 1 FROM target)
	RETURNING m.*, f.new_seq
), moved AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, first_received_at, receive_count, earlier_receives,
		body, attributes, group_id, trace_header, dead_letter_source, seq, deduplication_id)
	SELECT $2, t.id, tusq_now(), tusq_now(), t.first_received_at, t.receive_count - 1, t.receive_count - 1,
		t.body, t.attributes, t.group_id, t.trace_header, (SELECT name FROM queues WHERE id = $1),
		t.new_seq, t.id::text
	FROM dead t
	ON CONFLICT (queue_id, id) DO NOTHING
	RETURNING id
), counted AS (` + countMoved + `
)
SELECT id FROM dead`

// queueBurials adds the moves to each dead-letter queue; there is one unless the queue's
// policy has just been changed.
func queueBurials(b *batch, w *service.QueueWork, lane int) {
	byTarget := map[int64][]*service.Burial{}
	for _, b := range w.Burials {
		byTarget[b.Target] = append(byTarget[b.Target], b)
	}
	for target, burials := range byTarget {
		n := len(burials)
		ids, leases, places, groups := make([]pgtype.UUID, n), make([]int64, n), make([]int, n), make([]string, n)
		byID := make(map[service.MessageID]*service.Burial, len(burials))
		for i, b := range burials {
			ids[i], leases[i], places[i], groups[i], byID[b.ID] = pgUUID(b.ID), b.Lease, b.Place, b.GroupID, b
		}
		b.queue(buryFIFOSQL, w.QueueID, target, lane, ids, leases, places, groups).rows(func(rows pgx.Rows) error {
			var id pgtype.UUID
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				byID[id.Bytes].Done = true
				return nil
			})
			return err
		})
	}
}
