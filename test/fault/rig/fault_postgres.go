package rig

import (
	"context"
	"errors"
	"math/rand/v2"
	"syscall"
	"time"
)

// postgresFaults are those of the server and of its processes.
var postgresFaults = []Fault{
	{Name: "kill postgres", Rows: []int{11}, Part: OfPostgres, inject: killPostgres},
	{Name: "restart postgres", Rows: []int{11}, Part: OfPostgres, inject: restartPostgres},
	{Name: "kill backend", Rows: []int{11, 13}, Part: OfPostgres, inject: killBackend},
	{Name: "terminate backends", Rows: []int{13}, Part: OfPostgres, inject: terminateBackends},
	{Name: "terminate listeners", Rows: []int{10}, Part: OfPostgres, inject: terminateListeners},
	{Name: "cancel flushes", Rows: []int{13, 14}, Part: OfPostgres, inject: cancelFlushes},
}

func killPostgres(_ context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	c.Postgres.Kill()
	return Injected{What: "all its processes", Heal: c.Postgres.Start}, nil
}

func restartPostgres(ctx context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	if err := c.Postgres.Stop(ctx); err != nil {
		return Injected{}, err
	}
	return Injected{What: "fast shutdown", Heal: c.Postgres.Start}, nil
}

// flushes are the replicas' backends that write messages; listeners are those that wait for notifications.
const (
	flushes   = `usename = 'tusq' AND application_name LIKE 'tusq flush%'`
	listeners = `usename = 'tusq' AND query ILIKE 'listen%'`
)

// killBackend kills one flush's process by SIGKILL. PostgreSQL then ends all others, recovers, and goes on.
func killBackend(ctx context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
	var pids []int
	err := c.Postgres.QueryRow(ctx, []any{&pids},
		"SELECT coalesce(array_agg(pid ORDER BY pid), '{}') FROM pg_stat_activity WHERE "+flushes)
	if err == nil && len(pids) == 0 {
		err = ErrNoEffect
	}
	if err != nil {
		return Injected{}, err
	}
	if err := syscall.Kill(pids[r.IntN(len(pids))], syscall.SIGKILL); err != nil {
		return Injected{}, err
	}
	return Injected{What: "of a flush", Heal: c.Postgres.Await}, nil
}

// Await returns when the running server accepts connections.
func (p *Postgres) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return p.server.waitFor(ctx, func(ctx context.Context) error { return p.Exec(ctx, "SELECT 1") })
}

// terminateBackends ends one random connection of the replicas every 100 ms.
func terminateBackends(ctx context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	return signalBackends(ctx, c, 100*time.Millisecond, "one each 100 ms",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tusq' ORDER BY random() LIMIT 1")
}

// terminateListeners ends whatever listens, again and again: the replicas hear nothing of each other.
func terminateListeners(ctx context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	return signalBackends(ctx, c, 50*time.Millisecond, "all each 50 ms",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "+listeners)
}

// cancelFlushes cancels the statements of the flushes that are at work.
func cancelFlushes(ctx context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
	interval := between(r, 5, 100)
	return signalBackends(ctx, c, interval, "all each "+interval.String(),
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND "+flushes)
}

func signalBackends(ctx context.Context, c *Cluster, interval time.Duration, what, sql string) (Injected, error) {
	connection, err := c.Postgres.Connect(ctx)
	if err != nil {
		return Injected{}, err
	}
	hits := int64(0)
	stop := repeat(ctx, interval, func(ctx context.Context) error {
		tag, err := connection.Exec(ctx, sql)
		hits += tag.RowsAffected()
		return err
	})
	return Injected{What: what, Heal: func(ctx context.Context) error {
		err := errors.Join(stop(ctx), connection.Close(ctx))
		if err == nil && hits == 0 {
			err = ErrNoEffect
		}
		return err
	}}, nil
}
