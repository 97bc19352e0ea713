package repository

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// alive is the condition that a queue has not been deleted. In these words, because the planner
// could read the index of all queues for "deleted_at IS NULL".
const alive = `coalesce(deleted_at, 'infinity') = 'infinity'`

// Sends store messages, unless their queue is gone. Their ids are new, so they block on nothing.
// Each has a form for a flush whose commit is unknown, which passes over what is stored;
// those that store some messages already claimed, for receivers that wait, have none,
// because then nothing is handed off.
const (
	sendSQL       = `WITH` + sendHead + sendFrom + liveQueue + countAll + isLive
	resendSQL     = `WITH` + sendHead + sendFrom + liveQueue + notStored + unlessStored + countSent + isLive
	sendOnceSQL   = `WITH` + heldCalls + sendHead + sendOnceFrom + liveQueue + notRepeated + countSent + isLiveHeld
	resendOnceSQL = `WITH` + heldCalls + sendHead + sendOnceFrom + liveQueue + notRepeated + notStored + unlessStored + countSent + isLiveHeld
	handSQL       = `WITH` + handHead + handFrom + liveQueue + countAll + isLive
	handOnceSQL   = `WITH` + heldCalls + handHead + handOnceFrom + liveQueue + notRepeated + countSent + isLiveHeld
	sendFIFOSQL   = `WITH` + sendFIFOHead + liveQueue + countSent + isLive
	resendFIFOSQL = `WITH` + sendFIFOHead + liveQueue + notStored + unlessStored + countSent + isLive
)

const sendHead = `
sent AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header)
	SELECT q.id, m.id, tusq_now() + m.delay * interval '1 microsecond', tusq_now(), m.body, m.attributes, m.group_id, m.trace_header
	FROM queues q`

const sendFrom = `
	CROSS JOIN unnest($4::uuid[], $5::bigint[], $6::text[], $7::json[], $8::text[], $9::text[])
		AS m (id, delay, body, attributes, group_id, trace_header)`

// sendOnceFrom has messages of which some came with a call that has a key.
const sendOnceFrom = `
	CROSS JOIN unnest($4::uuid[], $5::bigint[], $6::text[], $7::json[], $8::text[], $9::text[], $10::uuid[])
		AS m (id, delay, body, attributes, group_id, trace_header, call)`

// handHead stores messages of which those with a lease are claimed: their delay is their
// visibility timeout.
const handHead = `
sent AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header,
		lease, returned, receive_count, first_received_at, received_at)
	SELECT q.id, m.id, tusq_now() + m.delay * interval '1 microsecond', tusq_now(), m.body, m.attributes, m.group_id, m.trace_header,
		m.lease, m.lease IS NOT NULL, (m.lease IS NOT NULL)::int,
		CASE WHEN m.lease IS NOT NULL THEN tusq_now() END, CASE WHEN m.lease IS NOT NULL THEN tusq_now() END
	FROM queues q`

const handFrom = `
	CROSS JOIN unnest($4::uuid[], $5::bigint[], $6::text[], $7::json[], $8::text[], $9::text[], $10::bigint[])
		AS m (id, delay, body, attributes, group_id, trace_header, lease)`

// handOnceFrom is handFrom with messages of which some came with a call that has a key.
const handOnceFrom = `
	CROSS JOIN unnest($4::uuid[], $5::bigint[], $6::text[], $7::json[], $8::text[], $9::text[], $10::uuid[], $14::bigint[])
		AS m (id, delay, body, attributes, group_id, trace_header, call, lease)`

// heldCalls takes the keys of the calls, and finds those that others hold: the calls that
// are repetitions. There are few, so most messages are compared with none.
const heldCalls = `
held AS (
	INSERT INTO once_keys AS o (queue_id, key, message_id, fingerprint, expires_at)
	SELECT q.id, c.key, c.owner, c.fingerprint, tusq_now() + ` + interval + `
	FROM queues q
	CROSS JOIN unnest($11::uuid[], $12::uuid[], $13::uuid[]) AS c (key, owner, fingerprint)
	WHERE q.id = $1 AND ` + alive + holdKey + `, repeats
), repeated AS MATERIALIZED (
	SELECT h.key
	FROM held h
	JOIN unnest($11::uuid[], $12::uuid[]) AS c (key, owner) ON c.key = h.key AND c.owner <> h.message_id
	WHERE h.repeats > 0
), `

// sendFIFOHead stores the messages whose deduplication ids are theirs, with their sequence. Their delay is the queue's as
// it is now: what their senders know of it may be old, and one delayed message would hold up all behind it.
const sendFIFOHead = `
sent AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body, attributes, group_id, trace_header, seq, deduplication_id)
	SELECT q.id, m.id, tusq_now() + q.delay, tusq_now(), m.body, m.attributes, m.group_id, m.trace_header,
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
	WHERE q.id = $1 AND ` + alive

// notRepeated: the message's call, if it has a key, is the one that is carried out.
const notRepeated = `
		AND NOT EXISTS (SELECT 1 FROM repeated r WHERE r.key = m.call)`

// notStored: the flush was not committed before. Its messages may have been stored, and may
// even have been received and deleted since: the flush's id tells. Where a replica in the
// same lane has overwritten that or carried it away, the messages' ids still tell of those that are there.
const notStored = `
		AND NOT EXISTS (SELECT 1 FROM queue_counters WHERE queue_id = $1 AND flush_id = $3)`

// unlessStored passes over messages that are there.
const unlessStored = `
	ON CONFLICT (queue_id, id) DO NOTHING`

// countSent counts what was stored.
const countSent = `
	RETURNING 1
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages, flush_id)
	SELECT $1, $2, count(*), $3 FROM sent HAVING count(*) > 0` + addToLane + `
)`

// countAll counts all messages, without having each reported, where all are stored or none.
const countAll = `
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages, flush_id)
	SELECT $1, $2, cardinality($4::uuid[]), $3 FROM queues WHERE id = $1 AND ` + alive + addToLane + `
)`

const addToLane = `
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages, flush_id = excluded.flush_id`

// isLive tells whether the queue exists, and the time of the sends.
const isLive = `
SELECT EXISTS (SELECT 1 FROM queues WHERE id = $1 AND ` + alive + `), tusq_now()`

// isLiveHeld also tells who holds the keys that were held before.
const isLiveHeld = `
SELECT EXISTS (SELECT 1 FROM queues WHERE id = $1 AND ` + alive + `), tusq_now(), h.key, h.message_id, h.fingerprint
FROM (VALUES (1)) AS one
LEFT JOIN held h ON h.repeats > 0`

// queueSends adds a queue's sends; again: after a flush whose commit is unknown.
func queueSends(b *batch, w *service.QueueWork, lane int, again bool) {
	params := sendParams(w, lane)
	hand := len(w.Handoffs) > 0
	switch {
	case w.FIFO:
		queueCalls(b, w)
		queueKeys(b, w)
		queueSend(b, w, choose(again, resendFIFOSQL, sendFIFOSQL), append(params, keyParams(w)...))
	case len(w.Calls) > 0:
		calls, _ := ownersOf(w.Sends)
		params = append(append(params, calls), callParams(w)...)
		sql := choose(again, resendOnceSQL, sendOnceSQL)
		if hand {
			sql, params = handOnceSQL, append(params, handoffLeases(w))
		}
		b.queue(sql, params...).rows(func(rows pgx.Rows) error { return readSentOnce(rows, w) })
	case hand:
		queueSend(b, w, handSQL, append(params, handoffLeases(w)))
	default:
		queueSend(b, w, choose(again, resendSQL, sendSQL), params)
	}
}

// handoffLeases are the leases of the messages that are stored claimed; NULL: the others.
func handoffLeases(w *service.QueueWork) nullInt8Array {
	leases := make(nullInt8Array, len(w.Sends))
	for i, m := range w.Sends {
		if m.Handoff != nil {
			leases[i] = m.Handoff.Lease
		}
	}
	return leases
}

func choose(again bool, resend, send string) string {
	if again {
		return resend
	}
	return send
}

func queueSend(b *batch, w *service.QueueWork, sql string, params []any) {
	b.queue(sql, params...).row(func(row pgx.Row) error {
		var live bool
		err := row.Scan(&live, &w.SentAt)
		w.Gone = !live
		return err
	})
}

// readSentOnce reads a row for each key that was held before, or one without a key.
func readSentOnce(rows pgx.Rows, w *service.QueueWork) error {
	held := map[service.Key]holder{}
	var live bool
	var key, owner, fingerprint pgtype.UUID
	_, err := pgx.ForEachRow(rows, []any{&live, &w.SentAt, &key, &owner, &fingerprint}, func() error {
		if key.Valid {
			held[key.Bytes] = holder{owner: owner.Bytes, fingerprint: fingerprint.Bytes}
		}
		return nil
	})
	w.Gone = !live
	answerCalls(w, held)
	return err
}

// sendParams are the parameters that all sends have.
func sendParams(w *service.QueueWork, lane int) []any {
	n := len(w.Sends)
	ids, delays, bodies := make(uuidArray, n), make(int8Array, n), make(textArray, n)
	attributes, groups, traces := make(nullTextArray, n), make(nullTextArray, n), make(nullTextArray, n)
	for i, m := range w.Sends {
		ids[i], delays[i], bodies[i] = m.ID, m.Delay.Microseconds(), m.Body
		if m.Handoff != nil {
			delays[i] = m.Handoff.Visibility.Microseconds()
		}
		attributes[i], groups[i], traces[i] = string(m.Attributes), m.GroupID, m.TraceHeader
	}
	return []any{w.QueueID, lane, w.FlushID, ids, delays, bodies, attributes, groups, traces}
}
