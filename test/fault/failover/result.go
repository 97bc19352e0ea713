package failover

import (
	"fmt"
	"slices"
	"time"

	"tusq/test/fault/check"
	"tusq/test/fault/history"
)

// Gap is the longest time without an acknowledged send around a change.
type Gap struct {
	Change string
	Length time.Duration
}

// Result is what became of it.
type Result struct {
	Report *check.Report
	Gaps   []Gap // in their order of time
}

// String is one line with the figures.
func (r Result) String() string {
	text := fmt.Sprintf("%d failovers: %d messages acknowledged, %d sends unknown, %d lost, violations %v", len(r.Gaps),
		r.Report.Acknowledged, r.Report.Unknown, r.Report.Lost, r.Report.Found)
	for _, name := range r.Changes() {
		median, longest := r.Gap(name)
		text += fmt.Sprintf("; write gap (%s) p50 %v, max %v", name, median.Round(time.Millisecond), longest.Round(time.Millisecond))
	}
	return text
}

// Changes are the names of those that were made.
func (r Result) Changes() (names []string) {
	for _, g := range r.Gaps {
		if !slices.Contains(names, g.Change) {
			names = append(names, g.Change)
		}
	}
	return names
}

// Gap is the time without an acknowledged send around the changes of a name, at the median and at most.
func (r Result) Gap(name string) (median, longest time.Duration) {
	var lengths []time.Duration
	for _, g := range r.Gaps {
		if g.Change == name {
			lengths = append(lengths, g.Length)
		}
	}
	slices.Sort(lengths)
	return lengths[len(lengths)/2], lengths[len(lengths)-1]
}

// gap is the longest time without an acknowledged send that ends between two moments.
func gap(events []history.Event, from, until time.Duration) (longest time.Duration) {
	var acknowledged []time.Duration
	for i := range events {
		if e := &events[i]; e.Op == history.Send && e.Outcome == history.OK {
			acknowledged = append(acknowledged, e.Returned)
		}
	}
	slices.Sort(acknowledged)
	last := time.Duration(0)
	for _, at := range acknowledged {
		if at > from && at <= until {
			longest = max(longest, at-last)
		}
		last = at
	}
	return longest
}
