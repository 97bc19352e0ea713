package check

import (
	"testing"

	"tusq/test/fault/history"
)

// TestStaleReceipts: r1 was given, and then r2, for a message that is deleted in the end.
func TestStaleReceipts(t *testing.T) {
	first, second := got("a", "r1", 1), got("a", "r2", 2)
	given := func(more ...history.Event) []history.Event {
		return standard(plus(more, send("q", 0, 1, ok, body("a")), receive("q", 2, 3, first), receive("q", 40, 41, second))...)
	}
	done := remove("q", 60, 61, ok, second)
	g1, g2 := grouped(first, "1"), grouped(second, "1")
	inGroup := func(more ...history.Event) []history.Event {
		return fifo(plus(more, send("q.fifo", 0, 1, ok, grouped(body("a"), "1")), receive("q.fifo", 2, 3, g1), receive("q.fifo", 40, 41, g2))...)
	}
	doneInGroup := remove("q.fifo", 60, 61, ok, g2)
	runExamples(t, []example{
		{"refused", "", Options{}, given(remove("q", 42, 43, fail, first), extend("q", 44, 45, 30, fail, first), done)},
		{"extends", "C3", Options{}, given(extend("q", 42, 43, 30, ok, first), done)},
		{"extends by SQS", "C3", Options{}, given(bySQS(extend("q", 42, 43, 30, ok, first)), done)},
		{"perhaps extends", "", Options{}, given(extend("q", 42, 43, 30, unknown, first), done)},
		{"extends before the other was answered", "", Options{}, given(extend("q", 39, 42, 1, ok, first), done)},
		{"deletes", "C3", Options{}, given(remove("q", 42, 43, ok, first), done)},
		{"deletes by SQS, which acknowledges it", "", Options{}, given(bySQS(remove("q", 42, 43, ok, first)), done)},
		{"deletes what may be gone", "", Options{}, given(remove("q", 60, 62, ok, first), done)},
		{"deletes what may be purged", "", Options{}, given(remove("q", 42, 43, ok, first), call(history.Purge, "q", 41, 42, unknown), done)},
		{"deletes what may be a dead letter", "", dead, plus(given(remove("q", 72, 73, ok, first)),
			receive("dead", 80, 81, got("a", "r3", 3)), remove("dead", 82, 83, ok, got("a", "r3", 3)), drained("dead", 1001))},
		{"deletes in a group", "C3", Options{}, inGroup(remove("q.fifo", 42, 43, ok, g1), doneInGroup)},
		{"deletes in a group, by SQS", "C3", Options{}, inGroup(bySQS(remove("q.fifo", 42, 43, ok, g1)), doneInGroup)},
		{"deletes in a group after its lease", "C3", Options{}, fifo(send("q.fifo", 0, 1, ok, grouped(body("a"), "1")),
			receive("q.fifo", 2, 3, g1), remove("q.fifo", 34, 35, ok, g1))},
		{"deletes in a group at the end of its lease", "", Options{}, fifo(send("q.fifo", 0, 1, ok, grouped(body("a"), "1")),
			receive("q.fifo", 2, 3, g1), remove("q.fifo", 33, 35, ok, g1))},
		{"extends in a group after its lease", "C3", Options{}, inGroup(extend("q.fifo", 34, 35, 30, ok, g1), doneInGroup)},
		{"releases in a group after its lease", "", Options{}, inGroup(extend("q.fifo", 34, 35, 0, ok, g1), doneInGroup)},
		{"deletes again in a group", "", Options{}, fifo(send("q.fifo", 0, 1, ok, grouped(body("a"), "1")),
			receive("q.fifo", 2, 3, g1), remove("q.fifo", 5, 6, unknown, g1), remove("q.fifo", 40, 41, ok, g1))},
		{"deletes late what was extended", "", Options{}, fifo(send("q.fifo", 0, 1, ok, grouped(body("a"), "1")),
			receive("q.fifo", 2, 3, g1), extend("q.fifo", 5, 6, 60, unknown, g1), remove("q.fifo", 40, 41, ok, g1))},
	})
}
