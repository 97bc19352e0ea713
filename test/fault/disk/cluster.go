package disk

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
	"tusq/migrations"
	"tusq/service"
	"tusq/test/fault/replica"
	"tusq/test/fault/rig"
)

// recovery bounds how long a replica may take to serve again once PostgreSQL does.
const recovery = 30 * time.Second

// cluster is a PostgreSQL on a volume, and a replica.
type cluster struct {
	volume   *Volume
	programs embeddedpg.Programs
	postgres *rig.Postgres
	replica  *replica.Replica
	ledger   *ledger
}

// small are the settings of a cluster that has a few hundred megabytes.
var small = map[string]string{
	"max_wal_size":       "64MB",
	"min_wal_size":       "32MB",
	"wal_keep_size":      "0",
	"checkpoint_timeout": "30s",
}

// newCluster makes one on a new volume. The settings win over small ones.
func newCluster(ctx context.Context, size int64, settings ...map[string]string) (c *cluster, err error) {
	c = &cluster{ledger: newLedger()}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.volume, err = NewVolume(ctx, size); err != nil {
		return c, err
	}
	if c.programs, err = embeddedpg.FindPrograms(ctx); err != nil {
		return c, err
	}
	// What PostgreSQL prints outlasts the volume's faults.
	if err := os.Symlink(filepath.Join(c.volume.root, "cluster.log"), c.dir()+".log"); err != nil {
		return c, err
	}
	if c.postgres, err = rig.NewPostgres(ctx, c.dir(), rig.PostgresOptions{Settings: small}); err != nil {
		return c, err
	}
	for _, more := range settings {
		if err := c.postgres.Configure(more); err != nil {
			return c, err
		}
	}
	return c, c.volume.Sync() // its configuration too has to outlast a power loss
}

func (c *cluster) dir() string { return filepath.Join(c.volume.Dir(), "cluster") }

// start starts PostgreSQL and a replica with a queue.
func (c *cluster) start(ctx context.Context) error {
	if err := c.postgres.Start(ctx); err != nil {
		return err
	}
	if _, err := migrations.Up(ctx, c.postgres.URL()); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	var err error
	if c.replica, err = replica.Start(ctx, replica.Options{URL: c.postgres.URL()}); err != nil {
		return err
	}
	if _, _, err = c.replica.CreateQueue(ctx, caller, service.CreateQueue{Name: queue}); err != nil {
		return err
	}
	// Where PostgreSQL does not synchronise, the tables are to outlast a power loss all the same.
	return errors.Join(c.postgres.Exec(ctx, "CHECKPOINT"), c.volume.Sync())
}

// close ends all and removes the volume.
func (c *cluster) close() error {
	var err error
	if c.replica != nil {
		err = c.replica.Stop()
	}
	if c.postgres != nil {
		c.postgres.Kill()
	}
	if c.volume != nil {
		err = errors.Join(err, c.volume.Close())
	}
	return err
}

// serving returns when the replica has stored a message again, and how long that took.
func (c *cluster) serving(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	began := time.Now()
	for i := 0; ; i++ {
		name := fmt.Sprintf("probe/%d/%d", began.UnixNano(), i)
		c.ledger.ask([]string{name})
		sent, err := c.replica.SendMessages(ctx, caller, queue, service.SendMessages{Messages: []service.SendMessage{{Body: name}}})
		if err == nil {
			err = sent[0].Err
		}
		if err == nil {
			c.ledger.change(name, func(e *entry) { e.sent = time.Now() })
			return time.Since(began), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("the replica does not serve again after %s: %w", recovery, err)
		case <-time.After(pause):
		}
	}
}

// audit compares what clients were told with the messages. No call may be under way.
func (c *cluster) audit(ctx context.Context, fault time.Time) (Audit, error) {
	db, err := pgx.Connect(ctx, c.postgres.AdminURL())
	if err != nil {
		return Audit{}, err
	}
	defer db.Close(context.WithoutCancel(ctx))
	return c.ledger.audit(ctx, db, fault)
}

// verify has PostgreSQL's own tools look at every page: pg_amcheck at tables and indexes, and, while the server is
// stopped, pg_checksums.
func (c *cluster) verify(ctx context.Context) error {
	if err := c.postgres.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS amcheck"); err != nil {
		return fmt.Errorf("amcheck: %w", err)
	}
	host, port, err := net.SplitHostPort(c.postgres.Address())
	if err != nil {
		return err
	}
	if err := c.tool(ctx, "pg_amcheck", "--heapallindexed", "-h", host, "-p", port, "-U", "postgres", "tusq"); err != nil {
		return err
	}
	if err := c.postgres.Stop(ctx); err != nil {
		return err
	}
	if err := c.tool(ctx, "pg_checksums", "--check", "-D", c.dir()); err != nil {
		return err
	}
	return c.postgres.Start(ctx)
}

// tool runs a program of PostgreSQL, which succeeds where all is well.
func (c *cluster) tool(ctx context.Context, name string, args ...string) error {
	out, err := os.CreateTemp("", name+"-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	command := c.programs.Command(ctx, 0, name, args...)
	command.Stdout, command.Stderr = out, out
	if err := command.Run(); err != nil {
		text, _ := os.ReadFile(out.Name()) // the error is told anyhow
		return fmt.Errorf("%s: %w: %.2000s", name, err, text)
	}
	return nil
}
