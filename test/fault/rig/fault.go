package rig

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Part is what a fault works on. Two faults of the same part must not be in force at a time.
type Part string

// The parts of a cluster.
const (
	OfReplicas Part = "replicas"
	OfPostgres Part = "postgres"
	OfDatabase Part = "database network" // between replicas and PostgreSQL
	OfFront    Part = "front network"    // between clients and load balancer
)

// ErrNoEffect says that a fault was in force and hit nobody, which can happen beside another one.
var ErrNoEffect = errors.New("it hit nobody")

// Fault is a kind of harm.
type Fault struct {
	Name string
	Rows []int // of the fault matrix in docs/reliability.md
	Part Part
	// inject does the harm and returns what there is to undo. All chance comes from r.
	inject func(ctx context.Context, c *Cluster, r *rand.Rand) (Injected, error)
}

// Injected is harm that has been done.
type Injected struct {
	// What was done, and to whom.
	What string
	// Heal undoes it and returns when that is done. It is called once.
	Heal func(ctx context.Context) error
}

// Inject does the harm. Where it fails nothing is left to undo.
func (f Fault) Inject(ctx context.Context, c *Cluster, r *rand.Rand) (Injected, error) {
	injected, err := f.inject(ctx, c, r)
	if err != nil {
		return Injected{}, fmt.Errorf("inject %s: %w", f.Name, err)
	}
	injected.What = f.Name + ": " + injected.What
	heal := injected.Heal
	injected.Heal = func(ctx context.Context) error {
		if err := heal(ctx); err != nil {
			return fmt.Errorf("heal %s: %w", injected.What, err)
		}
		return nil
	}
	return injected, nil
}

// Faults are all kinds.
func Faults() []Fault {
	var all []Fault
	for _, some := range [][]Fault{replicaFaults, postgresFaults, sessionFaults, databaseFaults, frontFaults} {
		all = append(all, some...)
	}
	return all
}

// FaultNamed returns a fault by its name.
func FaultNamed(name string) (Fault, error) {
	for _, f := range Faults() {
		if f.Name == name {
			return f, nil
		}
	}
	return Fault{}, fmt.Errorf("no fault is called %q", name)
}

// between is a duration from a range, in milliseconds.
func between(r *rand.Rand, least, most int) time.Duration {
	return time.Duration(least+r.IntN(most-least+1)) * time.Millisecond
}

// repeat does something at once and then at every interval, until the returned function is called, which waits for its end and
// returns what went wrong, if it went wrong every time. To be interrupted is not wrong.
func repeat(ctx context.Context, interval time.Duration, do func(context.Context) error) (stop func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	var loop sync.WaitGroup
	var last error
	worked := false
	loop.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for ctx.Err() == nil {
			if err := do(ctx); err == nil || errors.Is(err, context.Canceled) {
				worked = true
			} else {
				last = err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func(context.Context) error {
		cancel()
		loop.Wait()
		if worked {
			return nil
		}
		return errors.Join(errors.New("it never worked"), last)
	}
}
