package repository

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/faultpoint"
	"tusq/service"
)

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
		AND visible_at BETWEEN tusq_now() + $4 * interval '1 microsecond' - interval '10 minutes' AND tusq_now() + $4 * interval '1 microsecond'
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
	if err := faultpoint.Hit("repository.revoke.backend"); err != nil {
		return r.classify("end a lost flush", err)
	}
	for _, w := range work {
		for _, claim := range slices.Concat(w.Claims, w.Handoffs) {
			if err := pgx.BeginFunc(ctx, r.hot, func(tx pgx.Tx) error { return revoke(ctx, tx, w, claim) }); err != nil {
				return r.classify("revoke claims", err)
			}
			if err := faultpoint.Hit("repository.revoke.claim"); err != nil {
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

// endBackend ends the backend of a lost flush, where it still runs, and waits for its end. Behind
// a pooler it is the flush's backend for as long as it is in the flush's transaction.
func (r *Repository) endBackend(ctx context.Context, lost *lostFlush) error {
	for {
		var running int // counted: EXISTS would not call the function
		err := r.cold.QueryRow(ctx, `
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE pid = $1 AND usename = current_user AND datname = current_database()
	AND CASE WHEN $3::bigint = 0 THEN application_name = $2 ELSE (extract(epoch FROM xact_start) * 1000000)::bigint = $3 END`,
			lost.pid, lost.application, lost.began).Scan(&running)
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

// EndFrozenFlushes ends flushes of which PostgreSQL has carried out a part, and waits for the rest,
// for longer than age. Their replica stands still, or was cut off: their locks would stay, because
// idle_in_transaction_session_timeout does not count inside a pipeline.
func (r *Repository) EndFrozenFlushes(ctx context.Context, age time.Duration) (ended int64, err error) {
	err = r.cold.QueryRow(ctx, `
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND application_name LIKE 'tusq flush %'
	AND state = 'active' AND wait_event = 'ClientRead'
	AND xact_start < now() - $1 * interval '1 microsecond'`, age.Microseconds()).Scan(&ended)
	if err != nil {
		return 0, r.classify("end frozen flushes", err)
	}
	return ended, nil
}
