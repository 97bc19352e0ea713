// Package failover has a service lose its primary, again and again, and go on with the synchronous standby; and
// has PostgreSQL give up waiting for a standby, which must never be taken for success.
package failover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"tusq/internal/embeddedpg"
	"tusq/test/fault/rig"
)

// names are those of the two servers, as synchronous_standby_names has them.
var names = [2]string{"a", "b"}

// quorum has each commit wait for the standby; none is for a primary that has none.
const (
	quorum = "'ANY 1 (a, b)'"
	none   = "''"
)

// pair is a primary and its synchronous standby.
type pair struct {
	servers [2]*rig.Postgres
	primary int
}

// newPair makes and starts both in a directory whose parents the user that runs PostgreSQL can enter.
func newPair(ctx context.Context, dir string) (*pair, error) {
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, err
	}
	first, err := rig.NewPostgres(ctx, filepath.Join(dir, names[0]), rig.PostgresOptions{Settings: map[string]string{"max_wal_size": "512MB"}})
	if err != nil {
		return nil, err
	}
	p := &pair{servers: [2]*rig.Postgres{first, nil}}
	if err := first.Start(ctx); err != nil {
		return nil, err
	}
	if p.servers[1], err = first.Standby(ctx, filepath.Join(dir, names[1]), names[1]); err != nil {
		p.close()
		return nil, err
	}
	if err := p.require(ctx, first, quorum); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *pair) close() {
	for _, s := range p.servers {
		if s != nil {
			s.Kill()
		}
	}
}

// URL names both: the one that takes changes is to be found.
func (p *pair) URL() string { return rig.URL(p.servers[0].Address(), p.servers[1].Address()) }

func (p *pair) standby() *rig.Postgres { return p.servers[1-p.primary] }

// Limit of the time without an acknowledged send around a failover by Scripted. The fault matrix asks for 3 seconds; two cores that
// everything shares need more now and then.
const Limit = 10 * time.Second

// Scripted kills the primary of two replicas that are under load, and promotes its synchronous standby: so many times.
// The error is of the rig; what the check finds is in the result.
func Scripted(ctx context.Context, o Options) (result Result, err error) {
	pair, err := newPair(ctx, o.Dir)
	if err != nil {
		return Result{}, err
	}
	defer pair.close()
	return Play(ctx, o, pair, slices.Repeat([]Change{{Name: "kill -9", Fail: pair.fail, Rejoin: pair.rejoin}}, o.Times))
}

// require sets for whom a server's commits wait.
func (p *pair) require(ctx context.Context, s *rig.Postgres, standbys string) error {
	if err := s.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = "+standbys); err != nil {
		return err
	}
	return s.Exec(ctx, "SELECT pg_reload_conf()")
}

// fail kills the primary without warning and promotes the standby, which then waits for nobody.
func (p *pair) fail(ctx context.Context) error {
	p.servers[p.primary].Kill()
	next := p.standby()
	if err := p.require(ctx, next, none); err != nil {
		return err
	}
	if err := next.Promote(ctx); err != nil {
		return err
	}
	p.primary = 1 - p.primary
	return nil
}

// rejoin makes the server that was killed the new primary's standby, and has commits wait for it again.
func (p *pair) rejoin(ctx context.Context) error {
	name, primary, old := names[1-p.primary], p.servers[p.primary], p.standby()
	if err := old.Rewind(ctx, primary, name); err != nil {
		return err
	}
	if err := old.Start(ctx); err != nil {
		return err
	}
	if err := primary.AwaitStandby(ctx, name); err != nil {
		return err
	}
	return p.require(ctx, primary, quorum)
}

// AwaitQuorum returns when commits do wait for the standby. They ask shared memory, which the checkpointer changes when it reads the
// settings, as it does before a checkpoint that is asked for.
func (p *pair) AwaitQuorum(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var waits bool
		err := p.servers[p.primary].QueryRow(ctx, []any{&waits}, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'quorum')")
		if err == nil && waits {
			return p.servers[p.primary].Exec(ctx, "CHECKPOINT")
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the standby is not synchronous: %w", ctx.Err()), err)
		case <-tick.C:
		}
	}
}

// signal sends a signal to all processes of the standby.
func (p *pair) signal(signal syscall.Signal) error {
	running, err := embeddedpg.ProcessesIn(p.standby().Dir())
	for _, pid := range running {
		err = errors.Join(err, syscall.Kill(pid, signal))
	}
	return err
}

// missing counts the messages that are not on the primary.
func (p *pair) missing(ctx context.Context, ids []string) (n int, err error) {
	err = p.servers[p.primary].QueryRow(ctx, []any{&n}, `
SELECT count(*)
FROM unnest($1::text[]::uuid[]) AS acknowledged (id)
WHERE NOT EXISTS (SELECT FROM messages m WHERE m.id = acknowledged.id)`, ids)
	return n, err
}
