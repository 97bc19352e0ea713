package repository

import (
	"bytes"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/service"
)

// Settlements find each row by a lookup of its own and change it by its ctid. Joined
// directly, a plan that was made while the table was small would read the whole queue for
// each of them. The lookup asks for a range of one id in order, because only the primary
// key gives that order: while the table is empty all indexes seem to cost the same.
//
// A row that another transaction changes at that very moment is passed over, although its
// lease may still hold. Leases then tells, and the service asks again.

// findLease finds the message m of each lease s.
const findLease = `CROSS JOIN LATERAL (
		SELECT ctid, queue_id
		FROM messages
		WHERE queue_id = $1 AND id BETWEEN s.id AND s.id AND lease = s.lease
		ORDER BY id
		LIMIT 1
	) AS m`

// findRunningLease is findLease for a FIFO queue, where a lease that has ended holds no more:
// its message's group may go to others.
const findRunningLease = `CROSS JOIN LATERAL (
		SELECT ctid, queue_id
		FROM messages
		WHERE queue_id = $1 AND id BETWEEN s.id AND s.id AND lease = s.lease AND visible_at > tusq_now()
		ORDER BY id
		LIMIT 1
	) AS m`

// deleteSQL ends leases that still hold. It reads by the primary key, in the order of
// the ids, and waits only for another settlement or a claim of the same message.
const (
	deleteSQL     = deleteHead + findLease + deleteTail
	deleteFIFOSQL = deleteHead + findRunningLease + deleteTail
)

const deleteHead = `
WITH found AS MATERIALIZED (
	SELECT m.ctid, m.queue_id, s.lease
	FROM unnest($3::uuid[], $4::bigint[]) AS s (id, lease)
	`

const deleteTail = `
), deleted AS (
	DELETE FROM messages m
	USING found f
	WHERE m.ctid = f.ctid AND m.queue_id = f.queue_id AND m.lease = f.lease
	RETURNING m.id, m.lease
), counted AS (
	INSERT INTO queue_counters AS c (queue_id, lane, messages)
	SELECT $1, $2, -count(*) FROM deleted HAVING count(*) > 0
	ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages
)
SELECT id, lease FROM deleted`

// extendSQL sets when leases end that still hold, but not more than 12 hours after the
// receive; a lease that ended and was not given anew still holds. It reads by the primary key.
const (
	extendSQL     = extendHead + findLease + extendTail
	extendFIFOSQL = extendHead + findRunningLease + extendTail
)

const extendHead = `
WITH found AS MATERIALIZED (
	SELECT m.ctid, m.queue_id, s.lease, tusq_now() + s.timeout * interval '1 microsecond' AS until
	FROM unnest($2::uuid[], $3::bigint[], $4::bigint[]) AS s (id, lease, timeout)
	`

const extendTail = `
)
UPDATE messages m
SET visible_at = CASE
	WHEN f.until <= m.received_at + interval '12 hours' THEN f.until
	ELSE m.visible_at
	END
FROM found f
WHERE m.ctid = f.ctid AND m.queue_id = f.queue_id AND m.lease = f.lease
RETURNING m.id, f.lease, f.until > m.received_at + interval '12 hours'`

// undoClaim makes a claimed message m visible now, as if it had not been received.
const undoClaim = `SET visible_at = tusq_now(),
	lease = NULL,
	receive_count = m.receive_count - 1,
	returned = m.receive_count > 1,
	first_received_at = CASE WHEN m.receive_count > 1 THEN m.first_received_at END`

// releaseSQL undoes claims whose receiver has gone, on a FIFO queue only those whose leases end when they
// ended then: a repeated attempt has the same leases, with another end. It reads by the primary key.
const releaseSQL = `
WITH found AS MATERIALIZED (
	SELECT m.ctid, m.queue_id, s.lease
	FROM unnest($2::uuid[], $3::bigint[], $4::timestamptz[]) AS s (id, lease, visible_at)
	CROSS JOIN LATERAL (
		SELECT ctid, queue_id
		FROM messages
		WHERE queue_id = $1 AND id BETWEEN s.id AND s.id AND lease = s.lease AND visible_at = coalesce(s.visible_at, visible_at)
		ORDER BY id
		LIMIT 1
	) AS m
)
UPDATE messages m
` + undoClaim + `
FROM found f
WHERE m.ctid = f.ctid AND m.queue_id = f.queue_id AND m.lease = f.lease
RETURNING m.id, f.lease`

// lockSQL locks messages whose leases hold, in the order of the ids. It reads by the primary key, and
// waits for what the settlements would wait for.
const lockSQL = `
SELECT count(*)
FROM unnest($2::uuid[], $3::bigint[]) AS s (id, lease)
CROSS JOIN LATERAL (
	SELECT 1
	FROM messages
	WHERE queue_id = $1 AND id BETWEEN s.id AND s.id AND lease = s.lease
	ORDER BY id
	LIMIT 1
	FOR UPDATE
) AS m`

// queueLocks locks what a standard queue's settlements change, where they are of several kinds: each
// kind is a statement, and only together are they in the order of the ids. A FIFO queue's groups are locked.
func queueLocks(b *batch, w *service.QueueWork) {
	all := slices.Concat(w.Deletes, w.Extends, w.Releases)
	if w.FIFO || len(all) == max(len(w.Deletes), len(w.Extends), len(w.Releases)) {
		return
	}
	slices.SortFunc(all, func(a, b *service.Settlement) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	ids, leases, _ := settlementArrays(all)
	b.queue(lockSQL, w.QueueID, ids, leases)
}

func queueDeletes(b *batch, w *service.QueueWork, lane int) {
	sql := deleteSQL
	if w.FIFO {
		sql = deleteFIFOSQL
	}
	ids, leases, index := settlementArrays(w.Deletes)
	b.queue(sql, w.QueueID, lane, ids, leases).rows(index.read)
}

func queueReleases(b *batch, w *service.QueueWork) {
	n := len(w.Releases)
	ids, leases, ends := make(uuidArray, n), make(int8Array, n), make([]pgtype.Timestamptz, n)
	for i, s := range w.Releases {
		ids[i], leases[i], ends[i] = s.ID, s.Lease, pgtype.Timestamptz{Time: s.VisibleAt, Valid: w.FIFO}
	}
	b.queue(releaseSQL, w.QueueID, ids, leases, ends).rows(settlementIndex(w.Releases).read)
}

// queueExtends extends each lease once: of several extends in one flush the last counts.
func queueExtends(b *batch, w *service.QueueWork) {
	ids, leases, index := settlementArrays(w.Extends)
	timeouts := make(int8Array, len(ids))
	for i := range ids {
		index.each(ids[i], leases[i], func(s *service.Settlement) { timeouts[i] = s.Timeout.Microseconds() })
	}
	sql := extendSQL
	if w.FIFO {
		sql = extendFIFOSQL
	}
	b.queue(sql, w.QueueID, ids, leases, timeouts).rows(index.readExtended)
}

// settlementIndex finds the settlements of a lease, several calls' perhaps: they are in the
// order of the messages' ids.
type settlementIndex []*service.Settlement

// settlementArrays are the parameters of a statement, each lease once.
func settlementArrays(settlements []*service.Settlement) (uuidArray, int8Array, settlementIndex) {
	ids, leases := make(uuidArray, 0, len(settlements)), make(int8Array, 0, len(settlements))
	for i, s := range settlements {
		known := false
		for before := i - 1; before >= 0 && settlements[before].ID == s.ID; before-- {
			known = known || settlements[before].Lease == s.Lease
		}
		if !known {
			ids, leases = append(ids, s.ID), append(leases, s.Lease)
		}
	}
	return ids, leases, settlements
}

// each visits the settlements of a lease, in the order of their calls.
func (index settlementIndex) each(id service.MessageID, lease int64, visit func(*service.Settlement)) {
	first, _ := slices.BinarySearchFunc(index, id, func(s *service.Settlement, id service.MessageID) int {
		return bytes.Compare(s.ID[:], id[:])
	})
	for _, s := range index[first:] {
		if s.ID != id {
			break
		}
		if s.Lease == lease {
			visit(s)
		}
	}
}

// read marks the settlements whose lease held.
func (index settlementIndex) read(rows pgx.Rows) error {
	var id pgtype.UUID
	var lease int64
	_, err := pgx.ForEachRow(rows, []any{&id, &lease}, func() error {
		index.each(id.Bytes, lease, func(s *service.Settlement) { s.Done = true })
		return nil
	})
	return err
}

// readExtended is read for extends, which may have asked for too much.
func (index settlementIndex) readExtended(rows pgx.Rows) error {
	var id pgtype.UUID
	var lease int64
	var tooLong bool
	_, err := pgx.ForEachRow(rows, []any{&id, &lease, &tooLong}, func() error {
		index.each(id.Bytes, lease, func(s *service.Settlement) { s.Done, s.TooLong = !tooLong, tooLong })
		return nil
	})
	return err
}

const leasesSQL = `
SELECT s.id, m.lease
FROM unnest($2::uuid[]) AS s (id)
CROSS JOIN LATERAL (
	SELECT coalesce(lease, 0) AS lease
	FROM messages
	WHERE queue_id = $1 AND id BETWEEN s.id AND s.id
	ORDER BY id
	LIMIT 1
) AS m`

// Leases returns the leases that messages have now, 0 where there is none. Messages that
// are gone are left out.
func (r *Repository) Leases(ctx context.Context, queueID int64, ids []service.MessageID) (map[service.MessageID]int64, error) {
	params := make(uuidArray, len(ids))
	for i, id := range ids {
		params[i] = id
	}
	leases := make(map[service.MessageID]int64, len(ids))
	var id pgtype.UUID
	var lease int64
	err := pgx.BeginFunc(ctx, r.hot, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, leasesSQL, queueID, params)
		_, err := pgx.ForEachRow(rows, []any{&id, &lease}, func() error {
			leases[id.Bytes] = lease
			return nil
		})
		return err
	})
	if err != nil {
		return nil, r.classify("find messages", err)
	}
	return leases, nil
}
