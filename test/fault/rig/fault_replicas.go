package rig

import (
	"context"
	"fmt"
	"math/rand/v2"
)

var replicaFaults = []Fault{
	{Name: "kill replica", Rows: []int{1, 2, 3, 4}, Part: OfReplicas, inject: killReplica},
	{Name: "kill all replicas", Rows: []int{1, 2, 3, 4}, Part: OfReplicas, inject: killAllReplicas},
	{Name: "rolling restart", Rows: []int{5}, Part: OfReplicas, inject: rollingRestart},
	{Name: "pause replica", Rows: []int{6}, Part: OfReplicas, inject: pauseReplica},
}

func killReplica(_ context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
	victim := c.Replicas[r.IntN(len(c.Replicas))]
	victim.Kill()
	return Injected{What: victim.Name, Heal: victim.Start}, nil
}

func killAllReplicas(_ context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	for _, r := range c.Replicas {
		r.Kill()
	}
	return Injected{What: fmt.Sprint(len(c.Replicas)), Heal: func(ctx context.Context) error {
		for _, r := range c.Replicas {
			if err := r.Start(ctx); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// rollingRestart is over when it is healed: it takes its own time.
func rollingRestart(_ context.Context, c *Cluster, _ *rand.Rand) (Injected, error) {
	return Injected{What: "every replica", Heal: c.RollingRestart}, nil
}

// RollingRestart stops each replica by SIGTERM and starts it again, one after another, each when the one before is ready and the load
// balancer has had time to see it.
func (c *Cluster) RollingRestart(ctx context.Context) error {
	for _, r := range c.Replicas {
		if err := c.Restart(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// Restart stops a replica by SIGTERM, starts it again, and returns when the load balancer uses it.
func (c *Cluster) Restart(ctx context.Context, r *Replica) error {
	if err := r.Stop(ctx); err != nil {
		return err
	}
	if err := r.Start(ctx); err != nil {
		return err
	}
	return c.Balancer.Uses(ctx, r)
}

func pauseReplica(_ context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
	victim := c.Replicas[r.IntN(len(c.Replicas))]
	victim.Pause()
	return Injected{What: victim.Name, Heal: func(context.Context) error {
		victim.Continue()
		return nil
	}}, nil
}
