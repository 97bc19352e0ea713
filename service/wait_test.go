package service_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

const long = 20 * time.Second // a wait that no test is to sit out

// answer is what a receive in the background ends with.
type answer struct {
	messages []service.Message
	err      error
	took     time.Duration
}

// wait receives in the background from a replica, and returns once it sleeps (or has
// ended already). The result tells of its end.
func (w *world) wait(ctx context.Context, replica *service.Service, max int) <-chan answer {
	return w.waitFor(ctx, replica, service.ReceiveMessages{Max: max, Wait: new(long)})
}

// waitFor is wait for a receive of any kind.
func (w *world) waitFor(ctx context.Context, replica *service.Service, receive service.ReceiveMessages) <-chan answer {
	return w.waitAs(ctx, replica, caller, receive)
}

// waitAs is waitFor for any caller.
func (w *world) waitAs(ctx context.Context, replica *service.Service, caller service.Caller, receive service.ReceiveMessages) <-chan answer {
	done := make(chan answer, 1)
	start := time.Now()
	before := replica.Waiting()
	go func() {
		messages, err := replica.ReceiveMessages(ctx, caller, w.queue, receive)
		done <- answer{messages, err, time.Since(start)}
	}()
	for replica.Waiting() == before && len(done) == 0 {
		runtime.Gosched()
	}
	return done
}

func (a answer) mustHave(t *testing.T, n int) {
	t.Helper()
	if a.err != nil || len(a.messages) != n || a.took > 10*time.Second {
		t.Errorf("the waiting receive got %d messages and %v after %v, want %d soon", len(a.messages), a.err, a.took, n)
	}
}

func TestWaitingReceiveIsWokenBySends(t *testing.T) {
	w := setup(t, service.QueueChange{})
	for name, replica := range map[string]*service.Service{"of its own replica": w.Service, "of another replica": w.other} {
		got := w.wait(w.ctx, replica, 10)
		w.send("job " + name)
		(<-got).mustHave(t, 1)
	}
}

func TestWaitingReceiveIsWokenByVisibilityZero(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.send("job")
	m := w.one(w.queue)
	got := w.wait(w.ctx, w.other, 1)
	if err := w.extend(m.Receipt, 0); err != nil {
		t.Fatal(err)
	}
	(<-got).mustHave(t, 1)
}

func TestWaitingReceiveEndsWithItsQueue(t *testing.T) {
	w := setup(t, service.QueueChange{})
	got := w.wait(w.ctx, w.other, 1)
	if err := w.DeleteQueue(w.ctx, caller, w.queue); err != nil {
		t.Fatal(err)
	}
	w.create(w.queue, service.QueueChange{})
	w.send("for the new queue")
	wantCode(t, (<-got).err, service.CodeQueueNotFound)
	w.one(w.queue)
}

func TestManyWaitersShareTheMessages(t *testing.T) {
	w := setup(t, service.QueueChange{})
	const waiters = 50
	var waiting []<-chan answer
	for i := range waiters {
		replica := w.Service
		if i%2 == 1 {
			replica = w.other
		}
		waiting = append(waiting, w.wait(w.ctx, replica, 1))
	}
	bodies := make([]string, waiters)
	for i := range bodies {
		bodies[i] = fmt.Sprint(i)
	}
	w.send(bodies...)
	seen := map[string]bool{}
	for _, got := range waiting {
		a := <-got
		a.mustHave(t, 1)
		for _, m := range a.messages {
			if seen[m.Body] {
				t.Errorf("message %s was received twice", m.Body)
			}
			seen[m.Body] = true
		}
	}
}

func TestReceiverThatLeavesReleasesItsMessages(t *testing.T) {
	w := setup(t, service.QueueChange{})
	for range 20 { // the moments of leaving and of claiming meet differently each time
		ctx, leave := context.WithCancel(w.ctx)
		got := w.wait(ctx, w.Service, 1)
		w.send("job")
		leave()
		a := <-got
		if a.err != nil && !errors.Is(a.err, context.Canceled) {
			t.Fatal(a.err)
		}
		for _, m := range a.messages { // it was answered before it left
			if err := w.ReleaseMessages(w.ctx, caller, w.queue, []service.Message{m}); err != nil {
				t.Fatal(err)
			}
		}
		next := w.receiveFor(w.queue, service.ReceiveMessages{Max: 10, Wait: new(long)})
		if len(next) != 1 || next[0].ReceiveCount != 1 {
			t.Fatalf("after its receiver left, the next got %+v", next)
		}
		if err := w.delete(w.queue, next[0].Receipt); err != nil {
			t.Fatal(err)
		}
	}
	w.wantStats(w.queue, service.Stats{})
}

// TestReceiverThatLeavesPassesItsWakeOn has two waiters and one message: whoever of
// them leaves, the other gets it.
func TestReceiverThatLeavesPassesItsWakeOn(t *testing.T) {
	w := setup(t, service.QueueChange{})
	for range 20 {
		ctx, leave := context.WithCancel(w.ctx)
		first := w.wait(ctx, w.Service, 1)
		second := w.wait(w.ctx, w.Service, 1)
		w.send("job")
		leave()
		if a := <-first; a.err == nil { // it was answered before it left
			if err := w.ReleaseMessages(w.ctx, caller, w.queue, a.messages); err != nil {
				t.Fatal(err)
			}
		}
		a := <-second
		a.mustHave(t, 1)
		if err := w.delete(w.queue, a.messages[0].Receipt); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPeriodicCheckMakesUpForLostHints makes a message visible behind the service's back.
func TestPeriodicCheckMakesUpForLostHints(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	w := &world{t: t, ctx: t.Context(), queue: "orders"}
	w.Service = testservice.On(t, url, service.Options{CheckInterval: 100 * time.Millisecond})
	w.other = w.Service
	w.create(w.queue, service.QueueChange{Delay: new(time.Minute)})
	w.send("job")
	got := w.wait(w.ctx, w.Service, 1)
	conn, err := pgx.Connect(w.ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(w.ctx)
	if _, err := conn.Exec(w.ctx, `UPDATE messages SET visible_at = now()`); err != nil {
		t.Fatal(err)
	}
	(<-got).mustHave(t, 1)
}

// TestQueueMadeAnewByAnotherReplica is used at once, although this one knew the old one.
func TestQueueMadeAnewByAnotherReplica(t *testing.T) {
	w := setup(t, service.QueueChange{})
	for n := range 20 {
		w.send("for the old queue")
		if err := w.other.DeleteQueue(w.ctx, caller, w.queue); err != nil {
			t.Fatal(err)
		}
		maker := []*service.Service{w.Service, w.other}[n%2]
		if _, _, err := maker.CreateQueue(w.ctx, caller, service.CreateQueue{Name: w.queue}); err != nil {
			t.Fatal(err)
		}
		w.send("for the new queue")
		if m := w.one(w.queue); m.Body != "for the new queue" {
			t.Fatalf("received %q", m.Body)
		} else if err := w.delete(w.queue, m.Receipt); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReleaseUndoesTheReceive(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.send("job")
	m := w.one(w.queue)
	if err := w.ReleaseMessages(w.ctx, caller, w.queue, []service.Message{m, {Receipt: "garbage"}}); err != nil {
		t.Fatal(err)
	}
	w.wantStats(w.queue, service.Stats{Visible: 1})
	wantCode(t, w.delete(w.queue, m.Receipt), service.CodeReceiptStale)
	if again := w.one(w.queue); again.ReceiveCount != 1 {
		t.Errorf("receive count %d, want 1", again.ReceiveCount)
	}
}

func TestDrainEndsReceivesAtOnceAndClaimsNoMore(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	draining, staying := testservice.On(t, url, service.Options{}), testservice.On(t, url, service.Options{})
	w := &world{Service: staying, other: staying, t: t, ctx: t.Context(), queue: "orders"}
	w.create(w.queue, service.QueueChange{})
	open := w.wait(t.Context(), draining, 1)
	draining.Drain()
	(<-open).mustHave(t, 0)
	w.send("job")
	(<-w.wait(t.Context(), draining, 1)).mustHave(t, 0)
	if err := draining.Ready(t.Context()); service.ErrorCode(err) != service.CodeUnavailable {
		t.Errorf("a draining replica is ready: %v", err)
	}
	if _, err := draining.SendMessages(t.Context(), caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "still served"}}}); err != nil {
		t.Errorf("send while draining: %v", err)
	}
	w.wantStats(w.queue, service.Stats{Visible: 2})
}

// TestGivenUpCallsAreAnswered while they wait for what they need to know of their queue, or for their flush, which may
// still be committed.
func TestGivenUpCallsAreAnswered(t *testing.T) {
	t.Run("queue", func(t *testing.T) { givenUpCallIsAnswered(t, "queues", false) })
	t.Run("flush", func(t *testing.T) { givenUpCallIsAnswered(t, "messages", true) })
}

func givenUpCallIsAnswered(t *testing.T, locked string, known bool) {
	w := setup(t, service.QueueChange{})
	leaving := testservice.On(t, w.url, service.Options{CheckInterval: time.Hour})
	meet(t, leaving)
	send := func() error {
		_, err := leaving.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "job"}}})
		return err
	}
	want := 0
	if known {
		want = 2
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(w.ctx))
	if _, err := conn.Exec(w.ctx, `BEGIN; LOCK TABLE `+locked); err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- send() }()
	for waiting := false; !waiting; {
		if err := conn.QueryRow(w.ctx, `
SELECT EXISTS (
	SELECT FROM pg_locks
	WHERE NOT granted AND relation = $1::text::regclass
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`, locked).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	leaving.GiveUp()
	select {
	case err := <-answered:
		if service.ErrorCode(err) != service.CodeUnavailable {
			t.Errorf("the send ended with %v", err)
		}
	case <-time.After(8 * time.Second): // less than a flush waits
		t.Error("the send waits on")
	}
	if _, err := conn.Exec(w.ctx, `COMMIT`); err != nil {
		t.Fatal(err)
	}
	for got := 0; got < want; got++ {
		if messages := w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Wait: new(10 * time.Second)}); len(messages) != 1 {
			t.Fatalf("received %d messages, want %d", got, want)
		}
	}
	w.wantStats(w.queue, service.Stats{InFlight: int64(want)})
}

// TestConcurrentReceiversNeverShareAMessage drives two replicas hard: every message is
// delivered once, and the counts are exact at the end.
func TestConcurrentReceiversNeverShareAMessage(t *testing.T) {
	w := setup(t, service.QueueChange{})
	const senders, each = 8, 250
	var mu sync.Mutex
	seen := map[string]int{}
	var producers, consumers sync.WaitGroup
	for s := range senders {
		producers.Go(func() {
			for i := range each {
				if _, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: fmt.Sprint(s, "/", i)}}}); err != nil {
					t.Errorf("send: %v", err)
					return
				}
			}
		})
	}
	var all atomic.Bool // are sent
	for c := range senders {
		replica := []*service.Service{w.Service, w.other}[c%2]
		consumers.Go(func() {
			for {
				last := all.Load()
				messages, err := replica.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 10, Wait: new(2 * time.Second)})
				if err != nil {
					t.Errorf("receive: %v", err)
					return
				}
				if len(messages) == 0 {
					if last {
						return
					}
					continue
				}
				receipts := make([]string, len(messages))
				mu.Lock()
				for i, m := range messages {
					seen[m.Body]++
					receipts[i] = m.Receipt
				}
				mu.Unlock()
				if _, err := replica.DeleteMessages(w.ctx, caller, w.queue, receipts); err != nil {
					t.Errorf("delete: %v", err)
				}
			}
		})
	}
	producers.Wait()
	all.Store(true)
	consumers.Wait()
	if len(seen) != senders*each {
		t.Errorf("received %d different messages, want %d", len(seen), senders*each)
	}
	for body, times := range seen {
		if times != 1 {
			t.Errorf("message %s was received %d times", body, times)
		}
	}
	w.wantStats(w.queue, service.Stats{})
}

// TestGreetingIsAnswered starts a replica beside another: the second knows at once that it is
// not alone, and the first that it is not any more. One that nobody answers is alone soon.
func TestGreetingIsAnswered(t *testing.T) {
	w := setup(t, service.QueueChange{})
	eventually := func(what string, is func() bool) {
		t.Helper()
		for end, tick := time.Now().Add(long), time.Tick(10*time.Millisecond); !is(); <-tick {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	<-w.Listening()
	w.ForgetOthers()
	second := testservice.On(t, w.url, service.Options{})
	<-second.Listening()
	eventually("the first replica did not hear the second", func() bool { return !w.IsAlone() })
	eventually("the second replica did not hear the first", func() bool { return time.Since(second.LastHeard()) < time.Second })
	alone := testservice.New(t)
	<-alone.Listening()
	eventually("a replica that nobody answered was not alone", alone.IsAlone)
}

// TestReplicaThatIsAloneNotifiesNobody until it hears of another one.
func TestReplicaThatIsAloneNotifiesNobody(t *testing.T) {
	w := setup(t, service.QueueChange{})
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(w.ctx)
	if _, err := conn.Exec(w.ctx, "LISTEN tusq"); err != nil {
		t.Fatal(err)
	}
	notified := func(within time.Duration) (events bool) { // besides of replicas that say that they are there
		ctx, cancel := context.WithTimeout(w.ctx, within)
		defer cancel()
		for !events {
			n, err := conn.WaitForNotification(ctx)
			if err != nil {
				return false
			}
			events = strings.Contains(n.Payload, " ")
		}
		return true
	}
	for notified(time.Second) { // of the queue that was created
	}
	w.ForgetOthers()
	w.send("job")
	if notified(200*time.Millisecond) && w.IsAlone() { // still
		t.Error("notified although it is alone")
	}
	third := testservice.On(t, w.url, service.Options{})
	<-third.Listening()
	for end := time.Now().Add(long); !notified(50 * time.Millisecond); w.send("job") {
		if time.Now().After(end) {
			t.Fatal("not notified although there is another replica")
		}
	}
}
