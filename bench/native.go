package main

import (
	"context"
	"encoding/json"
	"slices"

	"tusq/bench/peer"
	"tusq/bench/report"
)

// native is a system that this program loads itself, over the system's own client.
type native struct {
	peer.System
	opts      options
	workloads []string // empty: all that peers run
}

// Runs tells whether the system takes part.
func (n *native) Runs(w report.Workload) bool {
	if len(n.workloads) > 0 {
		return slices.Contains(n.workloads, w.Key)
	}
	return w.Peers
}

// Start starts the system.
func (n *native) Start(ctx context.Context, dir string, _ report.Workload) error {
	return n.System.Start(ctx, dir)
}

// Run loads it.
func (n *native) Run(ctx context.Context, w report.Workload) (json.RawMessage, error) {
	return peer.Run(ctx, n.System, w, peer.Options{WarmUp: n.opts.warmUp, Duration: n.opts.duration, Backlog: n.opts.backlog})
}
