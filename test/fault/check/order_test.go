package check

import (
	"testing"
	"time"

	"tusq/test/fault/history"
)

const queueF = "q.fifo"

// in is message uid, the nth of group g.
func in(uid, sequence string) history.Message { return grouped(body(uid), sequence) }

// out is the same as it is received.
func out(uid, receipt, sequence string, count int) history.Message {
	return grouped(got(uid, receipt, count), sequence)
}

func TestOrder(t *testing.T) {
	sendA, sendB := send(queueF, 0, 1, ok, in("a", "9")), send(queueF, 2, 3, ok, in("b", "10"))
	getA, getB := receive(queueF, 4, 5, out("a", "ra", "9", 1)), receive(queueF, 8, 9, out("b", "rb", "10", 1))
	doneA, doneB := remove(queueF, 6, 7, ok, out("a", "ra", "9", 1)), remove(queueF, 10, 11, ok, out("b", "rb", "10", 1))
	again := receive(queueF, 50, 51, out("a", "ra2", "9", 2))
	gone := remove(queueF, 52, 53, ok, out("a", "ra2", "9", 2))
	other := func(m history.Message) history.Message { m.Group = "h"; return m }
	runExamples(t, []example{
		{"in order", "", Options{}, fifo(sendA, sendB, getA, doneA, getB, doneB)},
		{"out of order", "C5", Options{}, fifo(sendA, sendB, moved(getA, 15, 16), moved(doneA, 17, 18), getB, doneB)},
		{"sent at one time", "", Options{}, fifo(send(queueF, 0, 14, ok, in("a", "11")), sendB, getB, doneB,
			receive(queueF, 15, 16, out("a", "ra", "11", 1)), remove(queueF, 17, 18, ok, out("a", "ra", "11", 1)))},
		{"of two groups", "", Options{}, fifo(sendA, send(queueF, 2, 3, ok, other(in("b", "10"))), moved(getA, 15, 16), moved(doneA, 17, 18),
			receive(queueF, 8, 9, other(out("b", "rb", "10", 1))), doneB)},
		{"in one answer, in order", "", Options{}, fifo(sendA, sendB, receive(queueF, 4, 5, out("a", "ra", "9", 1), out("b", "rb", "10", 1)), doneA, doneB)},
		{"in one answer, out of order", "C5", Options{}, fifo(sendA, sendB, receive(queueF, 4, 5, out("b", "rb", "10", 1), out("a", "ra", "9", 1)), doneA, doneB)},
		{"received while an earlier one is in flight", "C5", Options{}, fifo(sendA, sendB, getA, getB, moved(doneA, 12, 13), moved(doneB, 14, 15))},
		{"received when an earlier one is back", "C5", Options{}, fifo(sendA, sendB, getA, moved(getB, 44, 45), moved(doneB, 46, 47), again, gone)},
		{"received when an earlier one may be deleted", "", Options{}, fifo(sendA, sendB, getA, moved(doneA, 6, 12), getB, moved(doneB, 14, 15))},
		{"received when an earlier deletion is unknown", "", Options{}, fifo(sendA, sendB, getA, remove(queueF, 6, 7, unknown, out("a", "ra", "9", 1)), getB, doneB)},
		{"the same, but it was not deleted", "C5", Options{}, fifo(sendA, sendB, getA, remove(queueF, 6, 7, unknown, out("a", "ra", "9", 1)), getB, doneB, again, gone)},
		{"received when the earlier one may have been purged", "", Options{}, fifo(sendA, sendB, call(history.Purge, queueF, 1, 2, ok), getB, doneB)},
		{"one between was left out", "C5", Options{}, fifo(sendA, sendB, send(queueF, 0, 3, ok, in("c", "11")),
			receive(queueF, 4, 5, out("a", "ra", "9", 1), out("c", "rc", "11", 1)), doneA, moved(getB, 8, 9), doneB, remove(queueF, 6, 7, ok, out("c", "rc", "11", 1)))},
		{"redelivered together", "", Options{}, fifo(sendA, sendB, receive(queueF, 4, 5, out("a", "ra", "9", 1), out("b", "rb", "10", 1)),
			receive(queueF, 50, 51, out("a", "ra2", "9", 2), out("b", "rb2", "10", 2)), gone, remove(queueF, 52, 53, ok, out("b", "rb2", "10", 2)))},
		{"redelivered without the first", "C5", Options{}, fifo(sendA, sendB, receive(queueF, 4, 5, out("a", "ra", "9", 1), out("b", "rb", "10", 1)),
			receive(queueF, 40, 41, out("b", "rb2", "10", 2)), again, gone, remove(queueF, 52, 53, ok, out("b", "rb2", "10", 2)))},
		{"the first redelivered while the second is in flight", "", Options{}, fifo(sendA, sendB,
			receive(queueF, 4, 5, out("a", "ra", "9", 1), out("b", "rb", "10", 1)), extend(queueF, 6, 7, 60, ok, out("b", "rb", "10", 1)),
			again, gone, remove(queueF, 54, 55, ok, out("b", "rb", "10", 1)))},
	})
	queues := Options{DeadLetters: map[string]DeadLetter{queueF: {"dead.fifo", 1}}}
	dead := receive("dead.fifo", 60, 61, out("a", "ra2", "3", 2))
	buried := remove("dead.fifo", 62, 63, ok, out("a", "ra2", "3", 2))
	runExamples(t, []example{
		{"the earlier one was moved", "", queues, plus(fifo(sendA, sendB, getA, moved(getB, 50, 51), moved(doneB, 52, 53), dead, buried), drained("dead.fifo", 1001))},
		{"the earlier one was received before it was moved", "C5", queues, plus(fifo(sendA, sendB, getB, doneB, moved(getA, 15, 16), dead, buried), drained("dead.fifo", 1001))},
	})
}

func TestSequences(t *testing.T) {
	get := func(uid, sequence string, at int) []history.Event {
		m := out(uid, "r-"+uid, sequence, 1)
		return []history.Event{receive(queueF, at, at+1, m), remove(queueF, at+2, at+3, ok, m)}
	}
	runExamples(t, []example{
		{"longer is larger", "", Options{}, fifo(together([]history.Event{send(queueF, 0, 1, ok, in("a", "9")), send(queueF, 2, 3, ok, in("b", "10"))},
			get("a", "9", 4), get("b", "10", 8))...)},
		{"backwards", "C5", Options{}, fifo(together([]history.Event{send(queueF, 0, 1, ok, in("a", "10")), send(queueF, 2, 3, ok, in("b", "9"))},
			get("a", "10", 4), get("b", "9", 8))...)},
		{"given twice", "C5", Options{}, fifo(together([]history.Event{send(queueF, 0, 3, ok, in("a", "9")), send(queueF, 2, 3, ok, in("b", "9"))},
			get("a", "9", 4), get("b", "9", 8))...)},
		{"other than was answered", "C5", Options{}, fifo(together([]history.Event{send(queueF, 0, 1, ok, in("a", "9"))}, get("a", "8", 4))...)},
		{"sent at one time, received in another order", "C5", Options{}, fifo(together(
			[]history.Event{send(queueF, 0, 3, ok, in("a", "9")), send(queueF, 0, 3, ok, in("b", "10"))}, get("b", "10", 4), get("a", "9", 8))...)},
		{"a batch backwards", "C5", Options{}, fifo(together([]history.Event{send(queueF, 0, 1, ok, in("a", "10"), in("b", "9"))},
			get("b", "9", 4), get("a", "10", 8))...)},
		{"a batch without numbers", "C5", Options{}, fifo(together([]history.Event{send(queueF, 0, 1, ok, in("a", ""), in("b", ""))},
			get("b", "", 4), get("a", "", 8))...)},
		{"sends without numbers", "C5", Options{}, fifo(together([]history.Event{send(queueF, 0, 1, ok, in("a", "")), send(queueF, 2, 3, ok, in("b", ""))},
			get("b", "", 4), get("a", "", 8))...)},
	})
}

func TestOnce(t *testing.T) {
	d := func(uid, id string) history.Message { return with(with(body(uid), setID(id)), dedup("d")) }
	get := func(uid, id string, at int) []history.Event {
		m := with(got(uid, "r-"+id, 1), setID(id))
		return []history.Event{receive(queueF, at, at+1, m), remove(queueF, at+2, at+3, ok, m)}
	}
	one := get("a", "x", 600)
	both := together(one, get("b", "y", 610))
	runExamples(t, []example{
		{"two answers, one ID", "", Options{}, fifo(plus(one, send(queueF, 0, 1, ok, d("a", "x")), send(queueF, 20, 21, ok, d("b", "x")))...)},
		{"two IDs", "C6", Options{}, fifo(plus(both, send(queueF, 0, 1, ok, d("a", "x")), send(queueF, 20, 21, ok, d("b", "y")))...)},
		{"two IDs, five minutes later", "", Options{}, fifo(plus(both, send(queueF, 0, 1, ok, d("a", "x")), send(queueF, 301, 302, ok, d("b", "y")))...)},
		{"perhaps five minutes later", "", Options{}, fifo(plus(both, send(queueF, 0, 1, ok, d("a", "x")), send(queueF, 299, 301, ok, d("b", "y")))...)},
		{"two IDs, with an earlier unknown send", "", Options{}, fifo(plus(both, send(queueF, -50, -49, unknown, d("a", "")),
			send(queueF, 0, 1, ok, d("a", "x")), send(queueF, 251, 252, ok, d("b", "y")))...)},
		{"two queues", "C9", Options{}, fifo(plus(one, send(queueF, 0, 1, ok, d("a", "x")), send("p.fifo", 20, 21, ok, d("b", "y")))...)},
		{"unknown, then delivered twice", "C6", Options{}, fifo(together(get("a", "x", 10), get("a", "y", 20), []history.Event{
			send(queueF, 0, 1, unknown, d("a", "")), send(queueF, 2, 3, ok, d("a", "y"))})...)},
		{"a purge between", "", Options{}, fifo(plus(both, send(queueF, 0, 1, ok, d("a", "x")),
			call(history.Purge, queueF, 5, 6, unknown), send(queueF, 20, 21, ok, d("b", "y")))...)},
	})
}

func TestKeys(t *testing.T) {
	k := func(e history.Event) history.Event { return withKey(e, "k") }
	a, b := life("q", "a", 0), life("q", "b", 20)
	rest := together(a[1:], b[1:])
	sqs := func(e history.Event) history.Event { e.Surface = "sqs"; return e }
	other := with(got("a", "r2", 1), setID("y"))
	runExamples(t, []example{
		{"repeated", "", Options{}, standard(plus(a, k(send("q", 0, 1, ok, body("a"))))[1:]...)},
		{"repeated, another ID", "C10", Options{}, standard(k(a[0]), a[1], a[2], k(send("q", 2, 3, ok, with(body("a"), setID("y")))),
			receive("q", 5, 6, other), remove("q", 7, 8, ok, other))},
		{"lost and repeated, delivered twice", "C10", Options{}, standard(k(send("q", 0, 1, unknown, body("a"))), k(a[0]), a[1], a[2],
			receive("q", 5, 6, other), remove("q", 7, 8, ok, other))},
		{"other messages", "C10", Options{}, standard(plus(rest, k(a[0]), k(b[0]))...)},
		{"other messages, five minutes later", "", Options{}, standard(plus(rest[:2:2], k(a[0]), k(moved(b[0], 400, 401)), moved(b[1], 402, 403), moved(b[2], 404, 405))...)},
		{"other messages, refused", "", Options{}, standard(plus(rest[:2:2], k(a[0]), k(send("q", 20, 21, fail, body("b"))))...)},
		{"an SDK's name of a call", "", Options{}, standard(plus(rest, sqs(k(a[0])), sqs(k(b[0])))...)},
		{"on two queues", "C9", Options{}, standard(plus(rest[:2:2], k(a[0]), k(send("p", 20, 21, ok, body("b"))))...)},
	})
}

func TestBatches(t *testing.T) {
	a, b := life("q", "a", 0), life("q", "b", 0)
	rest := together(a[1:], b[1:])
	silent := send("q", 0, 1, ok, body("a"), body("b"))
	silent.Messages[1].Outcome = ""
	runExamples(t, []example{
		{"each answered", "", Options{}, standard(plus(rest, send("q", 0, 1, ok, body("a"), body("b")))...)},
		{"one not answered", "C11", Options{}, standard(plus(rest, silent)...)},
		{"one answered twice", "C11", Options{}, standard(plus(rest, send("q", 0, 1, ok, body("a"), body("b"), body("b")))...)},
		{"one ID for two", "C11", Options{}, standard(plus(a[1:], send("q", 0, 1, ok, body("a"), with(body("b"), setID("id-a"))))...)},
		{"no ID", "C11", Options{}, standard(plus(a[1:], send("q", 0, 1, ok, with(body("a"), setID(""))))...)},
		{"settled by two receipts", "", Options{}, standard(a[0], a[1], receive("q", 40, 41, got("a", "r2", 2)),
			remove("q", 42, 43, ok, got("a", "r-a", 1), got("a", "r2", 2)))},
	})
}

func TestConservation(t *testing.T) {
	a, b := life("q", "a", 0), life("q", "b", 10)
	all := plus(a, b...)
	lost := send("q", 20, 21, unknown, body("c"))
	runExamples(t, []example{
		{"one there", "", Options{}, standard(plus(all, stats("q", 1, 2, 1))...)},
		{"one there, not counted", "C8", Options{}, standard(plus(all, stats("q", 2, 2, 0))...)},
		{"perhaps sent", "", Options{}, standard(plus(all, stats("q", 0, 1, 0))...)},
		{"perhaps deleted", "", Options{}, standard(plus(all, stats("q", 3, 4, 0), stats("q", 3, 4, 1))...)},
		{"deleted, but counted", "C8", Options{}, standard(plus(all, stats("q", 5, 6, 1))...)},
		{"too many", "C8", Options{}, standard(plus(all, stats("q", 10, 12, 2))...)},
		{"an unknown send", "", Options{}, standard(plus(all, lost, stats("q", 22, 23, 1), stats("q", 22, 23, 0))...)},
		{"an unknown send, counted twice", "C8", Options{}, standard(plus(all, lost, stats("q", 22, 23, 2))...)},
		{"an unknown send, sent twice", "", Options{}, standard(plus(all, lost, lost, stats("q", 22, 23, 2))...)},
		{"an unknown send, repeated by key", "C8", Options{}, standard(plus(all, withKey(lost, "k"), withKey(lost, "k"), stats("q", 22, 23, 2))...)},
		{"none after the drain", "", Options{}, standard(plus(all, lost, stats("q", 1001, 1002, 0))...)},
		{"some after the drain", "C8", Options{}, standard(plus(all, lost, stats("q", 1001, 1002, 1))...)},
		{"negative", "C8", Options{}, standard(plus(all, stats("q", 1001, 1002, -1))...)},
		{"a queue that was never used", "C8", Options{}, []history.Event{stats("q", 1, 2, 1)}},
	})
	again := receive("q", 55, 56, got("c", "r2", 2))
	letter, sent := receive("dead", 88, 89, got("c", "r3", 3)), send("q", 20, 21, ok, body("c"))
	moves := plus(all, sent, receive("q", 22, 23, got("c", "r1", 1)), again, letter,
		remove("dead", 91, 92, ok, got("c", "r3", 3)), drained("dead", 1001), drained("q", 1000))
	calm := Options{DeadLetters: dead.DeadLetters, FaultFree: true}
	runExamples(t, []example{
		{"perhaps moved by a receive that nobody knows", "", dead, plus(moves, stats("dead", 20, 21, 1))},
		{"perhaps moved", "", dead, plus(moves, stats("q", 75, 76, 0), stats("q", 75, 76, 1), stats("dead", 75, 76, 0), stats("dead", 75, 76, 1))},
		{"moved, and still counted", "C8", dead, plus(moves, stats("q", 90, 90, 1))},
		{"moved, and not counted", "C8", dead, plus(moves, stats("dead", 90, 90, 0))},
		{"counted before it can have been moved", "C8", calm, plus(moves, stats("dead", 20, 21, 1))},
		{"deleted and counted", "C8", dead, plus(moves, stats("dead", 94, 95, 1))},
	})
}

func TestLiveness(t *testing.T) {
	lost := func(from, to int) history.Event { return send("q", from, to, unknown, body("c")) }
	limit := Options{MaxGap: 20 * time.Second}
	a, b := life("q", "a", 0), life("q", "b", 100)
	all := standard(plus(a, b...)...)
	runExamples(t, []example{
		{"nobody asked", "", limit, plus(all, note(5, "heal"))},
		{"nobody was answered", "C9", limit, plus(all, note(5, "heal"), lost(10, 20), lost(30, 90))},
		{"answered soon", "", limit, plus(all, note(5, "heal"), lost(85, 90))},
		{"before the end of the faults", "", limit, plus(all, note(5, "heal"), lost(10, 20), lost(30, 90), note(95, "heal"), note(4, "kill"))},
		{"a fault that is no end", "", limit, plus(all, lost(10, 20), lost(30, 90), note(5, "kill"))},
		{"never again", "C9", Options{}, plus(all, note(105, "heal"), lost(110, 111))},
		{"a receive that waited", "", limit, plus(all, note(5, "heal"), call(history.Receive, "q", 10, 90, ok))},
	})
	report := Run(plus(all, note(5, "heal"), lost(10, 20), lost(30, 90)), Options{})
	if report.LongestGap != 91*time.Second || report.GapAfterHeal != 91*time.Second || report.FirstAfterHeal != 96*time.Second {
		t.Errorf("gaps:\n%s", report)
	}
}

func TestBounded(t *testing.T) {
	runExamples(t, []example{
		{"few rows", "", Options{Tables: map[string]Rows{"messages": {3, 3}}}, nil},
		{"too many rows", "C13", Options{Tables: map[string]Rows{"messages": {4, 3}}}, nil},
	})
}
