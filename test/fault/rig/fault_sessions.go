package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sessionFaults are what other users of the database do to it.
var sessionFaults = []Fault{
	{Name: "exhaust connections", Rows: []int{20}, Part: OfPostgres, inject: exhaustConnections},
	{Name: "pin horizon", Rows: []int{22}, Part: OfPostgres, inject: pinHorizon},
	{Name: "autovacuum off", Rows: []int{23}, Part: OfPostgres, inject: autovacuumOff},
	{Name: "lock rows", Rows: []int{26}, Part: OfPostgres, inject: lockRows},
	{Name: "queue for a lock", Rows: []int{26}, Part: OfPostgres, inject: queueForLock},
}

// exhaustConnections opens idle sessions until PostgreSQL refuses, ends the replicas' own, and takes their places too, as far as they do
// not come back first.
func exhaustConnections(ctx context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	idle, err := fill(ctx, c.Postgres)
	release := func(ctx context.Context) error {
		var errs []error
		for _, connection := range idle {
			errs = append(errs, connection.Close(ctx))
		}
		return errors.Join(errs...)
	}
	if err == nil {
		err = c.Postgres.Exec(ctx, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'tusq' AND application_name LIKE 'tusq%'")
	}
	if err == nil {
		var more []*pgx.Conn
		more, err = fill(ctx, c.Postgres)
		idle = append(idle, more...)
	}
	if err != nil {
		return Injected{}, errors.Join(err, release(ctx))
	}
	return Injected{What: fmt.Sprintf("by %d idle sessions", len(idle)), Heal: release}, nil
}

// fill opens sessions until PostgreSQL refuses ten in a row: one is refused too where somebody else who is being refused takes the last
// place meanwhile.
func fill(ctx context.Context, p *Postgres) (idle []*pgx.Conn, err error) {
	for refusals := 0; refusals < 10; {
		connection, err := pgx.Connect(ctx, p.URL())
		var refused *pgconn.PgError
		switch {
		case err == nil:
			idle = append(idle, connection)
			refusals = 0
		case errors.As(err, &refused) && refused.Code == "53300": // too_many_connections
			refusals++
			time.Sleep(20 * time.Millisecond)
		default:
			return idle, err
		}
	}
	return idle, nil
}

// session runs statements in a transaction that stays open until it is healed.
func session(ctx context.Context, c *Cluster, what string, statements ...string) (Injected, error) {
	connection, err := c.Postgres.Connect(ctx)
	if err != nil {
		return Injected{}, err
	}
	for _, sql := range statements {
		if _, err := connection.Exec(ctx, sql); err != nil {
			return Injected{}, errors.Join(err, connection.Close(ctx))
		}
	}
	return Injected{What: what, Heal: func(ctx context.Context) error {
		_, err := connection.Exec(ctx, "COMMIT")
		return errors.Join(err, connection.Close(ctx))
	}}, nil
}

// pinHorizon keeps vacuum from removing anything that dies meanwhile.
func pinHorizon(ctx context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	return session(ctx, c, "by a snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM queues")
}

func autovacuumOff(ctx context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	set := func(ctx context.Context, value string) error {
		return errors.Join(c.Postgres.Exec(ctx, "ALTER SYSTEM SET autovacuum = "+value), c.Postgres.Exec(ctx, "SELECT pg_reload_conf()"))
	}
	heal := func(ctx context.Context) error { return set(ctx, "on") }
	return Injected{What: "and on again", Heal: heal}, set(ctx, "off")
}

// lockRows holds random messages.
func lockRows(ctx context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
	n := 1 + r.IntN(50)
	return session(ctx, c, fmt.Sprintf("up to %d messages", n),
		"BEGIN", fmt.Sprintf("SELECT FROM messages WHERE random() < 0.1 LIMIT %d FOR UPDATE SKIP LOCKED", n))
}

// queueForLock reads a table in a transaction that stays open, so that a change of the table waits for it, and everybody else
// for the change: one second out of two, as a migration with a lock_timeout tries it again.
func queueForLock(ctx context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
	table := []string{"messages", "queue_counters", "message_groups", "once_keys", "queues"}[r.IntN(5)]
	reader, err := session(ctx, c, "", "BEGIN", "LOCK TABLE "+table+" IN ACCESS SHARE MODE")
	if err != nil {
		return Injected{}, err
	}
	change, err := c.Postgres.Connect(ctx)
	if err != nil {
		return Injected{}, errors.Join(err, reader.Heal(ctx))
	}
	stop := repeat(ctx, 2*time.Second, func(ctx context.Context) error {
		err := pgx.BeginFunc(ctx, change, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '1s'")
			if err == nil {
				_, err = tx.Exec(ctx, "LOCK TABLE "+table)
			}
			return err
		})
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == "55P03" { // lock_not_available, as intended
			return nil
		}
		return errors.Join(errors.New("the change did not wait"), err)
	})
	return Injected{What: table, Heal: func(ctx context.Context) error {
		return errors.Join(stop(ctx), reader.Heal(ctx), change.Close(ctx))
	}}, nil
}
