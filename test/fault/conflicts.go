package main

import (
	"context"
	"fmt"

	"tusq/test/fault/check"
	"tusq/test/fault/rig"
)

// conflicting are the metrics of a replica that must be 0 whatever happens: rows are locked in one order.
var conflicting = []string{"tusq_deadlocks_total", "tusq_serialization_failures_total"}

// conflicts is what the replicas had counted when they were last asked, by replica and metric.
type conflicts map[string]float64

// since returns a violation for each count that has grown since the last time. What a replica has counted that was killed since is not known.
func (c *conflicts) since(ctx context.Context, cluster *rig.Cluster) (found []check.Violation, err error) {
	if *c == nil {
		*c = conflicts{}
	}
	for _, r := range cluster.Replicas {
		if !r.Running() {
			continue
		}
		for _, metric := range conflicting {
			now, err := r.Metric(ctx, metric)
			if err != nil {
				return found, err
			}
			found = append(found, c.grown(r.Name, metric, now)...)
		}
	}
	return found, nil
}

// grown notes a count. One that is smaller than before began anew with its replica.
func (c *conflicts) grown(replica, metric string, now float64) []check.Violation {
	key := replica + " " + metric
	before := (*c)[key]
	(*c)[key] = now
	if now < before {
		before = 0
	}
	if now == before {
		return nil
	}
	return []check.Violation{{Checker: check.Deadlocks, Text: fmt.Sprintf("%s: %s has grown by %v", replica, metric, now-before)}}
}
