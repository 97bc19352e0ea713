package check

import "testing"

// TestNoFalseAlarm: what a correct service's clients are told breaks no promise, whatever was lost.
func TestNoFalseAlarm(t *testing.T) {
	seeds := uint64(1000)
	total := newReport()
	total.Histories = 0
	for seed := range seeds {
		options := worldOptions()
		lossy := 0.15
		if seed%4 == 0 {
			lossy = 0.5
		}
		w := newWorld(seed, "", lossy)
		report := Run(w.run(), options)
		if !report.OK() {
			t.Fatalf("seed %d:\n%s", seed, report)
		}
		total.Add(report)
	}
	t.Logf("%s", total)
	if total.PhantomReceives == 0 || total.Recovered == 0 || total.PossibleOverlaps == 0 || total.Unknown == 0 {
		t.Error("the histories lack what could be mistaken for a violation")
	}
}

// TestEachBugIsFound: each bug of the simulated service is found, by the checker for it.
func TestEachBugIsFound(t *testing.T) {
	for _, test := range []struct {
		bug     bug
		checker string
	}{
		{"forgets a send", "C1"},
		{"loses a dead letter", "C1"},
		{"deletes by old receipts", "C1"},
		{"stores what it refuses", "C2"},
		{"changes a body", "C2"},
		{"stores twice", "C2"},
		{"gives a leased message", "C3"},
		{"shortens leases", "C3"},
		{"forgets an extension", "C3"},
		{"deletes by old receipts", "C3"},
		{"extends by old receipts", "C3"},
		{"obeys after the lease", "C3"},
		{"ignores delays", "C3"},
		{"forgets a deletion", "C4"},
		{"does not purge all", "C4"},
		{"passes over a message", "C5"},
		{"does not hold up a group", "C5"},
		{"numbers backwards", "C5"},
		{"forgets deduplication ids", "C6"},
		{"does not count a receive", "C7"},
		{"moves too early", "C7"},
		{"moves too late", "C7"},
		{"leaves a copy of a dead letter", "C7"},
		{"miscounts", "C8"},
		{"miscounts deletions", "C8"},
		{"forgets keys", "C10"},
		{"accepts another call's key", "C10"},
		{"answers too little", "C11"},
	} {
		t.Run(string(test.bug), func(t *testing.T) {
			t.Parallel()
			bitten, found := 0, 0
			for seed := uint64(0); seed < 200 && found < 5; seed++ {
				w := newWorld(seed, test.bug, 0.15)
				report := Run(w.run(), worldOptions())
				if w.bites > 0 {
					bitten++
				}
				if report.Found[test.checker] > 0 {
					found++
				}
			}
			t.Logf("found in %d of %d histories in which it had an effect", found, bitten)
			if found < 5 {
				t.Error("hardly found")
			}
		})
	}
}

// TestUncountedReceivesAreFound in a history without faults.
func TestUncountedReceivesAreFound(t *testing.T) {
	options := worldOptions()
	options.FaultFree = true
	for seed := range uint64(100) {
		if report := Run(faultFree(seed, "").run(), options); !report.OK() {
			t.Fatalf("seed %d:\n%s", seed, report)
		}
	}
	for seed := range uint64(20) {
		w := faultFree(seed, "counts a receive twice")
		if report := Run(w.run(), options); w.bites > 0 && report.Found["C7"] == 0 {
			t.Errorf("seed %d: counted %d receives twice, not found", seed, w.bites)
		}
	}
}

func faultFree(seed uint64, b bug) *world {
	return newWorld(seed, b, 0)
}
