package repository

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// maxClaimBytes bounds the messages of one claim, so that a thousand messages of a
// mebibyte each are not held in memory at once. At least one message is claimed.
const maxClaimBytes = 16 << 20

// messageBytes is a message's size in an answer. A body's length is known without reading it.
const messageBytes = `octet_length(body) + coalesce(octet_length(attributes::text), 0) + coalesce(octet_length(trace_header), 0)`

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
//
// Both probes begin at the queue's floor, $8 and $9, and the answer tells where they could
// begin next: at the first row that they found or, where they found all there was and all of
// it was claimed, now. It has one row at least, which may be without a message.
var claimSQL = `
WITH fresh AS MATERIALIZED (
	SELECT ctid, queue_id, visible_at, ` + messageBytes + ` AS bytes
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND NOT returned AND visible_at >= $8 AND visible_at <= tusq_now()
		AND sent_at > tusq_now() - $6 * interval '1 microsecond'
	ORDER BY visible_at, id
	LIMIT $2::int
	FOR UPDATE SKIP LOCKED
), came_back AS MATERIALIZED (
	SELECT ctid, queue_id, visible_at, ` + messageBytes + ` AS bytes
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND returned AND visible_at >= $9 AND visible_at <= tusq_now()
		AND sent_at > tusq_now() - $6 * interval '1 microsecond'
	ORDER BY visible_at, id
	LIMIT greatest($3::int, $2::int - (SELECT count(*) FROM fresh))
	FOR UPDATE SKIP LOCKED
), picked AS (
	SELECT ctid, queue_id, row_number() OVER w AS place, sum(bytes) OVER w AS up_to, bytes
	FROM (SELECT * FROM came_back UNION ALL SELECT * FROM fresh) AS found
	WINDOW w AS (ROWS UNBOUNDED PRECEDING)
), claimed AS (
	UPDATE messages m
	SET visible_at = tusq_now() + $4 * interval '1 microsecond',
		returned = true,
		lease = $5 + p.place - 1,
		receive_count = m.receive_count + 1,
		first_received_at = coalesce(m.first_received_at, tusq_now()),
		received_at = tusq_now()
	FROM picked p
	WHERE m.ctid = p.ctid AND m.queue_id = p.queue_id AND p.place <= $2 AND p.up_to - p.bytes < $7
		AND EXISTS (SELECT 1 FROM queues WHERE id = $1 AND ` + alive + `)
	RETURNING p.place, p.up_to, ` + messageColumns("m") + `
)
SELECT f.*, c.*
FROM (
	SELECT tusq_now(),
		(SELECT CASE WHEN served AND count(*) < $2::int THEN tusq_now() ELSE min(visible_at) END FROM fresh),
		(
			SELECT CASE
				WHEN served AND count(*) < greatest($3::int, $2::int - (SELECT count(*) FROM fresh)) THEN tusq_now()
				ELSE min(visible_at)
			END
			FROM came_back
		)
	FROM (
		SELECT (SELECT count(*) FROM claimed) = (SELECT count(*) FROM fresh) + (SELECT count(*) FROM came_back) AS served
	) AS all_found
) AS f
LEFT JOIN claimed c ON true`

// burySQL moves what was just claimed too often to the dead-letter queue. The claim's
// own rows are a point of the claim index: their leases end at the same moment. The
// receive that failed is not counted, and the new queue's policy counts from zero.
// A copy that is there already, of a send that was stored twice, is kept.
const burySQL = `
WITH target AS (
	SELECT id FROM queues WHERE id = $2 AND ` + alive + `
), exhausted AS MATERIALIZED (
	SELECT ctid, queue_id
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND returned
		AND visible_at BETWEEN tusq_now() + $4 * interval '1 microsecond' AND tusq_now() + $4 * interval '1 microsecond'
		AND lease >= $5 AND lease < $5 + $6 AND receive_count - earlier_receives > $7
	ORDER BY visible_at, id
	LIMIT $6
), dead AS (
	DELETE FROM messages m
	USING exhausted e
	WHERE m.ctid = e.ctid AND m.queue_id = e.queue_id AND EXISTS (SELECT 1 FROM target)
	RETURNING m.*
), moved AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, first_received_at, receive_count, earlier_receives,
		body, attributes, group_id, trace_header, dead_letter_source)
	SELECT t.id, d.id, tusq_now(), d.sent_at, d.first_received_at, d.receive_count - 1, d.receive_count - 1,
		d.body, d.attributes, d.group_id, d.trace_header, (SELECT name FROM queues WHERE id = $1)
	FROM dead d
	CROSS JOIN target t
	ON CONFLICT (queue_id, id) DO NOTHING
	RETURNING id
), counted AS (` + countMoved + `
)
SELECT id FROM dead`

// countMoved counts what was moved from one queue to another.
const countMoved = `
	INSERT INTO queue_counters AS c (queue_id, lane, messages)
	SELECT queue_id, $3, sum(change)
	FROM (
		SELECT $1 AS queue_id, -count(*) AS change FROM dead
		UNION ALL
		SELECT $2, count(*) FROM moved
	) AS changes
	GROUP BY queue_id
	HAVING sum(change) <> 0
	ORDER BY queue_id
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages`

func queueClaim(b *batch, w *service.QueueWork, claim *service.Claim, lane int) {
	if w.FIFO {
		queueClaimFIFO(b, w, claim)
		return
	}
	b.queue(claimSQL, w.QueueID, claim.Max, claim.Returned, claim.Visibility.Microseconds(), claim.Lease,
		claim.Retention.Microseconds(), claimBytes(claim), floorParam(claim.From.Fresh), floorParam(claim.From.Returned)).
		rows(func(rows pgx.Rows) error { return readClaim(rows, claim) })
	if dead := claim.DeadLetter; dead != nil && dead.QueueID != 0 && dead.QueueID != w.QueueID {
		b.queue(burySQL, w.QueueID, dead.QueueID, lane, claim.Visibility.Microseconds(), claim.Lease,
			claim.Max, dead.MaxReceives).
			rows(func(rows pgx.Rows) error { return readBuried(rows, claim) })
	}
}

// readClaim reads what was claimed, in the order of the rows' places.
func readClaim(rows pgx.Rows, claim *service.Claim) error {
	claim.Messages = nil
	var fresh, returned pgtype.Timestamptz
	var place, upTo pgtype.Int8
	var bytes int64
	m := scanner(&claim.Now, &fresh, &returned, &place, &upTo)
	for rows.Next() {
		if err := m.scan(rows); err != nil {
			return err
		}
		if !place.Valid {
			break // nothing was claimed
		}
		c := m.message(service.StateInFlight)
		c.Place, bytes = int(place.Int64), max(bytes, upTo.Int64)
		claim.Messages = append(claim.Messages, c)
	}
	claim.Floor = service.Floor{Fresh: fresh.Time, Returned: returned.Time}
	slices.SortFunc(claim.Messages, func(a, b service.Claimed) int { return a.Place - b.Place })
	if n := len(claim.Messages); n > 0 {
		claim.More = claim.Messages[n-1].Place == claim.Max || bytes >= claimBytes(claim)
	}
	return rows.Err()
}

// claimBytes is what a claim takes at most.
func claimBytes(claim *service.Claim) int64 { return cmp.Or(claim.MaxBytes, maxClaimBytes) }

// floorParam is a floor as a parameter: none is before all times.
func floorParam(floor time.Time) pgtype.Timestamptz {
	if floor.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: floor, Valid: true}
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
