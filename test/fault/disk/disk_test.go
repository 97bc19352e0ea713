package disk

import (
	"errors"
	"flag"
	"os"
	"testing"
	"time"
)

var (
	required = flag.Bool("volumes", false, "fail, rather than skip, where no file system can be mounted")

	times = flag.Int("times", 1, "power losses")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "chooses the moments")
)

// notPrivate says why no volume can be made; nil: they can.
var notPrivate error

func TestMain(m *testing.M) {
	notPrivate = Private()
	os.Exit(m.Run())
}

// needVolumes skips a test where no file system can be mounted.
func needVolumes(t *testing.T) {
	t.Helper()
	reason := notPrivate
	if reason == nil {
		v, err := NewVolume(t.Context(), 16<<20)
		if err == nil {
			err = v.Close()
		}
		reason = err
	}
	switch {
	case errors.Is(reason, ErrNotAllowed) && !*required:
		t.Skipf("SKIPPED: %v", reason)
	case reason != nil:
		t.Fatal(reason)
	}
}

// TestPowerLoss cuts the power of PostgreSQL's disk under load: what was acknowledged is there.
func TestPowerLoss(t *testing.T) {
	needVolumes(t)
	t.Logf("-times %d -seed %d", *times, *seed)
	report, err := Power{Times: *times, Seed: *seed, Log: func(s string) { t.Log(s) }}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if !report.Clean() || report.Broken != "" {
		t.Error("what was acknowledged did not hold")
	}
	if report.Acknowledged < 100 || report.Deleted == 0 {
		t.Error("nothing was tested")
	}
}

// TestPowerLossWithoutSync shows that a power loss is one: a server that does not synchronise loses.
func TestPowerLossWithoutSync(t *testing.T) {
	needVolumes(t)
	report, err := Power{Times: 1, Seed: *seed, Settings: map[string]string{"fsync": "off"}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if report.Lost == 0 && report.Broken == "" {
		t.Error("nothing was lost: the power loss is none")
	}
}

// asyncWindow is how far back an acknowledgement may not hold that did not wait for the disk: three times the 200 ms of
// wal_writer_delay, and what the machine is late. For as long as it halts nothing is written.
const asyncWindow = time.Second

// TestPowerLossOfAsynchronousCommits bounds what is lost by who chose not to wait.
func TestPowerLossOfAsynchronousCommits(t *testing.T) {
	needVolumes(t)
	report, err := Power{Times: *times, Seed: *seed, Settings: map[string]string{"synchronous_commit": "off"}}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if report.Broken != "" || report.Phantom+report.Double != 0 || report.Counted != 0 {
		t.Error("more than the last acknowledgements did not hold")
	}
	if report.Window > asyncWindow+report.Halt {
		t.Errorf("an acknowledgement that was %s old did not hold; the machine halted for %s", report.Window, report.Halt)
	}
}
