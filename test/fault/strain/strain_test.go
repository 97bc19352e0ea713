package strain

import (
	"flag"
	"testing"
	"time"

	"tusq/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	duration = flag.Duration("duration", 4*time.Second, "of a strain")
	expired  = flag.Int("expired", 20_000, "messages")
)

// TestStrains runs a load while dead rows are not removed. How fast it is depends on the machine; that it does not collapse
// does not.
func TestStrains(t *testing.T) {
	for strain := range strains {
		t.Run(strain, func(t *testing.T) { testStrain(t, strain, 0) })
		t.Run(strain+" FIFO", func(t *testing.T) { testStrain(t, strain, 100) })
	}
}

func testStrain(t *testing.T, strain string, groups int) {
	report, err := Endure(t.Context(), strain, groups, pgtest.New(t), *duration)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if report.Dead < report.Cycles/2 || report.Cycles == 0 {
		t.Errorf("%d life cycles left %d dead rows: there was no strain", report.Cycles, report.Dead)
	}
	if groups == 0 && median(report.With) < median(report.Without)/10 { // so short a time says no more; FIFO queues have no floor
		t.Error("the queue collapsed")
	}
}

// TestExpiry has expired messages deleted while messages are sent.
func TestExpiry(t *testing.T) {
	report, err := Expire(t.Context(), pgtest.New(t), *expired)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report)
	if fault := report.Broken(); fault != "" {
		t.Error(fault)
	}
	if report.Largest > 5000 || report.Parts < int64(*expired)/5000 {
		t.Error("messages are not deleted in parts")
	}
}
