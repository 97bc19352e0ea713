package scenario

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"tusq/test/fault/failover"
)

// failOver kills the primary under load again and again, and promotes its synchronous standby.
func failOver(ctx context.Context, o Options) error {
	result, err := failover.Scripted(ctx, failover.Options{Dir: filepath.Join(o.Dir, "failover"), Binary: o.Binary, Seed: o.Seed, Times: o.Times})
	if err != nil {
		return err
	}
	_, longest := result.Gap(result.Changes()[0])
	return errors.Join(outlasts(o, result), broken(longest <= failover.Limit, "no send was acknowledged for %v in a failover; want %v at most", longest, failover.Limit))
}

// outlasts prints what became of failovers. Nothing that was acknowledged may be lost by them.
func outlasts(o Options, result failover.Result) error {
	for _, name := range result.Changes() {
		median, longest := result.Gap(name)
		o.Print(fmt.Sprintf("%s: gap without an acknowledged send %v at the median, %v at most", name, median, longest))
	}
	o.Print(result.Report.String())
	return broken(result.Report.OK(), "what was acknowledged did not outlast a failover")
}

// cancelWaits cancels commits that wait for a standby that stands still.
func cancelWaits(ctx context.Context, o Options) error {
	result, err := failover.Cancelled(ctx, failover.Options{Dir: filepath.Join(o.Dir, "cancelled"), Binary: o.Binary, Seed: o.Seed, Times: o.Times})
	if err != nil {
		return err
	}
	o.Print(fmt.Sprintf("%d waits were cancelled, %d messages sent meanwhile: %d acknowledged without the standby, %d lost when it was promoted",
		result.Cancelled, result.Sends, result.Acknowledged, result.Lost))
	return broken(result.Acknowledged == 0 && result.Lost == 0, "a commit was acknowledged that the standby does not have")
}

// keepLevels sends to queues of all durabilities while the standby is less and less there, and loses the primary.
func keepLevels(ctx context.Context, o Options) error {
	levels, err := failover.Levels(ctx, failover.Options{Dir: filepath.Join(o.Dir, "levels"), Binary: o.Binary})
	if err != nil {
		return err
	}
	var faults []error
	for _, level := range levels {
		o.Print(level.String())
		fault := level.Broken()
		faults = append(faults, broken(fault == "", "%s: %s", level.Name, fault))
	}
	return errors.Join(faults...)
}
