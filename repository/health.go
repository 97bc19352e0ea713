package repository

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tusq/service"
)

// oldestTransactionSQL is the age in seconds of the oldest transaction that keeps vacuum from
// removing dead rows of this database, as far as the role may see those of others: one that
// holds a snapshot here, one that writes anywhere, or one that was prepared.
const oldestTransactionSQL = `
SELECT coalesce(extract(epoch FROM clock_timestamp() - least(
	(
		SELECT min(xact_start)
		FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL AND datname = current_database())
	),
	(SELECT min(prepared) FROM pg_prepared_xacts))), 0)::float8`

// deadRowsSQL estimates the dead rows of the messages.
const deadRowsSQL = `
SELECT coalesce((SELECT n_dead_tup FROM pg_stat_all_tables WHERE relid = to_regclass('messages')), 0)`

// healthSQL reads PostgreSQL's views only, whatever the queues hold.
const healthSQL = `
SELECT current_setting('fsync') = 'off',
	current_setting('full_page_writes') = 'off',
	current_setting('data_checksums') = 'off',
	current_setting('synchronous_commit') = 'off',
	pg_is_in_recovery(),
	(` + oldestTransactionSQL + `),
	(` + deadRowsSQL + `)`

// Health tells what the database is not fit for, and what vacuum has before it. Where no server takes
// changes it tells of one that does not.
func (r *Repository) Health(ctx context.Context) (service.Health, error) {
	h, err := scanHealth(r.keys.QueryRow(ctx, healthSQL))
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		h, err = r.healthOfAny(ctx)
	}
	if err != nil {
		return service.Health{}, r.classify("look at the database's health", err)
	}
	return h, nil
}

func (r *Repository) healthOfAny(ctx context.Context) (service.Health, error) {
	conn, err := connectToAny(ctx, r.way.url, "tusq health")
	if err != nil {
		return service.Health{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return scanHealth(conn.QueryRow(ctx, healthSQL))
}

func scanHealth(row pgx.Row) (service.Health, error) {
	var fsync, pages, checksums, commits, standby bool
	var oldest float64
	var h service.Health
	if err := row.Scan(&fsync, &pages, &checksums, &commits, &standby, &oldest, &h.DeadRows); err != nil {
		return service.Health{}, err
	}
	h.OldestTransaction = time.Duration(oldest * float64(time.Second))
	h.Unfit = map[service.Unfit]bool{
		service.UnfitFsync: fsync, service.UnfitPages: pages, service.UnfitChecksums: checksums,
		service.UnfitCommits: commits, service.UnfitStandby: standby,
	}
	return h, nil
}
