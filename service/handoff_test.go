package service_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
	"tusq/test/testservice"
)

// TestSendIsHandedToAReceiverThatWaits stores a message already claimed, without a claim, and
// as any other receiver would have got it.
func TestSendIsHandedToAReceiverThatWaits(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{})
	w.create("dead", service.QueueChange{})
	got := w.wait(w.ctx, w.Service, 10)
	before := w.store.claims.Load()
	sent, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{
		{Body: "a", GroupID: "g", TraceHeader: "Root=1", Attributes: map[string]service.Attribute{"n": {Type: "String", Value: "1"}}},
		{Body: "later", Delay: new(time.Minute)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := <-got
	a.mustHave(t, 1)
	if claims, handed := w.store.claims.Load()-before, w.store.handoffs.Load(); claims != 0 || handed != 1 {
		t.Errorf("%d claims and %d messages handed off, want 0 and 1", claims, handed)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 1, Delayed: 1})
	m := a.messages[0]
	page, err := w.PeekMessages(w.ctx, caller, w.queue, service.PeekMessages{State: service.StateInFlight})
	if err != nil || len(page.Messages) != 1 {
		t.Fatalf("peek: %+v, %v", page, err)
	}
	stored := page.Messages[0]
	stored.Receipt = m.Receipt
	if fmt.Sprintf("%+v", m) != fmt.Sprintf("%+v", stored) || m.ID != sent[0].ID {
		t.Errorf("received\n%+v, stored is\n%+v", m, stored)
	}
	if err := w.extend(m.Receipt, 0); err != nil {
		t.Errorf("extend: %v", err)
	}
	if again := w.one(w.queue); again.ID != m.ID || again.ReceiveCount != 2 {
		t.Errorf("received %+v, want the same message again", again)
	}
}

// TestHandoffWhoseCommitIsUnknown hands a message off once, whatever became of the commits.
func TestHandoffWhoseCommitIsUnknown(t *testing.T) {
	for _, f := range []*faulty{
		{commits: true, err: service.ErrOutcomeUnknown},
		{commits: false, err: service.ErrOutcomeUnknown},
		{commits: false, err: service.ErrConflict},
	} {
		for faults := range int32(3) {
			t.Run(fmt.Sprintf("%v, committed %v, %d times", f.err, f.commits, faults), func(t *testing.T) {
				t.Parallel()
				w := setupFaulty(t, "orders", &faulty{commits: f.commits, err: f.err})
				got := w.wait(w.ctx, w.Service, 10)
				w.store.faults.Store(faults)
				w.send("a", "b")
				a := <-got
				a.mustHave(t, 2)
				for _, m := range a.messages {
					if m.ReceiveCount != 1 {
						t.Errorf("receive count %d, want 1", m.ReceiveCount)
					}
				}
				w.wantStats(w.queue, service.Stats{InFlight: 2})
			})
		}
	}
}

// TestHandoffThatFails leaves the receiver waiting, and nothing locked.
func TestHandoffThatFails(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{commits: true, err: service.ErrOutcomeUnknown})
	got := w.wait(w.ctx, w.Service, 1)
	w.store.faults.Store(3)
	_, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "lost?"}}})
	wantCode(t, err, service.CodeUnavailable)
	w.send("b")
	(<-got).mustHave(t, 1)
	w.wantStats(w.queue, service.Stats{Visible: 1, InFlight: 1})
}

// TestHandoffIsRevokedWhenTheDatabaseIsBack commits a hand-off, loses the answer, and cannot
// revoke it at once: it must not stay in flight to nobody.
func TestHandoffIsRevokedWhenTheDatabaseIsBack(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{commits: true, err: service.ErrOutcomeUnknown})
	got := w.wait(w.ctx, w.Service, 1)
	w.store.faults.Store(1)
	w.store.away.Store(2)
	_, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "a"}}})
	if err == nil {
		t.Error("acknowledged, although it is not known")
	}
	a := <-got
	a.mustHave(t, 1)
	if len(a.messages) == 1 && a.messages[0].ReceiveCount != 1 {
		t.Errorf("receive count %d, want 1", a.messages[0].ReceiveCount)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 1})
}

// TestRepeatedCallHandsNothingOff repeats a call whose message has been deleted since.
func TestRepeatedCallHandsNothingOff(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{})
	call := service.SendMessages{Key: service.CallKey{ID: "k", Strict: true}, Messages: []service.SendMessage{{Body: "once"}}}
	if _, err := w.SendMessages(w.ctx, caller, w.queue, call); err != nil {
		t.Fatal(err)
	}
	if err := w.delete(w.queue, w.one(w.queue).Receipt); err != nil {
		t.Fatal(err)
	}
	got := w.wait(w.ctx, w.Service, 1)
	if _, err := w.SendMessages(w.ctx, caller, w.queue, call); err != nil {
		t.Fatal(err)
	}
	if handed := w.store.handoffs.Load(); handed != 1 {
		t.Fatalf("%d messages were offered, want 1", handed)
	}
	w.send("another")
	a := <-got
	a.mustHave(t, 1)
	if a.messages[0].Body != "another" {
		t.Errorf("received %q, which was sent once and deleted", a.messages[0].Body)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 1})
}

// TestOneOfAThousandWaitersGetsTheMessage bounds the claims that one message causes, and the connections.
func TestOneOfAThousandWaitersGetsTheMessage(t *testing.T) {
	for _, test := range []struct {
		sender    string
		maxClaims int32
	}{{"the same replica", 0}, {"another replica", 2}} {
		w := setupFaulty(t, "orders", &faulty{check: time.Hour}) // one that comes before the claim wakes another waiter
		other := &world{Service: testservice.On(t, w.url, service.Options{}), t: t, ctx: w.ctx, queue: w.queue}
		meet(t, w.Service, other.Service)
		const waiters = 1000
		answers := make(chan answer, waiters)
		for range waiters {
			go func() {
				messages, err := w.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 1, Wait: new(long)})
				answers <- answer{messages: messages, err: err}
			}()
		}
		for int(w.Waiting())+len(answers) < waiters {
			runtime.Gosched()
		}
		before := w.store.claims.Load()
		if test.sender == "another replica" {
			other.send("job")
		} else {
			w.send("job")
		}
		received, ended := 0, 0
		end := func() {
			a := <-answers
			if a.err != nil {
				t.Error(a.err)
			}
			received += len(a.messages)
			ended++
		}
		for received == 0 && ended < waiters {
			end()
		}
		time.Sleep(500 * time.Millisecond) // in which others that were woken would claim
		claims := w.store.claims.Load() - before
		w.Drain()
		for ended < waiters {
			end()
		}
		if received != 1 || claims > test.maxClaims {
			t.Errorf("sent by %s: received %d times after %d claims, want once and at most %d", test.sender, received, claims, test.maxClaims)
		}
		if n := w.backends(); n > mostBackends {
			t.Errorf("the database has %d backends, want %d at most", n, mostBackends)
		}
	}
}

// mostBackends is what the pools of two replicas with one connection for the flushes of each durability
// hold: those and 15 more. However many receivers wait, there are no more connections.
var mostBackends = 2 * (len(service.Durabilities) + 15)

// backends is how many connections the service has to the test's database. One that was used stays for a minute.
func (w *world) backends() (n int) {
	w.t.Helper()
	w.query(func(conn *pgx.Conn) error {
		return conn.QueryRow(w.ctx, `
SELECT count(*)
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&n)
	})
	return n
}

// TestQuietQueueIsNotAskedAgain waits twice for nothing, and then for something.
func TestQuietQueueIsNotAskedAgain(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{})
	other := &world{Service: testservice.On(t, w.url, service.Options{}), t: t, ctx: w.ctx, queue: w.queue}
	<-w.Listening()
	const quietAge = 3 * time.Second // after which it would be asked again
	for n, took := 0, quietAge; took >= quietAge; n++ {
		other.queue = w.create(fmt.Sprint("empty-", n), service.QueueChange{}).Name
		wait := service.ReceiveMessages{Max: 1, Wait: new(time.Second)}
		began := time.Now()
		w.receiveFor(other.queue, wait)
		before := w.store.claims.Load()
		got := w.receiveFor(other.queue, wait)
		claims := w.store.claims.Load() - before
		if took = time.Since(began); len(got) > 0 || claims > 0 && took < quietAge {
			t.Errorf("received %d messages of an empty queue by %d claims, want none by none", len(got), claims)
		}
	}
	other.send("job")
	if got := w.receiveFor(other.queue, service.ReceiveMessages{Max: 1, Wait: new(long)}); len(got) != 1 {
		t.Errorf("received %d messages, want 1", len(got))
	}
}

// TestWaitersWithDifferentTimeouts are handed one flush's messages each with its own timeout.
func TestWaitersWithDifferentTimeouts(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{commits: true, err: service.ErrOutcomeUnknown})
	var waiting []<-chan answer
	for _, visibility := range []time.Duration{time.Minute, time.Hour} {
		waiting = append(waiting, w.waitFor(w.ctx, w.Service,
			service.ReceiveMessages{Max: 2, Wait: new(long), Visibility: &visibility}))
	}
	w.send("a", "b", "c")
	var timeouts []time.Duration
	for _, got := range waiting {
		for _, m := range (<-got).messages {
			timeouts = append(timeouts, m.VisibleAt.Sub(m.SentAt))
		}
	}
	slices.Sort(timeouts)
	if len(timeouts) != 3 || timeouts[0] != time.Minute || timeouts[2] != time.Hour {
		t.Errorf("timeouts %v, want three, of a minute and of an hour", timeouts)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 3})
}
