// Package patroni runs PostgreSQL the way many do: three servers, each kept by a Patroni, which agree by etcd on who is the
// primary. All are this package's own processes, of an unprivileged user, on loopback ports.
//
// The settings are for safety: a commit waits for a standby, also where there is none (synchronous_mode_strict), and only
// the standby that it waited for may take over. With two servers a failover would then stop all writes until the one that
// failed is back; so there are three.
//
// A primary that has died is replaced when its lease in etcd has ended, which is TTL after it was last renewed. Patroni
// accepts no shorter one, in its later versions.
package patroni

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tusq/internal/embeddedpg"
	"tusq/internal/process"
	"tusq/test/fault/rig"
)

// TTL is how long the primary's lease lasts.
const TTL = 20 * time.Second

// startTimeout bounds each wait for the cluster.
const startTimeout = 3 * time.Minute

// names are those of the members.
var names = []string{"a", "b", "c"}

// tools are the programs that are needed besides PostgreSQL.
type tools struct {
	postgres                  embeddedpg.Programs
	etcd, patroni, patronictl string
}

// findTools says what to install where something is missing.
func findTools(ctx context.Context) (t tools, err error) {
	if t.postgres, err = embeddedpg.FindPrograms(ctx); err != nil {
		return t, err
	}
	var missing []string
	find := func(name string) string {
		path, err := process.Find(name)
		if err != nil {
			missing = append(missing, name)
		}
		return path
	}
	t.etcd, t.patroni, t.patronictl = find("etcd"), find("patroni"), find("patronictl")
	if len(missing) > 0 {
		return t, fmt.Errorf("MISSING: %s. This scenario installs nothing. On Debian: RUNLEVEL=1 apt-get install patroni python3-etcd etcd-server, "+
			"and then systemctl disable --now patroni etcd: none of their services is needed", strings.Join(missing, ", "))
	}
	return t, nil
}

// Cluster is etcd and the members.
type Cluster struct {
	tools   tools
	dir     string
	etcd    *process.Process
	members []*member
}

// Start starts a new cluster in a directory that is missing or empty, and whose parents the user that runs PostgreSQL can
// enter. It returns when the primary has the database "tusq" and commits wait for a standby. Close ends it, and so does the
// death of this process: then the servers are shut down by their Patroni.
func Start(ctx context.Context, dir string) (c *Cluster, err error) {
	c = &Cluster{dir: dir}
	if c.tools, err = findTools(ctx); err != nil {
		return nil, err
	}
	if err = c.start(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o711); err != nil {
		return err
	}
	address, err := c.startEtcd(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		m, err := newMember(ctx, c, name, address)
		if err != nil {
			return err
		}
		c.members = append(c.members, m)
		if err := m.start(ctx); err != nil {
			return err
		}
		if len(c.members) > 1 {
			continue
		}
		// The first makes the database that the others copy.
		if err := c.await(ctx, func(ctx context.Context) error { return m.leads(ctx) }); err != nil {
			return err
		}
	}
	if err := c.AwaitQuorum(ctx); err != nil {
		return err
	}
	return c.createDatabase(ctx)
}

// startEtcd starts etcd and returns its address.
func (c *Cluster) startEtcd(ctx context.Context) (address string, err error) {
	dir := filepath.Join(c.dir, "etcd")
	if err := errors.Join(os.Mkdir(dir, 0o700), c.tools.postgres.Give(dir)); err != nil {
		return "", err
	}
	if address, err = process.FreeAddress(ctx); err != nil {
		return "", err
	}
	peers, err := process.FreeAddress(ctx)
	if err != nil {
		return "", err
	}
	command := c.tools.postgres.CommandAt(context.WithoutCancel(ctx), syscall.SIGTERM, c.tools.etcd, "--name=etcd", "--data-dir="+filepath.Join(dir, "data"),
		"--listen-client-urls=http://"+address, "--advertise-client-urls=http://"+address,
		"--listen-peer-urls=http://"+peers, "--initial-advertise-peer-urls=http://"+peers, "--initial-cluster=etcd=http://"+peers)
	if c.etcd, err = process.Start(c.dir, command); err != nil {
		return "", err
	}
	return address, c.etcd.WaitFor(ctx, startTimeout, func(ctx context.Context) error { return get(ctx, "http://"+address+"/health", nil) })
}

// createDatabase makes the role and the database that tusq uses.
func (c *Cluster) createDatabase(ctx context.Context) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	for _, sql := range []string{"CREATE ROLE tusq LOGIN", "CREATE DATABASE tusq OWNER tusq"} {
		if err := leader.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// URL names all servers: a client is to find the one that takes changes.
func (c *Cluster) URL() string {
	var addresses []string
	for _, m := range c.members {
		addresses = append(addresses, m.postgres)
	}
	return rig.URL(addresses...) + "&target_session_attrs=read-write"
}

// Version is what the programs call themselves.
func (c *Cluster) Version(ctx context.Context) string {
	var lines []string
	for _, program := range []string{c.tools.patroni, c.tools.etcd} {
		out, err := process.Output(c.tools.postgres.CommandAt(ctx, syscall.SIGKILL, program, "--version"))
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if err != nil {
			first = err.Error()
		}
		lines = append(lines, first)
	}
	return strings.Join(lines, ", ")
}

// Close ends all processes without ceremony. Data and logs are left.
func (c *Cluster) Close() {
	for _, m := range c.members {
		m.kill()
	}
	if c.etcd != nil {
		c.etcd.Kill()
	}
}

// await repeats a question until it is answered without an error.
func (c *Cluster) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w; logs are in %s", ctx.Err(), err, c.dir)
		case <-tick.C:
		}
	}
}
