package wire

import (
	"flag"
	"testing"
	"time"

	"tusq/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var (
	every = flag.Int("every", 11, "cut after one of so many bytes; 1: after each")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "chooses the bytes")
)

// TestCutsTakeEffectOnce cuts the connection of a flush of each kind, in both directions.
func TestCutsTakeEffectOnce(t *testing.T) {
	t.Logf("-every %d -seed %d", *every, *seed)
	for _, operation := range Operations() {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			sweep := Sweep{DatabaseURL: pgtest.New(t), Every: *every, Seed: *seed}
			report, err := sweep.Run(t.Context(), operation)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(report)
			if want := (report.Bytes[ToServer] + report.Bytes[ToClient]) / *every; want < 10 || report.Cuts < want {
				t.Errorf("%d cuts, want %d: nothing was tested", report.Cuts, want)
			}
		})
	}
}
