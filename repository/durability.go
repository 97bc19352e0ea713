package repository

import (
	"context"

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
	for i := range work {
		if required := requireStandby[level]; required != "" && len(work[i].Sends) > 0 {
			sql = required
		}
	}
	if sql != "" {
		b.queue(sql)
	}
}

// HasStandbys tells whether the database names synchronous standbys.
func (r *Repository) HasStandbys(ctx context.Context) (named bool, err error) {
	err = r.cold.QueryRow(ctx, `SELECT current_setting('synchronous_standby_names') <> ''`).Scan(&named)
	if err != nil {
		return false, r.classify("look for standbys", err)
	}
	return named, nil
}
