package patroni

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"tusq/internal/process"
	"tusq/test/fault/failover"
)

// twoPrimaries is how long the old primary lives beside the new one: longer than a replica's flush, so that replicas whose
// commits have hung there come back to it.
const twoPrimaries = 15 * time.Second

// Changes are so many deaths of the primary; then a switchover that somebody asks for; then a primary that lives on while
// its lease ends.
func (c *Cluster) Changes(deaths int) []failover.Change {
	var old *member
	return append(slices.Repeat([]failover.Change{{
		Name: "kill -9",
		Fail: func(ctx context.Context) (err error) {
			if old, err = c.leader(ctx); err != nil {
				return err
			}
			old.kill()
			return c.awaitAnother(ctx, old)
		},
		Rejoin: func(ctx context.Context) error { return errors.Join(old.start(ctx), c.AwaitQuorum(ctx)) },
	}}, deaths), failover.Change{Name: "switchover", Fail: c.switchOver, Rejoin: c.AwaitQuorum}, failover.Change{
		Name: "halted Patroni",
		Fail: func(ctx context.Context) (err error) {
			if old, err = c.leader(ctx); err != nil {
				return err
			}
			return errors.Join(old.halt(), c.awaitAnother(ctx, old), pause(ctx, twoPrimaries))
		},
		Rejoin: func(ctx context.Context) error { return errors.Join(old.goOn(), c.AwaitQuorum(ctx)) },
	})
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitAnother returns when a member other than the old one is the primary.
func (c *Cluster) awaitAnother(ctx context.Context, old *member) error {
	return c.await(ctx, func(ctx context.Context) error {
		m, err := c.leader(ctx)
		if err != nil {
			return err
		}
		if m == old {
			return fmt.Errorf("%s holds the lease yet", m.name)
		}
		return m.leads(ctx)
	})
}

// switchOver asks Patroni to make the synchronous standby the primary.
func (c *Cluster) switchOver(ctx context.Context) error {
	old, err := c.leader(ctx)
	if err != nil {
		return err
	}
	v, err := c.look(ctx)
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, startTimeout) // it asks for ever where etcd does not answer
	defer cancel()
	command := c.tools.postgres.CommandAt(asking, syscall.SIGKILL, c.tools.patronictl, "--config-file", old.config(),
		"switchover", "--leader", old.name, "--candidate", v.with("sync_standby"), "--force", scope)
	out, err := process.Output(command)
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return c.awaitAnother(ctx, old)
}

// Rewinds counts how often Patroni has run pg_rewind, by its logs.
func (c *Cluster) Rewinds() (n int, err error) {
	logs, err := filepath.Glob(filepath.Join(c.dir, "patroni-*.log"))
	for _, log := range logs {
		text, reading := os.ReadFile(log)
		err = errors.Join(err, reading)
		n += bytes.Count(text, []byte("pg_rewind exit code=0"))
	}
	return n, err
}
