package scenario

import (
	"context"
	"fmt"
	"path/filepath"

	"tusq/test/fault/failover"
	"tusq/test/fault/patroni"
)

// keptByPatroni kills the primary of a cluster that Patroni keeps, and waits for Patroni to do the rest.
func keptByPatroni(ctx context.Context, o Options) error {
	dir := filepath.Join(o.Dir, "patroni")
	cluster, err := patroni.Start(ctx, dir)
	if err != nil {
		return err
	}
	defer cluster.Close()
	o.Print(fmt.Sprintf("%s; the primary's lease is %v, which rules the gaps", cluster.Version(ctx), patroni.TTL))
	result, err := failover.Play(ctx, failover.Options{Dir: dir, Binary: o.Binary, Seed: o.Seed}, cluster, cluster.Changes(o.Times))
	if err != nil {
		return err
	}
	rewinds, err := cluster.Rewinds()
	if err != nil {
		return err
	}
	o.Print(fmt.Sprintf("Patroni ran pg_rewind %d times", rewinds))
	return outlasts(o, result)
}
