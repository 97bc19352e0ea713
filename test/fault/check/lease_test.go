package check

import (
	"testing"
	"time"

	"tusq/test/fault/history"
)

func TestLeases(t *testing.T) {
	sent := send("q", 0, 1, ok, body("a"))
	a, b := got("a", "r1", 1), got("a", "r2", 2)
	first, done := receive("q", 10, 12, a), remove("q", 500, 501, unknown, b)
	then := func(from, to int, between ...history.Event) []history.Event {
		return standard(plus(between, sent, first, receive("q", from, to, b), done)...)
	}
	runExamples(t, []example{
		{"received inside a lease", "C3", Options{}, then(20, 30)},
		{"received by two at one time", "C3", Options{}, then(11, 13)},
		{"received when the lease may have ended", "", Options{}, then(38, 41)},
		{"received after the lease", "", Options{}, then(43, 44)},
		{"clocks may differ", "", Options{Slack: 12 * time.Second}, then(20, 30)},
		{"released before", "", Options{}, then(20, 30, extend("q", 13, 14, 0, ok, a))},
		{"released while it was received", "", Options{}, then(20, 30, extend("q", 25, 35, 0, ok, a))},
		{"perhaps released", "", Options{}, then(20, 30, extend("q", 13, 14, 0, unknown, a))},
		{"released after", "C3", Options{}, then(20, 30, extend("q", 31, 32, 0, ok, a))},
		{"not released", "C3", Options{}, then(20, 30, extend("q", 13, 14, 0, fail, a))},
		{"extended", "C3", Options{}, then(50, 60, extend("q", 20, 21, 60, ok, a))},
		{"perhaps extended", "", Options{}, then(50, 60, extend("q", 20, 21, 60, unknown, a))},
		{"extended and shortened", "", Options{}, then(50, 60, extend("q", 20, 21, 60, ok, a), extend("q", 22, 23, 5, ok, a))},
		{"shortened and extended", "C3", Options{}, then(50, 60, extend("q", 20, 21, 5, ok, a), extend("q", 22, 23, 60, ok, a))},
		{"shortened and extended at one time", "", Options{}, then(50, 60, extend("q", 20, 22, 5, ok, a), extend("q", 21, 23, 60, ok, a))},
		{"perhaps deleted, so that it was another's", "", Options{}, then(20, 30, remove("q", 15, 16, unknown, a))},
		{"perhaps purged", "", Options{}, then(20, 30, call(history.Purge, "q", 15, 16, unknown))},
		{"another's receipt was released", "C3", Options{}, then(20, 30, extend("q", 13, 14, 0, ok, got("a", "r9", 1)))},
		{"twice in one answer", "C11 C3", Options{}, standard(sent, receive("q", 10, 12, a, b), done)},
		{"received before its delay", "C3", Options{}, standard(
			send("q", 0, 1, ok, with(body("a"), delayed(9))), receive("q", 2, 8, a), remove("q", 9, 10, ok, a))},
		{"received when its delay may have ended", "", Options{}, standard(
			send("q", 0, 1, ok, with(body("a"), delayed(9))), receive("q", 2, 9, a), remove("q", 9, 10, ok, a))},
		{"moved inside a lease", "C3", dead, standard(sent, first, receive("dead", 20, 21, got("a", "r2", 3)),
			remove("dead", 22, 23, ok, got("a", "r2", 3)), drained("dead", 1001))},
	})
}

func delayed(seconds int) func(*history.Message) {
	return func(m *history.Message) { m.Delay = time.Duration(seconds) * time.Second }
}

// TestRepeatedReceives: on a FIFO queue one claim may be answered twice.
func TestRepeatedReceives(t *testing.T) {
	a := func(receipt string, count int) history.Message { return grouped(got("a", receipt, count), "1") }
	sent, done := send("q.fifo", 0, 1, ok, grouped(body("a"), "1")), remove("q.fifo", 40, 41, unknown, a("r1", 1))
	attempt, again := call(history.Receive, "q.fifo", 2, 3, unknown), receive("q.fifo", 20, 21, a("r1", 1))
	other := []history.Event{receive("q.fifo", 36, 38, a("r2", 2)), remove("q.fifo", 39, 40, ok, a("r2", 2))}
	runExamples(t, []example{
		{"the same receipt and count", "", Options{},
			fifo(sent, receive("q.fifo", 2, 3, a("r1", 1)), receive("q.fifo", 4, 5, a("r1", 1)), done)},
		{"the same receipt, another count", "C3", Options{},
			fifo(sent, receive("q.fifo", 2, 3, a("r1", 1)), receive("q.fifo", 4, 5, a("r1", 2)), done)},
		{"a lost one, whose lease may have ended", "", Options{},
			fifo(plus(other, sent, withKey(attempt, "attempt"), withKey(again, "attempt"))...)},
		{"a lost one of another attempt", "C3", Options{},
			fifo(plus(other, sent, withKey(attempt, "other"), withKey(again, "attempt"))...)},
		{"the same on a standard queue", "C3 C7", Options{}, standard(send("q", 0, 1, ok, body("a")),
			receive("q", 2, 3, got("a", "r1", 1)), receive("q", 4, 5, got("a", "r1", 1)), remove("q", 6, 7, ok, got("a", "r1", 1)))},
	})
}

func TestReceiveCounts(t *testing.T) {
	sent := send("q", 0, 1, ok, body("a"))
	twice := func(first, second int, more ...history.Event) []history.Event {
		return standard(plus(more, sent, receive("q", 2, 3, got("a", "r1", first)), receive("q", 40, 41, got("a", "r2", second)),
			remove("q", 42, 43, ok, got("a", "r2", second)))...)
	}
	strict := Options{FaultFree: true}
	runExamples(t, []example{
		{"one by one", "", strict, twice(1, 2)},
		{"the same count twice", "C7", Options{}, twice(1, 1)},
		{"backwards", "C7", Options{}, twice(2, 1)},
		{"a leap where faults are", "", Options{}, twice(1, 3)},
		{"a leap without faults", "C7", strict, twice(1, 3)},
		{"a leap at the beginning", "C7", strict, twice(2, 3)},
		{"a leap after an unknown receive", "", strict, twice(1, 3, call(history.Receive, "q", 20, 21, unknown))},
		{"received too often", "C7", dead, plus(twice(2, 3), drained("dead", 1001))},
	})
	moves := func(count int, last ...history.Event) []history.Event {
		return standard(append(last, sent, receive("q", 2, 3, got("a", "r1", 1)), receive("q", 40, 41, got("a", "r2", 2)),
			receive("dead", 80, 81, got("a", "r3", count)), drained("dead", 1001))...)
	}
	done := remove("dead", 82, 83, ok, got("a", "r3", 3))
	runExamples(t, []example{
		{"moved in time", "", dead, moves(3, done)},
		{"moved too early", "C7", dead, standard(sent, receive("q", 2, 3, got("a", "r1", 1)),
			receive("dead", 80, 81, got("a", "r3", 2)), remove("dead", 82, 83, ok, got("a", "r3", 2)), drained("dead", 1001))},
		{"back from the dead, without counts", "C7", dead, standard(sent, receive("dead", 80, 81, got("a", "r3", 0)), drained("dead", 1001),
			receive("q", 120, 121, got("a", "r4", 0)), remove("q", 122, 123, ok, got("a", "r4", 0)))},
		{"back from the dead", "C7", dead, moves(3, receive("q", 120, 121, got("a", "r4", 4)), remove("q", 122, 123, ok, got("a", "r4", 4)))},
	})
}

func TestPhantomReceivesAreCounted(t *testing.T) {
	report := Run(standard(send("q", 0, 1, ok, body("a")), receive("q", 2, 3, got("a", "r1", 3)),
		receive("q", 39, 41, got("a", "r2", 5)), remove("q", 42, 43, ok, got("a", "r2", 5))), Options{Slack: 9 * time.Second})
	if !report.OK() || report.PhantomReceives != 3 || report.PossibleOverlaps != 0 {
		t.Errorf("counts 3 and 5:\n%s", report)
	}
	report = Run(standard(send("q", 0, 1, ok, body("a")), receive("q", 2, 3, got("a", "r1", 1)),
		receive("q", 30, 41, got("a", "r2", 2)), remove("q", 42, 43, ok, got("a", "r2", 2))), Options{})
	if !report.OK() || report.PossibleOverlaps != 1 {
		t.Errorf("leases that may overlap:\n%s", report)
	}
}
