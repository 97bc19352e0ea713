package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"tusq/test/fault/history"
	"tusq/test/fault/rig"
)

// TestASeedChoosesTheSameFaults and never two of one part at a time.
func TestASeedChoosesTheSameFaults(t *testing.T) {
	choose := func(seed uint64) (names []string) {
		m := &mischief{random: rand.New(rand.NewPCG(seed, 1))}
		for range 200 {
			chosen := m.pick(rig.Faults())
			if len(chosen) == 2 && chosen[0].Part == chosen[1].Part {
				t.Errorf("%s and %s at a time", chosen[0].Name, chosen[1].Name)
			}
			for _, f := range chosen {
				names = append(names, f.Name)
			}
		}
		return names
	}
	first := choose(1)
	if !slices.Equal(first, choose(1)) {
		t.Error("one seed chose different faults")
	}
	if slices.Equal(first, choose(2)) {
		t.Error("two seeds chose the same faults")
	}
	for _, f := range rig.Faults() {
		if !slices.Contains(first, f.Name) {
			t.Errorf("%s was never chosen", f.Name)
		}
	}
}

func TestFailuresAreWhatClientsSee(t *testing.T) {
	requests, failed := failures([]history.Event{
		{Op: history.Send, Status: 200}, {Op: history.Receive}, {Op: history.Delete, Status: 503}, {Op: history.Extend, Status: 400},
		{Op: history.Fault}, {Op: history.Drained},
		{Op: history.Extend, Status: 200, Messages: []history.Message{{Outcome: history.OK}, {Outcome: history.Fail, Error: "receipt_stale"}}},
		{Op: history.Send, Status: 200, Messages: []history.Message{{Outcome: history.OK}, {Outcome: history.Unknown, Error: "unavailable"}}},
		{Op: history.Purge, Status: 400, Messages: []history.Message{{Outcome: history.Fail, Error: "receipt_invalid"}}},
	})
	var ops []history.Op
	for _, e := range failed {
		ops = append(ops, e.Op)
	}
	if requests != 7 || !slices.Equal(ops, []history.Op{history.Receive, history.Delete, history.Send, history.Purge}) {
		t.Errorf("%d requests, failed: %v", requests, failed)
	}
}

// TestRebirthKnowsTheRisen of those that came by a receive that was still of the old queue, and of those whose send
// may be of the new one.
func TestRebirthKnowsTheRisen(t *testing.T) {
	second := func(n int) time.Time { return time.Unix(int64(n), 0) }
	b := &rebirth{
		sent: map[string]call{"old": {second(1), second(2)}, "between": {second(9), second(12)}, "new": {second(21), second(22)}},
		received: []delivery{
			{body: "old", call: call{second(3), second(4)}},
			{body: "old", call: call{second(15), second(24)}},
			{body: "between", call: call{second(25), second(26)}},
			{body: "unacknowledged", call: call{second(25), second(26)}},
			{body: "new", call: call{second(25), second(26)}},
		},
	}
	deletion, creation := call{second(10), second(11)}, call{second(12), second(20)}
	if risen := b.risen(deletion, creation); len(risen) != 0 {
		t.Errorf("innocent: %v", risen)
	}
	b.received = append(b.received, delivery{body: "old", call: call{second(25), second(26)}})
	if risen := b.risen(deletion, creation); len(risen) != 1 || risen[0].UID != "old" {
		t.Errorf("got %v", risen)
	}
	missing, seen := map[string]bool{"new": true, "lost": true}, 0
	b.look(missing, &seen)
	if len(missing) != 1 || !missing["lost"] || seen != len(b.received) {
		t.Errorf("missing %v", missing)
	}
}

// TestConflictsAreCountedSinceTheLastRound also where a replica was started anew between.
func TestConflictsAreCountedSinceTheLastRound(t *testing.T) {
	c := conflicts{}
	for i, step := range []struct {
		count float64
		found int
	}{{0, 0}, {2, 1}, {2, 0}, {1, 1}, {1, 0}, {0, 0}} {
		if found := c.grown("replica1", "deadlocks", step.count); len(found) != step.found {
			t.Errorf("step %d: %v", i, found)
		}
	}
}
