package repository

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/internal/faultpoint"
	"tusq/service"
)

// errAttemptOver ends the transaction of a receive whose messages have become visible.
var errAttemptOver = errors.New("the attempt's messages are visible again")

// attempt is what a receive with an attempt id got.
type attempt struct {
	ids       []pgtype.UUID
	leases    []int64
	visibleAt time.Time
}

// RepeatReceive returns what the receive from a FIFO queue of that attempt got, with its
// leases, and makes it invisible anew; CodeAttemptVoid, where one of its messages is gone
// or was changed; nothing, where there was none or it has become visible. An error may come with what was claimed
// all the same, should the commit have succeeded: it is to be released.
func (r *Repository) RepeatReceive(ctx context.Context, queueID int64, key service.Key, visibility time.Duration) (claimed []service.Claimed, err error) {
	err = pgx.BeginFunc(ctx, r.jobs, func(tx pgx.Tx) error {
		var a attempt
		err := tx.QueryRow(ctx, `
SELECT message_ids, leases, visible_at
FROM receive_attempts
WHERE queue_id = $1 AND key = $2 AND expires_at > tusq_now()
FOR UPDATE`, queueID, pgKey(key)).Scan(&a.ids, &a.leases, &a.visibleAt)
		if err != nil {
			return err
		}
		groups, err := lockGroupsOf(ctx, tx, queueID, a.ids)
		if err != nil {
			return err
		}
		if err := cmp.Or(a.check(ctx, tx, queueID), faultpoint.Hit("repository.attempt.repeat")); err != nil {
			return err
		}
		if claimed, err = a.claim(ctx, tx, queueID, visibility); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, refreshGroupsSQL, queueID, groups); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE receive_attempts SET visible_at = $3 WHERE queue_id = $1 AND key = $2`,
			queueID, pgKey(key), claimed[0].Message.VisibleAt)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) || errors.Is(err, errAttemptOver) {
		return nil, nil
	}
	if err != nil {
		return claimed, r.classify("repeat a receive", err)
	}
	return claimed, nil
}

// findAttempt finds the messages m of each lease t.
const findAttempt = `
	FROM unnest($2::uuid[], $3::bigint[]) WITH ORDINALITY AS t (id, lease, place)
	LEFT JOIN LATERAL (
		SELECT ctid, queue_id, lease, visible_at
		FROM messages
		WHERE queue_id = $1 AND id BETWEEN t.id AND t.id
		ORDER BY id
		LIMIT 1
	) AS m ON true`

// check fails with CodeAttemptVoid where a message is gone, or has another end of its lease.
// What was released because its receiver had gone is neither.
func (a attempt) check(ctx context.Context, tx pgx.Tx, queueID int64) error {
	var settled bool
	err := tx.QueryRow(ctx, `
SELECT coalesce(bool_or(m.ctid IS NULL OR m.lease = t.lease AND m.visible_at <> $4), false)`+findAttempt,
		queueID, a.ids, a.leases, a.visibleAt).Scan(&settled)
	if err == nil && settled {
		return &service.Error{Code: service.CodeAttemptVoid, Field: "attempt_id",
			Message: "What this attempt got has been deleted or changed since, so it cannot be repeated."}
	}
	return err
}

// lockGroupsOf locks the groups of messages and returns their ids.
func lockGroupsOf(ctx context.Context, tx pgx.Tx, queueID int64, ids []pgtype.UUID) ([]string, error) {
	rows, _ := tx.Query(ctx, `
SELECT group_id
FROM message_groups
WHERE queue_id = $1 AND group_id IN (SELECT group_id FROM messages WHERE queue_id = $1 AND id = ANY($2))
ORDER BY group_id COLLATE "C"
FOR UPDATE`, queueID, ids)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// claim makes the messages invisible anew, for no longer than a message may be in flight. Their leases always end
// at another time than before, by which a release of the receive that is repeated knows that it comes too late.
func (a attempt) claim(ctx context.Context, tx pgx.Tx, queueID int64, visibility time.Duration) ([]service.Claimed, error) {
	rows, _ := tx.Query(ctx, `
WITH unchanged AS MATERIALIZED (
	SELECT m.ctid, m.queue_id, t.place`+findAttempt+`
	WHERE m.lease = t.lease AND m.visible_at = $4 AND m.visible_at > tusq_now()
)
UPDATE messages m
SET visible_at = least(tusq_now() + $5::interval,
	greatest(m.visible_at, m.received_at + interval '12 hours' - interval '1 millisecond') - interval '1 microsecond')
FROM unchanged u
WHERE m.ctid = u.ctid AND m.queue_id = u.queue_id
RETURNING u.place, `+messageColumns("m"), queueID, a.ids, a.leases, a.visibleAt, visibility)
	defer rows.Close()
	claimed := make([]service.Claimed, len(a.ids))
	found := 0
	var place int
	m := scanner(&place)
	for rows.Next() {
		if err := m.scan(rows); err != nil {
			return nil, err
		}
		claimed[place-1] = m.message(service.StateInFlight)
		found++
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if found < len(a.ids) {
		return nil, errAttemptOver
	}
	return claimed, nil
}

// RememberReceive keeps what an attempt got for DeduplicationInterval.
func (r *Repository) RememberReceive(ctx context.Context, queueID int64, key service.Key, claimed []service.Claimed) error {
	ids, leases := make([]pgtype.UUID, len(claimed)), make([]int64, len(claimed))
	for i, c := range claimed {
		ids[i], leases[i] = pgUUID(c.ID), c.Lease
	}
	_, err := r.cold.Exec(ctx, `
INSERT INTO receive_attempts AS a (queue_id, key, message_ids, leases, visible_at, expires_at)
VALUES ($1, $2, $3, $4, $5, tusq_now() + `+interval+`)
ON CONFLICT (queue_id, key) DO UPDATE
SET message_ids = excluded.message_ids, leases = excluded.leases, visible_at = excluded.visible_at, expires_at = excluded.expires_at`,
		queueID, pgKey(key), ids, leases, claimed[0].Message.VisibleAt)
	if err = cmp.Or(err, faultpoint.Hit("repository.attempt.remember")); err != nil {
		return r.classify("remember a receive", err)
	}
	return nil
}
