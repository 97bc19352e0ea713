package repository

import (
	"math/rand/v2"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// readyGroups finds ready groups of one turn.
func readyGroups(turn string) string {
	return `
	SELECT ctid, queue_id
	FROM message_groups
	WHERE queue_id = $1 AND turn = ` + turn + ` AND ready_at <= tusq_now()
	ORDER BY ready_at
	LIMIT $2::int + $9::int
	FOR UPDATE SKIP LOCKED`
}

// claimFIFOSQL takes the longest visible prefix of each ready group: no more than $3 of a
// group, and $2 in all, which is a multiple of $3. Groups whose first message came back
// are first, then those with a new one; those with one that came back often are last or,
// where $8, first, so that they neither starve others nor are starved. Because the whole
// is read through one limit, no more groups are locked than it takes.
//
// A group is read only in the version that the statement's snapshot sees: its messages are
// then those of the same snapshot, because whoever changes them changes the group too.
//
// The places of the messages are dealt to the receivers, $3 to each. A group's messages go
// to one receiver: those that would go to the next are left. Groups that turn out to be
// not ready are made ready when they are, empty ones are forgotten, and those whose
// messages have all expired are looked at again when these may have been deleted; $9 of
// them cost no place.
var claimFIFOSQL = `
WITH came_back AS MATERIALIZED (` + readyGroups("1") + `
), fresh AS MATERIALIZED (` + readyGroups("0") + `
), often AS MATERIALIZED (` + readyGroups("2") + `
), looked AS MATERIALIZED (
	SELECT g.ctid AS group_ctid, g.queue_id, m.ctid, m.nth, m.open, m.visible_at, m.turn, m.bytes, e.expired
	FROM (
		SELECT * FROM often WHERE $8::boolean
		UNION ALL
		SELECT * FROM came_back
		UNION ALL
		SELECT * FROM fresh
		UNION ALL
		SELECT * FROM often WHERE NOT $8
	) AS r
	CROSS JOIN LATERAL (
		SELECT ctid, queue_id, group_id
		FROM message_groups
		WHERE ctid = r.ctid AND queue_id = r.queue_id
		LIMIT 1
	) AS g
	LEFT JOIN LATERAL (
		SELECT ctid, nth, open, visible_at, turn, bytes
		FROM (
			SELECT *, row_number() OVER w AS nth, bool_and(visible_at <= tusq_now()) OVER w AS open
			FROM (
				SELECT ctid, visible_at, ` + messageBytes + ` AS bytes, ` + headTurn + ` AS turn
				FROM messages
				WHERE queue_id = $1 AND group_id BETWEEN g.group_id AND g.group_id AND seq IS NOT NULL
					AND sent_at > tusq_now() - $6 * interval '1 microsecond'
				ORDER BY group_id, seq
				LIMIT $3::int
			) AS first
			WINDOW w AS (ROWS UNBOUNDED PRECEDING)
		) AS prefix
		WHERE open OR nth = 1
	) AS m ON true
	LEFT JOIN LATERAL (
		SELECT true AS expired
		FROM messages
		WHERE m.ctid IS NULL AND queue_id = $1 AND group_id BETWEEN g.group_id AND g.group_id AND seq IS NOT NULL
		ORDER BY group_id, seq
		LIMIT 1
	) AS e ON true
	LIMIT $2 + $9
), placed AS MATERIALIZED (
	SELECT *, count(*) FILTER (WHERE open) OVER w AS place, sum(bytes) FILTER (WHERE open) OVER w AS up_to
	FROM looked
	WINDOW w AS (ROWS UNBOUNDED PRECEDING)
), claimed AS (
	UPDATE messages m
	SET visible_at = tusq_now() + $4 * interval '1 microsecond',
		returned = true,
		lease = $5 + p.place - 1,
		receive_count = m.receive_count + 1,
		first_received_at = coalesce(m.first_received_at, tusq_now()),
		received_at = tusq_now()
	FROM placed p
	WHERE m.ctid = p.ctid AND m.queue_id = p.queue_id AND p.open AND p.place <= $2
		AND (p.place - 1) / $3 = (p.place - p.nth) / $3 AND p.up_to - p.bytes < $7
		AND EXISTS (SELECT 1 FROM queues WHERE id = $1 AND ` + alive + `)
	RETURNING p.place, p.up_to, ` + messageColumns("m") + `
), emptied AS (
	DELETE FROM message_groups g
	USING placed p
	WHERE g.ctid = p.group_ctid AND g.queue_id = p.queue_id AND p.ctid IS NULL AND p.expired IS NULL
), changed AS (
	UPDATE message_groups g
	SET ready_at = CASE
			WHEN p.expired THEN tusq_now() + interval '1 second'
			WHEN p.open THEN tusq_now() + ($4 + p.place - $2) * interval '1 microsecond'
			ELSE p.visible_at
		END,
		turn = CASE WHEN p.open THEN greatest(p.turn, 1) ELSE coalesce(p.turn, g.turn) END
	FROM placed p
	WHERE g.ctid = p.group_ctid AND g.queue_id = p.queue_id
		AND (p.expired OR p.nth = 1 AND NOT p.open OR p.nth = 1 AND p.place <= $2 AND p.up_to - p.bytes < $7)
)
SELECT p.looked, c.*
FROM (SELECT count(*) AS looked FROM placed) AS p
LEFT JOIN claimed c ON true`

// lookFIFOSQL tells how long it is until the next group becomes ready.
const lookFIFOSQL = `
SELECT (extract(epoch FROM min(ready_at) - tusq_now()) * 1000000)::bigint
FROM generate_series(0, 2) AS t (turn)
CROSS JOIN LATERAL (
	SELECT ready_at
	FROM message_groups
	WHERE queue_id = $1 AND turn BETWEEN t.turn AND t.turn AND ready_at > tusq_now()
	ORDER BY turn, ready_at
	LIMIT 1
) AS g`

// queueClaimFIFO adds a claim. One in two begins with the groups that came back often.
func queueClaimFIFO(b *batch, w *service.QueueWork, claim *service.Claim) {
	b.queue(claimFIFOSQL, w.QueueID, claim.Max, claim.PerCaller, claim.Visibility.Microseconds(), claim.Lease,
		claim.Retention.Microseconds(), claimBytes(claim), rand.IntN(2) == 0, claim.Slack).
		rows(func(rows pgx.Rows) error { return readClaimFIFO(rows, claim) })
}

// readClaimFIFO reads what was claimed, in the order of the places. Without a message there
// is one row, with the number of rows that were looked at.
func readClaimFIFO(rows pgx.Rows, claim *service.Claim) error {
	claim.Messages = nil
	var looked, bytes int64
	var place, upTo pgtype.Int8
	m := scanner(&looked, &place, &upTo)
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
	slices.SortFunc(claim.Messages, func(a, b service.Claimed) int { return a.Place - b.Place })
	claim.More = looked >= int64(claim.Max) || bytes >= claimBytes(claim)
	return rows.Err()
}
