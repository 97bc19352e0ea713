package repository

import (
	"context"
	"errors"
	"slices"
	"strings"
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
var claimSQL = `
WITH fresh AS MATERIALIZED (
	SELECT ctid, queue_id, ` + messageBytes + ` AS bytes
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND NOT returned AND visible_at <= tusq_now()
		AND sent_at > tusq_now() - $6 * interval '1 microsecond'
	ORDER BY visible_at, id
	LIMIT $2::int
	FOR UPDATE SKIP LOCKED
), came_back AS MATERIALIZED (
	SELECT ctid, queue_id, ` + messageBytes + ` AS bytes
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND returned AND visible_at <= tusq_now()
		AND sent_at > tusq_now() - $6 * interval '1 microsecond'
	ORDER BY visible_at, id
	LIMIT greatest($3::int, $2::int - (SELECT count(*) FROM fresh))
	FOR UPDATE SKIP LOCKED
), picked AS (
	SELECT ctid, queue_id, row_number() OVER w AS place, sum(bytes) OVER w AS up_to, bytes
	FROM (SELECT * FROM came_back UNION ALL SELECT * FROM fresh) AS found
	WINDOW w AS (ROWS UNBOUNDED PRECEDING)
)
UPDATE messages m
SET visible_at = tusq_now() + $4 * interval '1 microsecond',
	returned = true,
	lease = $5 + p.place - 1,
	receive_count = m.receive_count + 1,
	first_received_at = coalesce(m.first_received_at, tusq_now()),
	received_at = tusq_now()
FROM picked p
WHERE m.ctid = p.ctid AND m.queue_id = p.queue_id AND p.place <= $2 AND p.up_to - p.bytes < $7
	AND EXISTS (SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL)
RETURNING p.place, p.up_to, ` + messageColumns("m")

// messageColumns are what scanMessage reads of a message.
func messageColumns(alias string) string {
	columns := []string{"id", "lease", "body", "attributes", "group_id", "trace_header", "dead_letter_source",
		"receive_count", "earlier_receives", "sent_at", "first_received_at", "visible_at", "seq", "deduplication_id"}
	return alias + "." + strings.Join(columns, ", "+alias+".")
}

// burySQL moves what was just claimed too often to the dead-letter queue. The claim's
// own rows are a point of the claim index: their leases end at the same moment. The
// receive that failed is not counted, and the new queue's policy counts from zero.
// A copy that is there already, of a send that was stored twice, is kept.
const burySQL = `
WITH target AS (
	SELECT id FROM queues WHERE id = $2 AND deleted_at IS NULL
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

func queueClaim(batch *pgx.Batch, w *service.QueueWork, claim *service.Claim, lane int) {
	if w.FIFO {
		queueClaimFIFO(batch, w, claim)
		return
	}
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
	last, bytes := 0, int64(0)
	for rows.Next() {
		var place, upTo int64
		c, err := scanMessage(rows, &place, &upTo)
		if err != nil {
			return err
		}
		c.Message.State = service.StateInFlight
		claim.Messages[place-1] = c
		last, bytes = max(last, int(place)), max(bytes, upTo)
	}
	// A place stays empty where a row was changed between the statement's snapshot and
	// its lock: it was locked, and nothing more.
	claim.Messages = slices.DeleteFunc(claim.Messages, func(c service.Claimed) bool { return c.Lease == 0 })
	claim.More = last == claim.Max || bytes >= maxClaimBytes
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

// scanMessage reads a row of: the given first columns, then messageColumns.
func scanMessage(rows pgx.Rows, first ...any) (service.Claimed, error) {
	var c service.Claimed
	var id pgtype.UUID
	var lease pgtype.Int8
	var group, trace, source, deduplication *string
	var seq *int64
	var earlier int
	var firstReceived *time.Time
	m := &c.Message
	err := rows.Scan(append(first, &id, &lease, &m.Body, &c.Attributes, &group, &trace, &source,
		&m.ReceiveCount, &earlier, &m.SentAt, &firstReceived, &m.VisibleAt, &seq, &deduplication)...)
	c.ID, c.Lease, c.Receives = id.Bytes, lease.Int64, m.ReceiveCount-earlier
	m.GroupID, m.TraceHeader, m.DeadLetterSource = value(group), value(trace), value(source)
	m.DeduplicationID = value(deduplication)
	if seq != nil {
		m.Sequence = *seq
	}
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
	sql := lookSQL
	if w.FIFO {
		sql = lookFIFOSQL
	}
	batch.Queue(sql, w.QueueID).QueryRow(func(row pgx.Row) error {
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
WITH claimed AS MATERIALIZED (
	SELECT ctid, queue_id` + claimedByLease + `
	FOR UPDATE
)
UPDATE messages m
` + undoClaim + `
FROM claimed c
WHERE m.ctid = c.ctid AND m.queue_id = c.queue_id`

// claimedGroupsSQL are the groups that revokeSQL changes, in their order.
const claimedGroupsSQL = `
SELECT DISTINCT group_id COLLATE "C"
FROM (
	SELECT group_id` + claimedByLease + `
) AS claimed
ORDER BY 1`

const claimedByLease = `
	FROM messages
	WHERE queue_id = $1 AND priority = 0 AND returned AND lease >= $2 AND lease < $2 + $3
		AND visible_at BETWEEN tusq_now() + $4 * interval '1 microsecond' - interval '1 minute' AND tusq_now() + $4 * interval '1 microsecond'
	ORDER BY visible_at, id
	LIMIT $3`

// Revoke undoes the claims of a flush whose commit is unknown. It first makes sure that
// the flush's backend has ended: while it waits in its commit, nobody can see what it is
// about to commit.
func (r *Repository) Revoke(ctx context.Context, work []service.QueueWork, flushErr error) error {
	var lost *lostFlush
	if errors.As(flushErr, &lost) {
		if err := r.endBackend(ctx, lost); err != nil {
			return err
		}
	}
	for _, w := range work {
		for _, claim := range w.Claims {
			if err := pgx.BeginFunc(ctx, r.hot, func(tx pgx.Tx) error { return revoke(ctx, tx, w, claim) }); err != nil {
				return r.classify("revoke claims", err)
			}
		}
	}
	return nil
}

// revoke undoes a claim; the groups of a FIFO queue are locked around that.
func revoke(ctx context.Context, tx pgx.Tx, w service.QueueWork, claim *service.Claim) error {
	params := []any{w.QueueID, claim.Lease, claim.Max, claim.Visibility.Microseconds()}
	if !w.FIFO {
		_, err := tx.Exec(ctx, revokeSQL, params...)
		return err
	}
	rows, _ := tx.Query(ctx, claimedGroupsSQL, params...)
	groups, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(groups) == 0 {
		return err
	}
	for _, step := range []struct {
		sql    string
		params []any
	}{
		{lockGroupsSQL, []any{w.QueueID, groups, make([]int64, len(groups))}},
		{revokeSQL, params},
		{refreshGroupsSQL, []any{w.QueueID, groups}},
	} {
		if _, err := tx.Exec(ctx, step.sql, step.params...); err != nil {
			return err
		}
	}
	return nil
}

// endBackend ends the backend of a lost flush, where it still runs, and waits for its end.
func (r *Repository) endBackend(ctx context.Context, lost *lostFlush) error {
	for {
		var running int // counted: EXISTS would not call the function
		err := r.cold.QueryRow(ctx, `
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE pid = $1 AND usename = current_user AND datname = current_database() AND application_name = $2`,
			lost.pid, lost.application).Scan(&running)
		if err != nil {
			return r.classify("end a lost flush", err)
		}
		if running == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case <-time.After(backendPause):
		}
	}
}

// backendPause is how often the end of a backend is looked for.
const backendPause = 50 * time.Millisecond
