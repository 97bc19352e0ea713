package repository

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// Sends store messages, unless their queue is gone. They block on nothing but a concurrent
// send of the same ids, which only a repetition can be. Each has a form for a flush whose
// commit is unknown.
const (
	sendSQL       = sendHead + sendFrom + liveQueue + sendTail
	resendSQL     = sendHead + sendFrom + liveQueue + notStored + sendTail
	sendOnceSQL   = sendHead + sendOnceFrom + liveQueue + notRepeated + sendTail
	resendOnceSQL = sendHead + sendOnceFrom + liveQueue + notRepeated + notStored + sendTail
	sendFIFOSQL   = sendFIFOHead + liveQueue + sendTail
	resendFIFOSQL = sendFIFOHead + liveQueue + notStored + sendTail
)

const sendHead = `
WITH sent AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header)
	SELECT q.id, m.id, tusq_now() + m.delay * interval '1 microsecond', tusq_now(), m.body, m.attributes, m.group_id, m.trace_header
	FROM queues q`

const sendFrom = `
	CROSS JOIN unnest($4::uuid[], $5::bigint[], $6::text[], $7::json[], $8::text[], $9::text[])
		AS m (id, delay, body, attributes, group_id, trace_header)`

// sendOnceFrom has messages of which some came with a call that has a key.
const sendOnceFrom = `
	CROSS JOIN unnest($4::uuid[], $5::bigint[], $6::text[], $7::json[], $8::text[], $9::text[], $10::uuid[], $11::uuid[])
		AS m (id, delay, body, attributes, group_id, trace_header, call, owner)
	LEFT JOIN LATERAL (
		SELECT message_id
		FROM once_keys
		WHERE queue_id = $1 AND key BETWEEN m.call AND m.call
		ORDER BY key
		LIMIT 1
	) AS o ON true`

// sendFIFOHead stores the messages whose deduplication ids are theirs, with their sequence.
const sendFIFOHead = `
WITH sent AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header, seq, deduplication_id)
	SELECT q.id, m.id, tusq_now() + m.delay * interval '1 microsecond', tusq_now(), m.body, m.attributes, m.group_id, m.trace_header,
		o.seq, m.deduplication_id
	FROM queues q
	CROSS JOIN unnest($4::uuid[], $5::bigint[], $6::text[], $7::json[], $8::text[], $9::text[], $10::uuid[], $11::text[])
		AS m (id, delay, body, attributes, group_id, trace_header, key, deduplication_id)
	CROSS JOIN LATERAL (
		SELECT seq
		FROM once_keys
		WHERE queue_id = $1 AND key BETWEEN m.key AND m.key AND message_id = m.id
		ORDER BY key
		LIMIT 1
	) AS o`

const liveQueue = `
	WHERE q.id = $1 AND q.deleted_at IS NULL`

// notRepeated: the message's call, if it has a key, is the one that is carried out.
const notRepeated = ` AND (m.call IS NULL OR o.message_id = m.owner)`

// notStored: the flush was not committed before. Its messages may have been stored, and may
// even have been received and deleted since: the flush's id tells. Where a replica in the
// same lane has overwritten that, the messages' ids still tell of those that are there.
const notStored = `
		AND NOT EXISTS (SELECT 1 FROM queue_counters WHERE queue_id = $1 AND flush_id = $3)`

const sendTail = `
	ON CONFLICT (queue_id, id) DO NOTHING
	RETURNING 1
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages, flush_id)
	SELECT $1, $2, count(*), $3 FROM sent HAVING count(*) > 0
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages, flush_id = excluded.flush_id
)
SELECT EXISTS (SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL)`

// queueSends adds a queue's sends; again: after a flush whose commit is unknown.
func queueSends(batch *pgx.Batch, w *service.QueueWork, lane int, again bool) {
	queueCalls(batch, w)
	sql, resend := sendSQL, resendSQL
	params := sendParams(w, lane)
	switch {
	case w.FIFO:
		sql, resend = sendFIFOSQL, resendFIFOSQL
		queueKeys(batch, w)
		params = append(params, keyParams(w)...)
	case len(w.Calls) > 0:
		sql, resend = sendOnceSQL, resendOnceSQL
		params = append(params, callParams(w.Sends)...)
	}
	if again {
		sql = resend
	}
	batch.Queue(sql, params...).QueryRow(func(row pgx.Row) error {
		var live bool
		err := row.Scan(&live)
		w.Gone = !live
		return err
	})
}

// sendParams are the parameters that all sends have.
func sendParams(w *service.QueueWork, lane int) []any {
	n := len(w.Sends)
	ids, delays, bodies := make([]pgtype.UUID, n), make([]int64, n), make([]string, n)
	attributes, groups, traces := make([]*string, n), make([]*string, n), make([]*string, n)
	for i, m := range w.Sends {
		ids[i], delays[i], bodies[i] = pgUUID(m.ID), m.Delay.Microseconds(), m.Body
		attributes[i], groups[i], traces[i] = nullable(string(m.Attributes)), nullable(m.GroupID), nullable(m.TraceHeader)
	}
	return []any{w.QueueID, lane, w.FlushID, ids, delays, bodies, attributes, groups, traces}
}

// nullable is text for a column in which none is NULL.
func nullable(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
