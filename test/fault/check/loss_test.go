package check

import (
	"testing"
	"time"

	"tusq/test/fault/history"
)

// dead has q's messages moved to the queue dead after two receives.
var dead = Options{DeadLetters: map[string]DeadLetter{"q": {"dead", 2}}}

func TestLoss(t *testing.T) {
	sent := send("q", 0, 1, ok, body("a"))
	first := receive("q", 2, 3, got("a", "r1", 1))
	again := receive("q", 40, 41, got("a", "r2", 2))
	runExamples(t, []example{
		{"sent, received, deleted", "", Options{}, standard(life("q", "a", 0)...)},
		{"never received", "C1", Options{}, standard(sent)},
		{"never received, but nobody looked", "C9", Options{}, []history.Event{sent}},
		{"an unknown send never received", "", Options{}, standard(send("q", 0, 1, unknown, body("a")))},
		{"a refused send never received", "", Options{}, standard(send("q", 0, 1, fail, body("a")))},
		{"sent after the drain", "", Options{}, standard(send("q", 1001, 1002, ok, body("a")))},
		{"one of a batch refused", "", Options{}, standard(plus(life("q", "a", 0),
			send("q", 0, 1, ok, body("b"), with(body("c"), func(m *history.Message) { m.Outcome = fail })),
			receive("q", 1, 2, got("b", "rb", 1)), remove("q", 2, 3, ok, got("b", "rb", 1)))...)},
		{"received, never deleted", "C1", Options{}, standard(sent, first)},
		{"received from an unknown send, never deleted", "C1", Options{}, standard(send("q", 0, 1, unknown, body("a")), first)},
		{"its deletion was refused", "C1", Options{}, standard(sent, first, remove("q", 4, 5, fail, got("a", "r1", 1)))},
		{"its deletion is unknown", "", Options{}, standard(sent, first, remove("q", 4, 5, unknown, got("a", "r1", 1)))},
		{"deleted by the first receipt only, received again", "C1", Options{},
			standard(sent, first, again, bySQS(remove("q", 42, 43, ok, got("a", "r1", 1))))},
		{"deleted by the last receipt", "", Options{}, standard(sent, first, again, remove("q", 42, 43, ok, got("a", "r2", 2)))},
		{"deleted by one of two that may have been the last", "", Options{}, standard(sent,
			moved(first, 2, 50), moved(again, 40, 60), remove("q", 70, 71, unknown, got("a", "r1", 1)))},
		{"purged perhaps", "", Options{}, standard(sent, call(history.Purge, "q", 0, 1, unknown))},
		{"purged before", "C1", Options{}, standard(call(history.Purge, "q", -2, -1, ok), sent)},
		{"a purge that was refused", "C1", Options{}, standard(sent, call(history.Purge, "q", 5, 6, fail))},
		{"expired", "", Options{Retention: map[string]time.Duration{"q": time.Minute}}, standard(sent)},
		{"not yet expired", "C1", Options{Retention: map[string]time.Duration{"q": time.Hour}}, standard(sent)},
		{"forgiven", "", Options{LossAllowed: map[string]bool{"q": true}}, standard(sent)},
		{"received from the dead-letter queue", "", dead, standard(sent, first, again,
			receive("dead", 80, 81, got("a", "r3", 3)), remove("dead", 82, 83, ok, got("a", "r3", 3)), drained("dead", 1001))},
		{"lost on the way to the dead-letter queue", "C1", dead, standard(sent, first, again, drained("dead", 1001))},
		{"perhaps in a dead-letter queue that was not drained", "C9", dead, standard(sent, first, again)},
		{"redriven under another ID", "", dead, standard(sent, first, again,
			receive("dead", 80, 81, got("a", "r3", 3)), call(history.Redrive, "dead", 120, 121, ok),
			receive("q", 130, 131, with(got("a", "r4", 1), func(m *history.Message) { m.ID = "other" })),
			remove("q", 132, 133, ok, got("a", "r4", 1)), drained("dead", 1001))},
		{"redriven and lost", "C1", dead, standard(sent, first, again,
			receive("dead", 80, 81, got("a", "r3", 3)), call(history.Redrive, "dead", 120, 121, ok), drained("dead", 1001))},
		{"a duplicate of what was received", "", Options{}, fifo(
			send("q.fifo", 0, 1, ok, grouped(with(body("a"), dedup("d")), "1")),
			send("q.fifo", 2, 3, ok, grouped(with(body("b"), func(m *history.Message) { m.ID, m.Deduplication = "id-a", "d" }), "1")),
			receive("q.fifo", 4, 5, grouped(got("a", "r", 1), "1")), remove("q.fifo", 6, 7, ok, got("a", "r", 1)))},
	})
}

func dedup(id string) func(*history.Message) {
	return func(m *history.Message) { m.Deduplication = id }
}

// moved is an event at another time.
func moved(e history.Event, from, to int) history.Event {
	e.Invoked, e.Returned = time.Duration(from)*time.Second, time.Duration(to)*time.Second
	return e
}

// TestLossHasAPlace: before, between or behind what survived.
func TestLossHasAPlace(t *testing.T) {
	lost := func(uid string, from int) []history.Event { return life("q", uid, from)[:1] }
	report := Run(together(lost("a", 0), life("q", "b", 10), lost("c", 20), lost("d", 30), life("q", "e", 40),
		lost("f", 50), lost("g", 60), lost("h", 70), []history.Event{drained("q", 1000)}), Options{})
	if report.LostPrefix != 1 || report.LostMiddle != 2 || report.LostPostfix != 3 || report.Lost != 6 {
		t.Errorf("lost:\n%s", report)
	}
}

func TestPhantoms(t *testing.T) {
	a := life("q", "a", 0)
	changed := func(m *history.Message) { m.Digest = "changed" }
	runExamples(t, []example{
		{"never sent", "C2", Options{}, standard(a[1:]...)},
		{"refused", "C2", Options{}, standard(send("q", 0, 1, fail, body("a")), a[1], a[2])},
		{"refused, then sent again", "", Options{}, standard(send("q", -2, -1, fail, body("a")), a[0], a[1], a[2])},
		{"unknown", "", Options{}, standard(send("q", 0, 1, unknown, body("a")), a[1], a[2])},
		{"changed", "C2", Options{}, standard(a[0], receive("q", 1, 2, with(got("a", "r-a", 1), changed)), a[2])},
		{"received before it was sent", "C2", Options{}, standard(moved(a[0], 3, 4), a[1], a[2])},
		{"received before its send was answered", "", Options{}, standard(moved(a[0], 1, 4), moved(a[1], 0, 2), a[2])},
		{"came out of another queue", "C2", Options{}, plus(standard(a[0],
			receive("p", 1, 2, got("a", "r-a", 1)), remove("p", 3, 4, ok, got("a", "r-a", 1))), drained("p", 1000))},
		{"another's body", "C2", Options{}, standard(a[0], a[1], receive("q", 40, 41, with(got("b", "rb", 2), setID("id-a"))),
			remove("q", 42, 43, ok, got("b", "rb", 2)), send("q", 0, 1, unknown, body("b")), remove("q", 2, 2, unknown, got("a", "r-a", 1)))},
		{"sent once, received under two IDs", "C2", Options{}, standard(a[0], a[1], a[2],
			receive("q", 5, 6, with(got("a", "r2", 1), setID("other"))), remove("q", 7, 8, ok, got("a", "r2", 1)))},
		{"sent twice without a key, received under two IDs", "", Options{}, standard(a[0], a[1], a[2], send("q", -1, 0, unknown, body("a")),
			receive("q", 5, 6, with(got("a", "r2", 1), setID("other"))), remove("q", 7, 8, ok, got("a", "r2", 1)))},
	})
}

func setID(id string) func(*history.Message) {
	return func(m *history.Message) { m.ID = id }
}

func TestResurrections(t *testing.T) {
	a := life("q", "a", 0)
	again := receive("q", 10, 11, got("a", "r2", 2))
	gone := remove("q", 12, 13, ok, got("a", "r2", 2))
	sqs := moved(a[2], 40, 41)
	sqs.Surface = "sqs"
	runExamples(t, []example{
		{"received after its deletion", "C4", Options{}, standard(a[0], a[1], a[2], again, gone)},
		{"received while it was deleted", "", Options{}, standard(a[0], a[1], moved(a[2], 32, 50), moved(again, 40, 55), moved(gone, 56, 57))},
		{"deleted after its lease, by a receipt that may be old", "", Options{}, standard(a[0], a[1], sqs, moved(again, 50, 51), moved(gone, 52, 53))},
		{"the same where nothing fails and nobody else has it", "C4", Options{FaultFree: true},
			standard(a[0], a[1], sqs, moved(again, 50, 51), moved(gone, 52, 53))},
		{"deleted inside an extended lease", "C4", Options{}, standard(a[0], a[1], extend("q", 20, 21, 60, ok, got("a", "r-a", 1)), sqs,
			moved(again, 100, 101), moved(gone, 102, 103))},
		{"deleted after a release", "", Options{}, standard(a[0], a[1], extend("q", 2, 3, 0, unknown, got("a", "r-a", 1)), a[2], again, gone)},
		{"an unknown deletion", "", Options{}, standard(a[0], a[1], remove("q", 3, 4, unknown, got("a", "r-a", 1)), moved(again, 50, 51), moved(gone, 52, 53))},
		{"received after a purge", "C4", Options{}, standard(a[0], call(history.Purge, "q", 2, 3, ok), moved(a[1], 4, 5), moved(a[2], 6, 7))},
		{"sent while a purge ran", "", Options{}, standard(moved(a[0], 0, 2), call(history.Purge, "q", 1, 3, ok), moved(a[1], 4, 5), moved(a[2], 6, 7))},
	})
}
