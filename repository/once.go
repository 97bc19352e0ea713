package repository

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/internal/faultpoint"
	"tusq/service"
)

// interval is service.DeduplicationInterval in SQL.
const interval = `interval '5 minutes'`

// holdKey takes a key that nobody holds, or whose time is over, and tells who holds it: it
// waits for a concurrent flush of the same key and then sees what that has committed.
const holdKey = `
ON CONFLICT (queue_id, key) DO UPDATE
SET message_id = CASE WHEN o.expires_at <= tusq_now() THEN excluded.message_id ELSE o.message_id END,
	seq = CASE WHEN o.expires_at <= tusq_now() THEN excluded.seq ELSE o.seq END,
	fingerprint = CASE WHEN o.expires_at <= tusq_now() THEN excluded.fingerprint ELSE o.fingerprint END,
	expires_at = CASE WHEN o.expires_at <= tusq_now() THEN excluded.expires_at ELSE o.expires_at END,
	repeats = CASE WHEN o.expires_at <= tusq_now() THEN 0 ELSE o.repeats + 1 END
RETURNING key, message_id, coalesce(seq, 0), fingerprint`

// takeCallsSQL takes the keys of calls, in the order of the keys.
const takeCallsSQL = `
INSERT INTO once_keys AS o (queue_id, key, message_id, fingerprint, expires_at)
SELECT q.id, c.key, c.owner, c.fingerprint, tusq_now() + ` + interval + `
FROM queues q
CROSS JOIN unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS c (key, owner, fingerprint)
WHERE q.id = $1 AND ` + alive + holdKey

// takeKeysSQL takes the deduplication ids of a FIFO queue's messages, in the order of the
// keys, and gives the messages their sequence numbers. Their groups are locked. The
// messages of a call that is a repetition take none. Where messages have the same key, they are of
// several calls, and the first takes it that may.
var takeKeysSQL, takeKeysOfCallsSQL = takeKeys("SELECT", ""), takeKeys("SELECT DISTINCT ON (t.key)", `
ORDER BY t.key, t.nth`)

func takeKeys(choose, order string) string {
	return `
INSERT INTO once_keys AS o (queue_id, key, message_id, seq, expires_at)
` + choose + ` g.queue_id, t.key, t.id, g.last_seq - ` + seqStride + ` + t.nth, tusq_now() + ` + interval + `
FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::uuid[], $7::uuid[])
	AS t (key, id, group_id, nth, call, owner)
CROSS JOIN LATERAL (
		SELECT queue_id, last_seq` + findGroup + `
	) AS g
LEFT JOIN LATERAL (
		SELECT message_id
		FROM once_keys
		WHERE queue_id = $1 AND key BETWEEN t.call AND t.call
		ORDER BY key
		LIMIT 1
	) AS c ON true
WHERE t.call IS NULL OR c.message_id = t.owner` + order + holdKey
}

// heldSQL tells who holds the keys of messages that take none, because their call is a
// repetition.
const heldSQL = `
SELECT o.key, o.message_id, coalesce(o.seq, 0), o.fingerprint
FROM unnest($2::uuid[]) AS t (key)
CROSS JOIN LATERAL (
	SELECT key, message_id, seq, fingerprint
	FROM once_keys
	WHERE queue_id = $1 AND key BETWEEN t.key AND t.key
	ORDER BY key
	LIMIT 1
) AS o`

// queueCalls takes the keys of the calls that a FIFO queue's messages came with.
func queueCalls(b *batch, w *service.QueueWork) {
	if len(w.Calls) == 0 {
		return
	}
	params := append([]any{w.QueueID}, callParams(w)...)
	b.queue(takeCallsSQL, params...).rows(func(rows pgx.Rows) error {
		held, err := readHolders(rows)
		answerCalls(w, held)
		return err
	})
}

// callParams are the calls in the order of their keys: keys, owners, fingerprints.
func callParams(w *service.QueueWork) []any {
	slices.SortFunc(w.Calls, func(a, b *service.SendCall) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	n := len(w.Calls)
	keys, owners, fingerprints := make(uuidArray, n), make(uuidArray, n), make(uuidArray, n)
	for i, call := range w.Calls {
		keys[i], owners[i], fingerprints[i] = call.Key, call.Owner, call.Fingerprint
	}
	return []any{keys, owners, fingerprints}
}

// answerCalls tells the calls who holds their keys: they themselves where nobody else is named.
func answerCalls(w *service.QueueWork, held map[service.Key]holder) {
	for _, call := range w.Calls {
		call.FirstOwner, call.FirstFingerprint = call.Owner, call.Fingerprint
		if first, ok := held[call.Key]; ok {
			call.FirstOwner, call.FirstFingerprint = first.owner, first.fingerprint
		}
	}
}

// queueKeys takes the deduplication ids of a FIFO queue's messages.
func queueKeys(b *batch, w *service.QueueWork) {
	sorted := make([]int, len(w.Sends))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortFunc(sorted, func(a, b int) int { return bytes.Compare(w.Sends[a].Key[:], w.Sends[b].Key[:]) })
	n := len(sorted)
	keys, ids, groups, places := make(uuidArray, n), make(uuidArray, n), make(textArray, n), make([]int, n)
	sends := make([]*service.Outgoing, n)
	for i, place := range sorted {
		m := w.Sends[place]
		keys[i], ids[i], groups[i], places[i], sends[i] = m.Key, m.ID, m.GroupID, place+1, m
	}
	calls, owners := ownersOf(sends)
	params := []any{w.QueueID, keys, ids, groups, places, calls, owners}
	answer := func(rows pgx.Rows) error {
		held, err := readHolders(rows)
		for _, m := range w.Sends {
			if first, ok := held[m.Key]; ok { // else the queue is gone, or the call a repetition
				m.StoredID, m.Sequence = first.owner, first.seq
			}
		}
		return err
	}
	if len(w.Calls) == 0 {
		b.queue(takeKeysSQL, params...).rows(answer)
		return
	}
	b.queue(takeKeysOfCallsSQL, params...).rows(answer)
	b.queue(heldSQL, w.QueueID, keys).rows(answer)
}

// ownersOf are the keys of messages' calls, and the calls' first messages.
func ownersOf(sends []*service.Outgoing) (calls, owners nullUUIDArray) {
	calls, owners = make(nullUUIDArray, len(sends)), make(nullUUIDArray, len(sends))
	for i, m := range sends {
		if m.Call != nil {
			calls[i], owners[i] = m.Call.Key, m.Call.Owner
		}
	}
	return calls, owners
}

// keyParams are the keys of a FIFO queue's messages and what they were made of.
func keyParams(w *service.QueueWork) []any {
	keys, ids := make(uuidArray, len(w.Sends)), make(textArray, len(w.Sends))
	for i, m := range w.Sends {
		keys[i], ids[i] = m.Key, m.DeduplicationID
	}
	return []any{keys, ids}
}

// holder is who holds a key.
type holder struct {
	owner       service.MessageID
	seq         int64
	fingerprint service.Key
}

func readHolders(rows pgx.Rows) (map[service.Key]holder, error) {
	held := map[service.Key]holder{}
	var key, owner, fingerprint pgtype.UUID
	var seq int64
	_, err := pgx.ForEachRow(rows, []any{&key, &owner, &seq, &fingerprint}, func() error {
		held[key.Bytes] = holder{owner.Bytes, seq, fingerprint.Bytes}
		return nil
	})
	return held, err
}

func pgKey(key service.Key) pgtype.UUID { return pgtype.UUID{Bytes: key, Valid: true} }

// forgottenSQL finds what ForgetKeys deletes.
const forgottenSQL = `
SELECT 1 FROM once_keys WHERE expires_at <= tusq_now()
UNION ALL
SELECT 1 FROM receive_attempts WHERE expires_at <= tusq_now()
UNION ALL
SELECT 1 FROM redrives WHERE ` + longEnded

// ForgetKeys deletes keys and attempts whose time is over, and redrives that ended long ago.
func (r *Repository) ForgetKeys(ctx context.Context) (int64, error) {
	return r.exclusively(ctx, lockForget, forgottenSQL, func(tx pgx.Tx) (forgotten int64, err error) {
		for _, table := range []string{"once_keys", "receive_attempts"} {
			n, err := r.deleteRows(ctx, table, `expires_at <= tusq_now()`, `expires_at`)
			forgotten += n
			if err != nil {
				return forgotten, r.classify("forget keys", err)
			}
		}
		n, err := r.forgetRedrives(ctx)
		return forgotten + n, err
	})
}

// deleteRows deletes rows of a table that match a condition, in transactions of deletePart
// rows each. Rows that others have locked are left for the next time.
func (r *Repository) deleteRows(ctx context.Context, table, condition, order string, params ...any) (deleted int64, err error) {
	sql := strings.NewReplacer("$table", table, "$condition", condition, "$order", order).Replace(`
WITH rows AS MATERIALIZED (
	SELECT ctid, queue_id
	FROM $table
	WHERE $condition
	ORDER BY $order
	LIMIT ` + deletePartText + `
	FOR UPDATE SKIP LOCKED
)
DELETE FROM $table t
USING rows
WHERE t.ctid = rows.ctid AND t.queue_id = rows.queue_id`)
	for {
		var part int64
		err := pgx.BeginFunc(ctx, r.jobs, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, sql, params...)
			part = tag.RowsAffected()
			return cmp.Or(err, faultpoint.Hit("repository.rows.part"))
		})
		if err != nil {
			return deleted, err
		}
		if deleted += part; part < deletePart {
			return deleted, nil
		}
	}
}

const oldKeys = `
	FROM once_keys
	WHERE queue_id = $1 AND key > $2 AND seq IS NOT NULL AND expires_at <= $3::timestamptz + ` + interval + `
	ORDER BY key
	LIMIT ` + deletePartText

// lockKeysOfSQL locks what forgetKeysOfSQL looks at, so that this sees what was changed last.
const lockKeysOfSQL = `
SELECT count(*)
FROM (
	SELECT` + oldKeys + `
	FOR UPDATE
) AS locked`

const forgetKeysOfSQL = `
WITH old AS MATERIALIZED (
	SELECT ctid, queue_id, key, message_id` + oldKeys + `
), orphaned AS MATERIALIZED (
	SELECT old.ctid, old.queue_id
	FROM old
	LEFT JOIN LATERAL (
		SELECT id
		FROM messages
		WHERE queue_id = $1 AND id BETWEEN old.message_id AND old.message_id
		ORDER BY id
		LIMIT 1
	) AS m ON true
	WHERE m.id IS NULL
), forgotten AS (
	DELETE FROM once_keys o
	USING orphaned p
	WHERE o.ctid = p.ctid AND o.queue_id = p.queue_id
)
SELECT key
FROM old
ORDER BY key DESC
LIMIT 1`

// forgetKeysOf forgets the deduplication ids of what was sent to a queue up to a moment, in
// parts, but for messages that are there after all: their sends were still under way.
func (r *Repository) forgetKeysOf(ctx context.Context, queueID int64, until time.Time) error {
	last := pgtype.UUID{Valid: true}
	for {
		err := acknowledged(ctx, r.jobs, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, lockKeysOfSQL, queueID, last, until); err != nil {
				return err
			}
			return tx.QueryRow(ctx, forgetKeysOfSQL, queueID, last, until).Scan(&last)
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
