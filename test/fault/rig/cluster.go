package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Options of a cluster. Dir, Binary and Balancer are required.
type Options struct {
	// Dir is missing or empty, and the user that runs PostgreSQL can enter it. Data and logs are kept there.
	Dir string
	// Binary is the tusq to run.
	Binary string
	// Balancer is the path of deploy/haproxy.cfg.
	Balancer string
	// Replicas: 1 to 3. 0: 3.
	Replicas int
	// Flags of every replica, besides its address and its database.
	Flags []string
	// Settings of PostgreSQL.
	Settings map[string]string
}

// Cluster is a whole service:
//
//	clients > front proxy > haproxy > replicas > a proxy for each > PostgreSQL
type Cluster struct {
	Postgres *Postgres
	Replicas []*Replica
	Balancer *Balancer
	// Database are the proxies between the replicas and PostgreSQL, in the order of the replicas.
	Database []*Proxy
	// Front is the proxy between the clients and the load balancer.
	Front *Proxy

	closing sync.Once
}

// StartCluster starts everything and returns when it serves. It ends with ctx or by Close.
func StartCluster(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Replicas == 0 {
		opts.Replicas = places
	}
	c := &Cluster{}
	if err := c.start(ctx, opts); err != nil {
		c.Close()
		return nil, err
	}
	context.AfterFunc(ctx, c.Close)
	return c, nil
}

func (c *Cluster) start(ctx context.Context, opts Options) error {
	if err := os.MkdirAll(opts.Dir, 0o711); err != nil {
		return err
	}
	var err error
	if c.Postgres, err = NewPostgres(ctx, filepath.Join(opts.Dir, "postgres"), PostgresOptions{Settings: opts.Settings}); err != nil {
		return err
	}
	if err := c.Postgres.Start(ctx); err != nil {
		return err
	}
	for i := range opts.Replicas {
		if err := c.addReplica(ctx, opts, i); err != nil {
			return err
		}
	}
	if c.Balancer, err = StartBalancer(ctx, opts.Balancer, filepath.Join(opts.Dir, "haproxy.log"), c.Replicas); err != nil {
		return err
	}
	if c.Front, err = StartProxy(ctx, "front", c.Balancer.Address()); err != nil {
		return err
	}
	return c.Ready(ctx)
}

func (c *Cluster) addReplica(ctx context.Context, opts Options, i int) error {
	name := fmt.Sprintf("replica%d", i+1)
	proxy, err := StartProxy(ctx, name+"-database", c.Postgres.Address())
	if err != nil {
		return err
	}
	c.Database = append(c.Database, proxy)
	flags := append([]string{"--database-url", URL(proxy.Address())}, opts.Flags...)
	replica, err := NewReplica(ctx, name, filepath.Join(opts.Dir, name+".log"), opts.Binary, flags...)
	if err != nil {
		return err
	}
	c.Replicas = append(c.Replicas, replica)
	return replica.Start(ctx)
}

// URL is where clients find the service: the front proxy.
func (c *Cluster) URL() string { return "http://" + c.Front.Address() }

// BalancerURL leads around the front proxy.
func (c *Cluster) BalancerURL() string { return "http://" + c.Balancer.Address() }

// Ready returns when every replica and the load balancer are ready. A replica that is not running is an error at once: no fault but its
// own death ends a replica.
func (c *Cluster) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, r := range c.Replicas {
		if !r.Running() {
			return fmt.Errorf("%s has ended by itself: %s", r.Name, r.Log())
		}
		if err := r.server.waitFor(ctx, r.Ready); err != nil {
			return err
		}
		if err := c.Balancer.Uses(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// Heal ends the harm that all proxies do.
func (c *Cluster) Heal(ctx context.Context) error {
	errs := []error{c.Front.Heal(ctx)}
	for _, p := range c.Database {
		errs = append(errs, p.Heal(ctx))
	}
	return errors.Join(errs...)
}

// Close ends everything, without ceremony. Data and logs are left.
func (c *Cluster) Close() {
	c.closing.Do(func() {
		if c.Front != nil {
			c.Front.Stop()
		}
		if c.Balancer != nil {
			c.Balancer.Stop()
		}
		for _, r := range c.Replicas {
			r.Kill()
		}
		for _, p := range c.Database {
			p.Stop()
		}
		if c.Postgres != nil {
			c.Postgres.Kill()
		}
	})
}
