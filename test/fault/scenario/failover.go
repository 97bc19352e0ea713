package scenario

import (
	"context"
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
	gaps := result.Gaps
	o.Print(fmt.Sprintf("%d failovers: gap without an acknowledged send %v at the median, %v at most", len(gaps), gaps[len(gaps)/2], gaps[len(gaps)-1]))
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
