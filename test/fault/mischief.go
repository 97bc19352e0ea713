package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tusq/test/fault/check"
	"tusq/test/fault/history"
	"tusq/test/fault/load"
	"tusq/test/fault/rig"
)

// Bounds of a fault and of the pauses between faults, in milliseconds.
const (
	shortest, longest           = 1000, 8000
	shortestPause, longestPause = 300, 2000
)

// Limits of the time until a call is acknowledged. The fault matrix asks for 5 seconds after a fault, and 2 for the others to take
// over; two cores that everything shares need more now and then.
const (
	othersLimit   = 5 * time.Second  // from a replica's death: by the others
	aloneLimit    = 10 * time.Second // after a fault that no other was beside
	recoveryLimit = 30 * time.Second // after one of two: the other may be in force still
)

// mischief injects faults into a cluster, notes them in the history, and counts them.
type mischief struct {
	cluster  *rig.Cluster
	recorder *history.Recorder
	progress *load.Progress
	random   *rand.Rand

	mu       sync.Mutex
	injected []injection
	reborn   int               // queues that were deleted and made anew
	wrong    []check.Violation // that no history tells
}

// deed is a fault that is to be injected.
type deed struct {
	fault  rig.Fault
	random *rand.Rand
	hold   time.Duration
	alone  bool // no other will be in force
}

// injection is a fault that was in force.
type injection struct {
	fault     string
	what      string
	noEffect  bool
	alone     bool          // no other was in force
	recovered time.Duration // from its end to the next acknowledged call
}

// chaos injects one or two faults at a time until ctx ends. It returns when all have healed, with an error if one has not.
func (m *mischief) chaos(ctx context.Context, faults []rig.Fault) error {
	whole := context.WithoutCancel(ctx) // healing is bounded by itself
	for ctx.Err() == nil {
		chosen := m.pick(faults)
		errs := make([]error, len(chosen))
		var together sync.WaitGroup
		for i, f := range chosen {
			random := rand.New(rand.NewPCG(m.random.Uint64(), 0))
			next := deed{fault: f, random: random, hold: milliseconds(random, shortest, longest), alone: len(chosen) == 1}
			together.Go(func() { errs[i] = m.inject(whole, ctx.Done(), next) })
		}
		wait := milliseconds(m.random, shortestPause, longestPause)
		together.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		pause(ctx, wait)
	}
	return nil
}

// chaosAndRebirth deletes queues and makes them anew beside the chaos.
func (m *mischief) chaosAndRebirth(ctx context.Context, faults []rig.Fault, queue string) error {
	b, err := newRebirth(m.cluster.URL(), queue)
	if err != nil {
		return err
	}
	var beside sync.WaitGroup
	beside.Go(func() { m.reborn, m.wrong = b.lives(ctx) })
	err = m.chaos(ctx, faults)
	beside.Wait()
	return err
}

// pick chooses one fault or two of different parts.
func (m *mischief) pick(faults []rig.Fault) []rig.Fault {
	first := faults[m.random.IntN(len(faults))]
	second := faults[m.random.IntN(len(faults))]
	if m.random.IntN(2) == 0 || first.Part == second.Part {
		return []rig.Fault{first}
	}
	return []rig.Fault{first, second}
}

func milliseconds(r *rand.Rand, least, most int) time.Duration {
	return time.Duration(least+r.IntN(most-least+1)) * time.Millisecond
}

// inject injects a fault, holds it for a time or until over is closed, heals it, and waits until a call is acknowledged.
func (m *mischief) inject(ctx context.Context, over <-chan struct{}, d deed) error {
	done, err := d.fault.Inject(ctx, m.cluster, d.random)
	if errors.Is(err, rig.ErrNoEffect) {
		m.note(injection{fault: d.fault.Name, noEffect: true})
		return nil
	}
	if err != nil {
		return err
	}
	m.recorder.Note("inject " + done.What)
	if d.alone && d.fault.Name == "kill replica" && len(m.cluster.Replicas) > 1 {
		if _, err := m.recovery(ctx, othersLimit); err != nil {
			return errors.Join(fmt.Errorf("beside %s: %w", done.What, err), done.Heal(ctx))
		}
	}
	timer := time.NewTimer(d.hold)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	}
	err = done.Heal(ctx)
	m.recorder.Note("heal " + done.What)
	if err != nil && !errors.Is(err, rig.ErrNoEffect) {
		return err
	}
	limit := recoveryLimit
	if d.alone {
		limit = aloneLimit
	}
	recovered, failed := m.recovery(ctx, limit)
	m.note(injection{fault: d.fault.Name, what: done.What, noEffect: err != nil, alone: d.alone, recovered: recovered})
	if failed != nil {
		return fmt.Errorf("after %s: %w", done.What, failed)
	}
	return nil
}

func (m *mischief) note(i injection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.injected = append(m.injected, i)
}

// recovery is how long it takes from now until a call is acknowledged, which must be within a limit.
func (m *mischief) recovery(ctx context.Context, limit time.Duration) (time.Duration, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !m.progress.LastSuccess().After(began) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("no call was acknowledged within %v", limit)
		}
	}
	return time.Since(began), nil
}
