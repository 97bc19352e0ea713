package repository

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// maxClaimBytes bounds the bodies of one claim, so that a thousand messages of a
// mebibyte each are not held in memory at once. At least one message is claimed.
const maxClaimBytes = 16 << 20

// claimSQL takes up to $2 visible messages in two probes of the claim index: those that
// came back are delivered first, then fresh ones. While fresh ones wait, $3 places at
// most go to those that came back, so that poison does not starve the rest: therefore the
// fresh are looked for first, and those that lose their place to others are only locked.
// Rows that another transaction has locked are passed over: the claim waits for nobody.
// The window has no order of its own: it takes the rows as the probes give them, without
// a sort.
//
// Leases are $5, $5+1, ... in the order of the rows: no join with an array, which would
// compare each row with each element where hash joins are off.
const claimSQL = `
WITH fresh AS MATERIALIZED (
	SELECT ctid, octet_length(body) AS bytes
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND NOT returned AND visible_at <= now()
		AND sent_at > now() - $6 * interval '1 microsecond'
	ORDER BY visible_at, id
	LIMIT $2::int
	FOR UPDATE SKIP LOCKED
), came_back AS MATERIALIZED (
	SELECT ctid, octet_length(body) AS bytes
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND returned AND visible_at <= now()
		AND sent_at > now() - $6 * interval '1 microsecond'
	ORDER BY visible_at, id
	LIMIT greatest($3::int, $2::int - (SELECT count(*) FROM fresh))
	FOR UPDATE SKIP LOCKED
), picked AS (
	SELECT ctid, row_number() OVER w AS place, sum(bytes) OVER w - bytes AS before
	FROM (SELECT * FROM came_back UNION ALL SELECT * FROM fresh) AS found
	WINDOW w AS (ROWS UNBOUNDED PRECEDING)
)
UPDATE messages m
SET visible_at = now() + $4 * interval '1 microsecond',
	returned = true,
	lease = $5 + p.place - 1,
	receive_count = m.receive_count + 1,
	first_received_at = coalesce(m.first_received_at, now()),
	received_at = now()
FROM picked p
WHERE m.ctid = p.ctid AND m.queue_id = $1 AND p.place <= $2 AND p.before < $7
	AND EXISTS (SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL)
RETURNING p.place, p.before, m.id, m.lease, m.body, m.attributes, m.group_id, m.trace_header,
	m.dead_letter_source, m.receive_count, m.sent_at, m.first_received_at, m.visible_at`

// burySQL moves what was just claimed too often to the dead-letter queue. The claim's
// own rows are a point of the claim index: their leases end at the same moment. The
// receive that failed is not counted.
const burySQL = `
WITH target AS (
	SELECT id FROM queues WHERE id = $2 AND deleted_at IS NULL
), dead AS (
	DELETE FROM messages
	WHERE queue_id = $1 AND priority = 0 AND returned AND visible_at = now() + $4 * interval '1 microsecond'
		AND lease >= $5 AND lease < $5 + $6 AND receive_count > $7 AND EXISTS (SELECT 1 FROM target)
	RETURNING *
), moved AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, first_received_at, receive_count,
		body, attributes, group_id, trace_header, dead_letter_source)
	SELECT t.id, d.id, now(), d.sent_at, d.first_received_at, d.receive_count - 1,
		d.body, d.attributes, d.group_id, d.trace_header, (SELECT name FROM queues WHERE id = $1)
	FROM dead d
	CROSS JOIN target t
	RETURNING id
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages)
	SELECT queue_id, $3, sum(change)
	FROM (
		SELECT $1 AS queue_id, -count(*) AS change FROM moved
		UNION ALL
		SELECT $2, count(*) FROM moved
	) AS changes
	GROUP BY queue_id
	HAVING sum(change) <> 0
	ORDER BY queue_id
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages
)
SELECT id FROM moved`

// lookSQL tells how long it is until the next message becomes visible. Each probe ends
// at the first entry of the claim index.
const lookSQL = `
SELECT (extract(epoch FROM least(
	(
		SELECT visible_at
		FROM messages
		WHERE queue_id = $1 AND priority = 0 AND returned AND visible_at > now()
		ORDER BY visible_at
		LIMIT 1
	), (
		SELECT visible_at
		FROM messages
		WHERE queue_id = $1 AND priority = 0 AND NOT returned AND visible_at > now()
		ORDER BY visible_at
		LIMIT 1
	)) - now()) * 1000000)::bigint`

func queueClaim(batch *pgx.Batch, w *service.QueueWork, claim *service.Claim, lane int) {
	batch.Queue(claimSQL, w.QueueID, claim.Max, claim.Returned, claim.Visibility.Microseconds(), claim.Lease,
		claim.Retention.Microseconds(), maxClaimBytes).
		Query(func(rows pgx.Rows) error { return readClaim(rows, claim) })
	if dead := claim.DeadLetter; dead != nil && dead.QueueID != 0 && dead.QueueID != w.QueueID {
		batch.Queue(burySQL, w.QueueID, dead.QueueID, lane, claim.Visibility.Microseconds(), claim.Lease,
			claim.Max, dead.MaxReceives).
			Query(func(rows pgx.Rows) error { return readBuried(rows, claim) })
	}
}

// readClaim reads what was claimed, in the order of the rows' places.
func readClaim(rows pgx.Rows, claim *service.Claim) error {
	claim.Messages = make([]service.Claimed, claim.Max)
	count, bytes := 0, int64(0)
	for rows.Next() {
		var place, before int64
		c, err := scanMessage(rows, &place, &before)
		if err != nil {
			return err
		}
		c.Message.State = service.StateInFlight
		claim.Messages[place-1] = c
		count++
		bytes = max(bytes, before+int64(len(c.Message.Body)))
	}
	claim.Messages = claim.Messages[:count]
	claim.More = count == claim.Max || bytes >= maxClaimBytes
	return rows.Err()
}

// readBuried takes what was moved away out of the claim's answer.
func readBuried(rows pgx.Rows, claim *service.Claim) error {
	buried := map[service.MessageID]bool{}
	var id pgtype.UUID
	_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
		buried[id.Bytes] = true
		return nil
	})
	if err != nil || len(buried) == 0 {
		return err
	}
	kept := claim.Messages[:0]
	for _, c := range claim.Messages {
		if !buried[c.ID] {
			kept = append(kept, c)
		}
	}
	claim.Messages, claim.Moved, claim.More = kept, len(buried), true
	return nil
}

// scanMessage reads a row of: the given first columns, then id to visible_at.
func scanMessage(rows pgx.Rows, first ...any) (service.Claimed, error) {
	var c service.Claimed
	var id pgtype.UUID
	var lease pgtype.Int8
	var group, trace, source *string
	var firstReceived *time.Time
	m := &c.Message
	err := rows.Scan(append(first, &id, &lease, &m.Body, &c.Attributes, &group, &trace, &source,
		&m.ReceiveCount, &m.SentAt, &firstReceived, &m.VisibleAt)...)
	c.ID, c.Lease = id.Bytes, lease.Int64
	m.GroupID, m.TraceHeader, m.DeadLetterSource = value(group), value(trace), value(source)
	if firstReceived != nil {
		m.FirstReceivedAt = *firstReceived
	}
	return c, err
}

// value is the text of a column in which none is NULL.
func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func queueLook(batch *pgx.Batch, w *service.QueueWork) {
	batch.Queue(lookSQL, w.QueueID).QueryRow(func(row pgx.Row) error {
		var microseconds *int64
		err := row.Scan(&microseconds)
		w.HasNext = microseconds != nil
		if w.HasNext {
			w.Next = time.Duration(*microseconds) * time.Microsecond
		}
		return err
	})
}

// revokeSQL undoes a claim by the leases that it would have given. Those leases end
// within a narrow range of the claim index.
const revokeSQL = `
UPDATE messages
SET visible_at = now(),
	lease = NULL,
	receive_count = receive_count - 1,
	returned = receive_count > 1,
	first_received_at = CASE WHEN receive_count > 1 THEN first_received_at END
WHERE queue_id = $1 AND priority = 0 AND returned AND lease >= $2 AND lease < $2 + $3
	AND visible_at BETWEEN now() + $4 * interval '1 microsecond' - interval '1 minute' AND now() + $4 * interval '1 microsecond'`

// RevokeClaims undoes claims whose commit is not known to have happened.
func (r *Repository) RevokeClaims(ctx context.Context, work []service.QueueWork) error {
	for _, w := range work {
		for _, claim := range w.Claims {
			_, err := r.hot.Exec(ctx, revokeSQL, w.QueueID, claim.Lease, claim.Max, claim.Visibility.Microseconds())
			if err != nil {
				return r.classify("revoke claims", err)
			}
		}
	}
	return nil
}
