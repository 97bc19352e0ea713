package check

import (
	"fmt"
	"strings"
	"testing"
)

// TestReportsAddUp and print few violations of each checker, but the number of all.
func TestReportsAddUp(t *testing.T) {
	lost := func(n int) *Report {
		events := standard(life("q", "a", 0)...)
		for i := range n {
			events = append(events, life("q", fmt.Sprint("lost", i), 10+i)[0])
		}
		return Run(events, Options{})
	}
	total := lost(980)
	total.Add(lost(40))
	if total.Histories != 2 || total.Found["C1"] != 1020 || total.Lost != 1020 || total.Acknowledged != 1022 || len(total.Violations) != keptViolations {
		t.Errorf("sum:\n%s", total)
	}
	text := total.String()
	if got := strings.Count(text, "is lost"); got != printedViolations {
		t.Errorf("%d violations are printed", got)
	}
	if !strings.Contains(text, fmt.Sprintf("C1: %d more", total.Found["C1"]-printedViolations)) {
		t.Errorf("more violations are not told:\n%s", text)
	}
	if table, _, _ := strings.Cut(text, "C1 q:"); strings.Count(table, "\n") > 24 {
		t.Errorf("the table does not fit a screen:\n%s", table)
	}
}

// TestLossIsExcused on queues whose durability level allows it, but phantoms are not.
func TestLossIsExcused(t *testing.T) {
	opts := Options{LossAllowed: map[string]bool{"q": true}}
	a := life("q", "a", 0)
	report := Run(standard(plus(a, receive("q", 10, 11, got("a", "r2", 1)), receive("q", 40, 41, got("ghost", "r3", 1)))...), opts)
	if report.Excused["C4"] != 1 || report.Excused["C1"] != 1 || report.Excused["C7"] != 1 || len(report.Found) != 1 || report.Found["C2"] != 1 {
		t.Errorf("excused %v:\n%s", report.Excused, report)
	}
}
