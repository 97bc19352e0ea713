package repository

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// sendSQL stores messages, unless their queue is gone. It blocks on nothing but a
// concurrent send of the same ids, which only a repetition can be.
const sendSQL = sendHead + sendTail

// resendSQL is sendSQL for a flush whose commit is unknown. Its messages may have been
// stored, and may even have been received and deleted since: the flush's id tells. Where a
// replica in the same lane has overwritten that, the messages' ids still tell of those
// that are there.
const resendSQL = sendHead + `
		AND NOT EXISTS (SELECT 1 FROM queue_counters WHERE queue_id = $1 AND flush_id = $9)` + sendTail

const sendHead = `
WITH sent AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header)
	SELECT q.id, m.id, now() + m.delay * interval '1 microsecond', now(), m.body, m.attributes, m.group_id, m.trace_header
	FROM queues q
	CROSS JOIN unnest($3::uuid[], $4::bigint[], $5::text[], $6::json[], $7::text[], $8::text[])
		AS m (id, delay, body, attributes, group_id, trace_header)
	WHERE q.id = $1 AND q.deleted_at IS NULL`

const sendTail = `
	ON CONFLICT (queue_id, id) DO NOTHING
	RETURNING 1
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages, flush_id)
	SELECT $1, $2, count(*), $9 FROM sent HAVING count(*) > 0
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages, flush_id = excluded.flush_id
)
SELECT EXISTS (SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL)`

func queueSends(batch *pgx.Batch, w *service.QueueWork, lane int, sql string) {
	n := len(w.Sends)
	ids, delays, bodies := make([]pgtype.UUID, n), make([]int64, n), make([]string, n)
	attributes, groups, traces := make([]*string, n), make([]*string, n), make([]*string, n)
	for i, m := range w.Sends {
		ids[i], delays[i], bodies[i] = pgUUID(m.ID), m.Delay.Microseconds(), m.Body
		attributes[i], groups[i], traces[i] = nullable(string(m.Attributes)), nullable(m.GroupID), nullable(m.TraceHeader)
	}
	batch.Queue(sql, w.QueueID, lane, ids, delays, bodies, attributes, groups, traces, w.FlushID).
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
