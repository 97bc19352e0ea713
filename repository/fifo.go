package repository

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// A FIFO queue's groups. Whoever sends to a group, or settles its messages, locks its row
// in message_groups first, in a statement of its own: the next statement's snapshot then
// has all that was committed before. Rows are locked in the order of the groups' ids.
// A claim takes no lock that it would have to wait for: it passes over groups that others
// have locked, and those that have changed since its snapshot.

// seqStride is how far a flush moves a group's last sequence number on: more than it sends.
const seqStride = "4096"

// nextSeq begins a new group's sequence: nanoseconds, so that a group that is forgotten
// when it is empty goes on above the numbers that it gave. It is the time of the row, not of
// the statement: that may have waited for another group meanwhile.
const nextSeq = `(extract(epoch FROM clock_timestamp()) * 1000000000)::bigint + ` + seqStride

// findGroup finds the row of group g by the primary key; only that gives its order.
const findGroup = `
		FROM message_groups
		WHERE queue_id = $1 AND group_id BETWEEN t.group_id AND t.group_id
		ORDER BY group_id
		LIMIT 1`

// lockGroupsSQL locks groups and makes those that are missing. A new one is ready with its
// first message, or a little earlier: so groups are received in the order of their first
// messages. It waits for other flushes of the same groups.
const lockGroupsSQL = `
INSERT INTO message_groups AS g (queue_id, group_id, ready_at, last_seq)
SELECT q.id, t.group_id, tusq_now() + t.after * interval '1 microsecond', ` + nextSeq + `
FROM queues q
CROSS JOIN unnest($2::text[], $3::bigint[]) AS t (group_id, after)
WHERE q.id = $1 AND q.deleted_at IS NULL
ON CONFLICT (queue_id, group_id) DO UPDATE SET last_seq = greatest(g.last_seq + ` + seqStride + `, excluded.last_seq)`

// headTurn is the turn of a group by its first message.
const headTurn = `CASE WHEN NOT returned THEN 0 WHEN receive_count - earlier_receives < 3 THEN 1 ELSE 2 END`

// refreshGroupsSQL makes locked groups ready when their first messages become visible, and
// forgets empty ones. It reads one message of each. It tells how many are ready now.
const refreshGroupsSQL = `
WITH heads AS MATERIALIZED (
	SELECT g.ctid, g.queue_id, m.visible_at, m.turn
	FROM unnest($2::text[]) AS t (group_id)
	CROSS JOIN LATERAL (
		SELECT ctid, queue_id` + findGroup + `
	) AS g
	LEFT JOIN LATERAL (
		SELECT visible_at, ` + headTurn + ` AS turn
		FROM messages
		WHERE queue_id = $1 AND group_id BETWEEN t.group_id AND t.group_id AND seq IS NOT NULL
		ORDER BY group_id, seq
		LIMIT 1
	) AS m ON true
), emptied AS (
	DELETE FROM message_groups g
	USING heads h
	WHERE g.ctid = h.ctid AND g.queue_id = h.queue_id AND h.visible_at IS NULL
), changed AS (
	UPDATE message_groups g
	SET ready_at = h.visible_at, turn = h.turn
	FROM heads h
	WHERE g.ctid = h.ctid AND g.queue_id = h.queue_id AND h.visible_at IS NOT NULL
		AND (g.ready_at, g.turn) IS DISTINCT FROM (h.visible_at, h.turn::smallint)
)
SELECT count(*) FROM heads WHERE visible_at <= tusq_now()`

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
		AND EXISTS (SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL)
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

// buryFIFOSQL moves messages whose leases hold to the dead-letter queue. The groups of both
// queues are locked. A message keeps its group, gets a sequence number of its new queue,
// above those of what the flush sends there, and is deduplicated by its own id.
const buryFIFOSQL = `
WITH target AS (
	SELECT id FROM queues WHERE id = $2 AND deleted_at IS NULL
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

// groupLocks are the parameters of lockGroupsSQL: groups in their order, and after how many
// microseconds each is ready should it be new.
type groupLocks struct {
	groups []string
	after  []int64
}

// lockOf are the locks of groups that are in the order of their first messages.
func lockOf(groups []string, delay func(group string) time.Duration) groupLocks {
	places := map[string]int{}
	for _, group := range groups {
		if _, ok := places[group]; !ok {
			places[group] = len(places)
		}
	}
	l := groupLocks{groups: slices.Sorted(maps.Keys(places)), after: make([]int64, len(places))}
	for i, group := range l.groups {
		l.after[i] = delay(group).Microseconds() - int64(len(places)-1-places[group])
	}
	return l
}

func noDelay(string) time.Duration { return 0 }

// workGroups are the groups that a queue's work changes.
func workGroups(w *service.QueueWork) groupLocks {
	groups := make([]string, 0, len(w.Sends))
	delays := map[string]time.Duration{}
	for _, m := range w.Sends {
		groups = append(groups, m.GroupID)
		if delay, ok := delays[m.GroupID]; !ok || m.Delay < delay {
			delays[m.GroupID] = m.Delay
		}
	}
	groups = append(groups, w.Joins...)
	groups = append(groups, settledGroups(w)...)
	return lockOf(groups, func(group string) time.Duration { return delays[group] })
}

// settledGroups are the groups of a queue's settlements, each once.
func settledGroups(w *service.QueueWork) []string {
	var groups []string
	for _, settlements := range [][]*service.Settlement{w.Deletes, w.Extends, w.Releases} {
		for _, s := range settlements {
			groups = append(groups, s.GroupID)
		}
	}
	for _, b := range w.Burials {
		groups = append(groups, b.GroupID)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

func queueLockGroups(batch *pgx.Batch, w *service.QueueWork) {
	if l := workGroups(w); len(l.groups) > 0 {
		batch.Queue(lockGroupsSQL, w.QueueID, l.groups, l.after)
	}
}

// queueRefreshGroups looks at the groups that may have another first message, and at those
// that were locked for a delayed message, which may turn out to be a duplicate.
func queueRefreshGroups(batch *pgx.Batch, w *service.QueueWork) {
	groups := append(settledGroups(w), w.Joins...)
	for _, m := range w.Sends {
		if m.Delay > 0 {
			groups = append(groups, m.GroupID)
		}
	}
	slices.Sort(groups)
	if groups = slices.Compact(groups); len(groups) > 0 {
		batch.Queue(refreshGroupsSQL, w.QueueID, groups).
			QueryRow(func(row pgx.Row) error { return row.Scan(&w.Freed) })
	}
}

// queueBurials adds the moves to each dead-letter queue; there is one unless the queue's
// policy has just been changed.
func queueBurials(batch *pgx.Batch, w *service.QueueWork, lane int) {
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
		batch.Queue(buryFIFOSQL, w.QueueID, target, lane, ids, leases, places, groups).Query(func(rows pgx.Rows) error {
			var id pgtype.UUID
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				byID[id.Bytes].Done = true
				return nil
			})
			return err
		})
	}
}

// queueClaimFIFO adds a claim. One in two begins with the groups that came back often.
func queueClaimFIFO(batch *pgx.Batch, w *service.QueueWork, claim *service.Claim) {
	batch.Queue(claimFIFOSQL, w.QueueID, claim.Max, claim.PerCaller, claim.Visibility.Microseconds(), claim.Lease,
		claim.Retention.Microseconds(), maxClaimBytes, rand.IntN(2) == 0, claim.Slack).
		Query(func(rows pgx.Rows) error { return readClaimFIFO(rows, claim) })
}

// readClaimFIFO reads what was claimed, in the order of the places. Without a message there
// is one row, with the number of rows that were looked at.
func readClaimFIFO(rows pgx.Rows, claim *service.Claim) error {
	claim.Messages = nil
	var looked, bytes int64
	for rows.Next() {
		c, upTo, err := scanClaimFIFO(rows, &looked)
		if err != nil {
			return err
		}
		if c == nil {
			break
		}
		bytes = max(bytes, upTo)
		claim.Messages = append(claim.Messages, *c)
	}
	slices.SortFunc(claim.Messages, func(a, b service.Claimed) int { return a.Place - b.Place })
	claim.More = looked >= int64(claim.Max) || bytes >= maxClaimBytes
	return rows.Err()
}

// scanClaimFIFO reads a row; nil: it has no message.
func scanClaimFIFO(rows pgx.Rows, looked *int64) (*service.Claimed, int64, error) {
	values := rows.RawValues()
	if values[1] == nil {
		nothing := make([]any, len(values))
		nothing[0] = looked
		return nil, 0, rows.Scan(nothing...)
	}
	var upTo int64
	var place int
	c, err := scanMessage(rows, looked, &place, &upTo)
	c.Place, c.Message.State = place, service.StateInFlight
	return &c, upTo, err
}
