package failover

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// setup builds the tree's tusq in a directory that others can enter.
func setup(t *testing.T) Options {
	t.Helper()
	dir, err := os.MkdirTemp("", "tusq-failover-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: dir, Binary: filepath.Join(dir, "tusq"), Seed: 7, Times: 1, Calm: time.Second}
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../../..", "-o", o.Binary, "./cmd/tusq").CombinedOutput(); err != nil {
		t.Fatalf("build tusq: %v\n%s", err, text)
	}
	return o
}

// times reads how often a scenario is to be played from the environment: small is for every run of the tests.
func times(t *testing.T, variable string, small int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return small
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// TestFailover loses nothing that was acknowledged when the primary is killed. TUSQ_FAILOVERS=20 is the full size.
func TestFailover(t *testing.T) {
	o := setup(t)
	o.Times = times(t, "TUSQ_FAILOVERS", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute*time.Duration(2+o.Times))
	defer cancel()
	result, err := Scripted(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	if !result.Report.OK() {
		t.Errorf("promises were broken:\n%s", result.Report)
	}
	if result.Report.Acknowledged < 100 {
		t.Errorf("%d messages were acknowledged: too few to mean anything", result.Report.Acknowledged)
	}
	for _, gap := range result.Gaps {
		if gap.Length == 0 || gap.Length > Limit {
			t.Errorf("no send was acknowledged for %v", gap.Length)
		}
	}
}

// TestCancelledWaits are never acknowledged. TUSQ_CANCELLED_WAITS=1000 is the full size.
func TestCancelledWaits(t *testing.T) {
	o := setup(t)
	o.Times = times(t, "TUSQ_CANCELLED_WAITS", 10)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	result, err := Cancelled(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	if result.Acknowledged > 0 || result.Lost > 0 {
		t.Errorf("a message was acknowledged that no standby had: %+v", result)
	}
	if result.Cancelled < o.Times || result.Sends == 0 {
		t.Errorf("nothing was tested: %+v", result)
	}
}

// TestLevels keep what each durability promises, and no level waits for what another one needs.
func TestLevels(t *testing.T) {
	o := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	levels, err := Levels(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range levels {
		t.Log(level)
		if broken := level.Broken(); broken != "" {
			t.Errorf("%s: %s", level.Name, broken)
		}
	}
}
