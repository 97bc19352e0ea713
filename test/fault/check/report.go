package check

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tusq/test/fault/history"
)

// Bounds on violations of one checker: how many a report keeps, and how many it prints.
const (
	keptViolations    = 1000
	printedViolations = 20
)

// Deadlocks is the name under which those are reported that the replicas count: no history tells of them.
const Deadlocks = "40P01"

// checkers are all there are.
var checkers = []string{"C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C13", Deadlocks}

// Violation is a promise that was broken, whatever the unknown outcomes of the history were.
type Violation struct {
	Checker string
	Queue   string // or empty
	UID     string // or empty
	Text    string
	Events  []int // indices in the history
}

// Call is an operation and what became of it.
type Call struct {
	Op      history.Op
	Outcome history.Outcome
}

// Report is what a check found: figures of the history, and violations. Durations are the
// longest of all histories that were added up.
type Report struct {
	Histories    int
	Calls        map[Call]int
	Faults       int // notes of faults and of their ends
	Acknowledged int // messages: sends
	Unknown      int // sends whose outcome is unknown
	Messages     int // that were received
	Received     int // deliveries
	Recovered    int // messages that were received although no send of theirs was acknowledged

	Lost, LostPrefix, LostMiddle, LostPostfix int

	PhantomReceives  int // that were counted, but answered to nobody
	PossibleOverlaps int // of leases, where nothing tells whether one had ended before

	LongestGap     time.Duration // without an acknowledged call, although some were waiting
	GapAfterHeal   time.Duration // the same, after the last fault had healed
	FirstAfterHeal time.Duration // from then until the first acknowledgement of a later call

	Violations []Violation    // the first of each checker
	Found      map[string]int // all violations, by checker
	Excused    map[string]int // what Options.LossAllowed forgives, by checker
}

func newReport() *Report {
	return &Report{Histories: 1, Calls: map[Call]int{}, Found: map[string]int{}, Excused: map[string]int{}}
}

// OK says that no promise was broken.
func (r *Report) OK() bool { return len(r.Violations) == 0 }

func (r *Report) add(v Violation) {
	r.Found[v.Checker]++
	if r.Found[v.Checker] <= keptViolations {
		r.Violations = append(r.Violations, v)
	}
}

// Add adds another history's report. The violations' events remain indices in their own history.
func (r *Report) Add(o *Report) {
	r.Histories += o.Histories
	for call, n := range o.Calls {
		r.Calls[call] += n
	}
	for checker, n := range o.Excused {
		r.Excused[checker] += n
	}
	for _, sum := range []struct {
		to   *int
		more int
	}{
		{&r.Faults, o.Faults}, {&r.Acknowledged, o.Acknowledged}, {&r.Unknown, o.Unknown},
		{&r.Messages, o.Messages}, {&r.Received, o.Received}, {&r.Recovered, o.Recovered},
		{&r.Lost, o.Lost}, {&r.LostPrefix, o.LostPrefix}, {&r.LostMiddle, o.LostMiddle}, {&r.LostPostfix, o.LostPostfix},
		{&r.PhantomReceives, o.PhantomReceives}, {&r.PossibleOverlaps, o.PossibleOverlaps},
	} {
		*sum.to += sum.more
	}
	r.LongestGap = max(r.LongestGap, o.LongestGap)
	r.GapAfterHeal = max(r.GapAfterHeal, o.GapAfterHeal)
	r.FirstAfterHeal = max(r.FirstAfterHeal, o.FirstAfterHeal)
	for _, v := range o.Violations {
		if r.Found[v.Checker] < keptViolations {
			r.Violations = append(r.Violations, v)
		}
		r.Found[v.Checker]++
	}
	for checker, n := range o.Found { // those that o did not keep
		r.Found[checker] += max(0, n-keptViolations)
	}
}

// String is a table that fits a screen, followed by the first violations of each checker.
func (r *Report) String() string {
	var b strings.Builder
	r.writeCalls(&b)
	line := func(what string, figure any, more string) { fmt.Fprintf(&b, "%-32s %12v  %s\n", what, figure, more) }
	line("messages acknowledged", r.Acknowledged, fmt.Sprintf("%d more sends unknown", r.Unknown))
	line("messages received", r.Messages, fmt.Sprintf("in %d deliveries; %d of unknown sends", r.Received, r.Recovered))
	line("lost", r.Lost, fmt.Sprintf("%d before, %d between, %d behind the survivors", r.LostPrefix, r.LostMiddle, r.LostPostfix))
	line("receives answered to nobody", r.PhantomReceives, "")
	line("leases that may have overlapped", r.PossibleOverlaps, "")
	line("faults and recoveries noted", r.Faults, "")
	line("longest gap", r.LongestGap.Round(time.Millisecond), fmt.Sprintf("after the last fault healed %s, first answer after %s",
		r.GapAfterHeal.Round(time.Millisecond), r.FirstAfterHeal.Round(time.Millisecond)))
	b.WriteString("violations  ")
	for _, checker := range checkers {
		fmt.Fprintf(&b, " %s:%d", checker, r.Found[checker])
		if n := r.Excused[checker]; n > 0 {
			fmt.Fprintf(&b, "(+%d excused)", n)
		}
	}
	b.WriteString("\n")
	r.writeViolations(&b)
	return b.String()
}

// writeCalls writes a line for each operation.
func (r *Report) writeCalls(b *strings.Builder) {
	ops := map[history.Op]bool{}
	for call := range r.Calls {
		ops[call.Op] = true
	}
	fmt.Fprintf(b, "%-32s %12s %12s %12s\n", "calls", "ok", "refused", "unknown")
	for _, op := range slices.Sorted(maps.Keys(ops)) {
		fmt.Fprintf(b, "  %-30s %12d %12d %12d\n", op,
			r.Calls[Call{op, history.OK}]+r.Calls[Call{op, ""}], r.Calls[Call{op, history.Fail}], r.Calls[Call{op, history.Unknown}])
	}
}

// sort orders violations by checker, and then as they are in the history.
func (r *Report) sort() {
	slices.SortStableFunc(r.Violations, func(a, b Violation) int {
		return cmp.Or(slices.Index(checkers, a.Checker)-slices.Index(checkers, b.Checker),
			slices.Compare(a.Events, b.Events), cmp.Compare(a.UID, b.UID))
	})
}

func (r *Report) writeViolations(b *strings.Builder) {
	printed := map[string]int{}
	for _, checker := range checkers {
		for _, v := range r.Violations {
			if v.Checker == checker && printed[checker] < printedViolations {
				printed[checker]++
				fmt.Fprintf(b, "%s %s: %s (events %v)\n", checker, v.Queue, v.Text, v.Events)
			}
		}
		if more := r.Found[checker] - printed[checker]; more > 0 {
			fmt.Fprintf(b, "%s: %d more\n", checker, more)
		}
	}
}
