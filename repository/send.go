package repository

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// sendSQL stores messages, unless their queue is gone. A send that is repeated after a
// lost connection stores what is missing: ids are the replica's. It blocks only on a
// concurrent send of the same ids, which is that repetition.
const sendSQL = `
WITH sent AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header)
	SELECT q.id, m.id, now() + m.delay * interval '1 microsecond', now(), m.body, m.attributes, m.group_id, m.trace_header
	FROM queues q
	CROSS JOIN unnest($3::uuid[], $4::bigint[], $5::text[], $6::json[], $7::text[], $8::text[])
		AS m (id, delay, body, attributes, group_id, trace_header)
	WHERE q.id = $1 AND q.deleted_at IS NULL
	ON CONFLICT (queue_id, id) DO NOTHING
	RETURNING 1
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages)
	SELECT $1, $2, count(*) FROM sent HAVING count(*) > 0
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages
)
SELECT EXISTS (SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL)`

func queueSends(batch *pgx.Batch, w *service.QueueWork, lane int) {
	n := len(w.Sends)
	ids, delays, bodies := make([]pgtype.UUID, n), make([]int64, n), make([]string, n)
	attributes, groups, traces := make([]*string, n), make([]*string, n), make([]*string, n)
	for i, m := range w.Sends {
		ids[i], delays[i], bodies[i] = pgUUID(m.ID), m.Delay.Microseconds(), m.Body
		attributes[i], groups[i], traces[i] = nullable(string(m.Attributes)), nullable(m.GroupID), nullable(m.TraceHeader)
	}
	batch.Queue(sendSQL, w.QueueID, lane, ids, delays, bodies, attributes, groups, traces).
		QueryRow(func(row pgx.Row) error {
			var live bool
			err := row.Scan(&live)
			w.Gone = !live
			return err
		})
}

// nullable is text for a column in which none is NULL.
func nullable(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
