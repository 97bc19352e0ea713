package repository

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// A flush has one durability, for which it sets synchronous_commit in its own transaction. SET
// LOCAL would warn that it is not inside a transaction block; set_config does the same.

// setLevel are the statements that set the levels; that of the server needs none.
var setLevel = map[service.Durability]string{
	service.DurabilityAsync:   `SELECT set_config('synchronous_commit', 'off', true)`,
	service.DurabilityLocal:   `SELECT set_config('synchronous_commit', 'local', true)`,
	service.DurabilityQuorum:  `SELECT set_config('synchronous_commit', 'on', true)`,
	service.DurabilityApplied: `SELECT set_config('synchronous_commit', 'remote_apply', true)`,
}

// requireStandby are those of flushes that send: PostgreSQL would wait for nothing where no
// standby is named, so the flush is made to fail there, in the transaction itself.
var requireStandby = map[service.Durability]string{
	service.DurabilityQuorum:  standbyOr(`on`),
	service.DurabilityApplied: standbyOr(`remote_apply`),
}

func standbyOr(value string) string {
	return `
SELECT set_config('synchronous_commit',
	CASE current_setting('synchronous_standby_names') WHEN '' THEN 'no standby is named' ELSE '` + value + `' END, true)`
}

// queueDurability sets the level of a flush, before all else.
func queueDurability(b *batch, work []service.QueueWork) {
	level := work[0].Durability
	sql := setLevel[level]
	if needsStandby(work) {
		sql = requireStandby[level]
	}
	if sql != "" {
		b.queue(sql)
	}
}

// needsStandby tells whether a flush stores messages whose level needs a standby.
func needsStandby(work []service.QueueWork) bool {
	return work[0].Durability.Replicated() &&
		slices.ContainsFunc(work, func(w service.QueueWork) bool { return len(w.Sends) > 0 })
}

// stillNamed tells whether standbys are named after a commit that was to wait for them. Where the
// names have been taken away meanwhile, PostgreSQL has let go of the commit as if it were
// replicated; a backend hears of that no later than the process that lets go.
func stillNamed(ctx context.Context, conn *pgx.Conn) (named bool) {
	err := conn.QueryRow(ctx, namedSQL).Scan(&named)
	return err == nil && named
}

const namedSQL = `SELECT current_setting('synchronous_standby_names') <> ''`

// HasStandbys tells whether the database names synchronous standbys.
func (r *Repository) HasStandbys(ctx context.Context) (named bool, err error) {
	err = r.cold.QueryRow(ctx, namedSQL).Scan(&named)
	if err != nil {
		return false, r.classify("look for standbys", err)
	}
	return named, nil
}
