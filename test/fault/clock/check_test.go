package clock

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"tusq/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	wrong = flag.Bool("wrong", false, "run a replica with a wrong clock, which takes minutes to build")
	built = flag.String("program", "", "the replica, as Build has made it before (default: build it)")
)

// TestWrongClock has a replica's clock jump by an hour under load, in both directions. It is the suite's, not that of every test run.
func TestWrongClock(t *testing.T) {
	if !*wrong {
		t.Skip("SKIPPED: -wrong was not given")
	}
	program := *built
	if program == "" {
		program = filepath.Join(t.TempDir(), "tusq-clock")
		if err := Build(t.Context(), root, "./cmd/tusq", program); err != nil {
			t.Fatal(err)
		}
	}
	for _, offset := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(offset.String(), func(t *testing.T) {
			err := Check(t.Context(), program, pgtest.New(t), t.TempDir(), offset, 3*time.Second, func(s string) { t.Log(s) })
			if err != nil {
				t.Error(err)
			}
		})
	}
}
