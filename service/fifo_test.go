package service_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// fifoWorld is a world whose queue is a FIFO queue.
func fifoWorld(t *testing.T, change service.QueueChange) *world {
	t.Helper()
	w := setup(t, service.QueueChange{})
	w.queue = "orders.fifo"
	w.create(w.queue, change)
	return w
}

// post sends messages of the form group:body, which is also the deduplication id.
func (w *world) post(messages ...string) []service.Sent {
	w.t.Helper()
	send := service.SendMessages{}
	for _, m := range messages {
		group, body, _ := strings.Cut(m, ":")
		send.Messages = append(send.Messages, service.SendMessage{Body: body, GroupID: group, DeduplicationID: m})
	}
	sent, err := w.SendMessages(w.ctx, caller, w.queue, send)
	if err != nil {
		w.t.Fatalf("send: %v", err)
	}
	for i, s := range sent {
		if s.Err != nil {
			w.t.Fatalf("send %s: %v", messages[i], s.Err)
		}
	}
	return sent
}

// take receives and returns the messages by group:body.
func (w *world) take(max int) map[string]service.Message {
	w.t.Helper()
	got := map[string]service.Message{}
	for _, m := range w.receive(w.queue, max) {
		got[m.GroupID+":"+m.Body] = m
	}
	return got
}

// wantTake receives and checks what comes, in its order.
func (w *world) wantTake(max int, want ...string) []service.Message {
	w.t.Helper()
	messages := w.receive(w.queue, max)
	var got []string
	for _, m := range messages {
		got = append(got, m.GroupID+":"+m.Body)
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("received %v, want %v", got, want)
	}
	return messages
}

func (w *world) mustDelete(messages ...service.Message) {
	w.t.Helper()
	for _, m := range messages {
		if err := w.delete(w.queue, m.Receipt); err != nil {
			w.t.Fatalf("delete %s: %v", m.Body, err)
		}
	}
}

func TestGroupsComeInOrder(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.post("a:1")
	w.post("b:1")
	w.post("a:2", "a:3")
	first := w.wantTake(3, "a:1", "a:2", "a:3")
	w.wantTake(10, "b:1")
	w.wantTake(10)
	w.post("a:4") // must not free its group
	w.wantTake(10)
	w.mustDelete(first[0], first[1])
	w.wantTake(10)
	w.mustDelete(first[2])
	got := w.wantTake(10, "a:4")
	if got[0].Sequence <= first[2].Sequence || first[1].Sequence <= first[0].Sequence {
		t.Errorf("sequences %d, %d, %d", first[0].Sequence, first[2].Sequence, got[0].Sequence)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 2})
}

func TestBatchKeepsTheOrderOfItsGroups(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.post("z:1", "a:1", "z:2", "m:1")
	w.wantTake(10, "z:1", "z:2", "a:1", "m:1")
}

func TestOnlyTheVisiblePrefixIsDelivered(t *testing.T) {
	for _, c := range []struct {
		extended int
		want     []string
	}{{1, []string{"a:1"}}, {2, []string{"a:1", "a:2"}}, {0, nil}} {
		t.Run(fmt.Sprint(c.extended), func(t *testing.T) {
			w := fifoWorld(t, service.QueueChange{})
			w.post("a:1", "a:2", "a:3")
			messages := w.wantTake(10, "a:1", "a:2", "a:3")
			for i, m := range messages {
				if i != c.extended {
					w.extend(m.Receipt, 0)
				}
			}
			w.wantTake(10, c.want...)
		})
	}
}

func TestReceiptsOfAFIFOQueueExpire(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{VisibilityTimeout: new(time.Duration(0))})
	w.post("a:1")
	m := w.wantTake(1, "a:1")[0]
	wantCode(t, w.delete(w.queue, m.Receipt), service.CodeReceiptExpired)
	wantCode(t, w.extend(m.Receipt, time.Minute), service.CodeReceiptExpired)
	again := w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Visibility: new(time.Minute)})
	w.mustDelete(again...)
	w.mustDelete(again...) // repeatable
	w.wantStats(w.queue, service.Stats{})
}

func TestDeduplication(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	first := w.post("a:1", "a:2")
	w.mustDelete(w.wantTake(10, "a:1", "a:2")...)
	again := w.post("a:2", "a:3", "a:1")
	if again[0] != first[1] || again[2] != first[0] {
		t.Errorf("duplicates got %+v, the first %+v", again, first)
	}
	w.wantTake(10, "a:3")
}

func TestDeduplicationInOneCall(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	sent := w.post("a:1", "a:1", "b:1")
	if sent[0] != sent[1] || sent[0] == sent[2] {
		t.Errorf("sent %+v", sent)
	}
	w.wantTake(10, "a:1", "b:1")
}

func TestDeduplicationScopes(t *testing.T) {
	for scope, want := range map[service.DeduplicationScope]int{service.ScopeQueue: 1, service.ScopeGroup: 2} {
		t.Run(string(scope), func(t *testing.T) {
			w := fifoWorld(t, service.QueueChange{DeduplicationScope: &scope, ContentDeduplication: new(true)})
			_, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{
				{Body: "same", GroupID: "a"}, {Body: "same", GroupID: "b"}, {Body: "same", GroupID: "a"},
			}})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.take(10); len(got) != want {
				t.Errorf("received %v, want %d", got, want)
			}
		})
	}
}

func TestDeadLettersUnblockTheirGroup(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{VisibilityTimeout: new(time.Duration(0))})
	w.create("dead.fifo", service.QueueChange{})
	_, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead.fifo", MaxReceives: 1}})
	if err != nil {
		t.Fatal(err)
	}
	sent := w.post("a:1", "a:2")
	w.wantTake(1, "a:1")
	got := w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Visibility: new(time.Minute)})
	if len(got) != 1 || got[0].Body != "2" {
		t.Fatalf("received %+v", got)
	}
	if err := w.extend(got[0].Receipt, 0); err != nil {
		t.Error(err)
	}
	w.wantStats(w.queue, service.Stats{Visible: 1})
	w.wantStats("dead.fifo", service.Stats{Visible: 1})
	dead := w.one("dead.fifo")
	if dead.ID != sent[0].ID || dead.ReceiveCount != 2 || dead.DeduplicationID != dead.ID || dead.DeadLetterSource != w.queue || dead.GroupID != "a" {
		t.Errorf("the dead letter is %+v", dead)
	}
	w.receive(w.queue, 10)
	w.wantStats(w.queue, service.Stats{})
	w.post("a:3")
	w.wantTake(1, "a:3")
}

func TestFIFOReceiversGetWholeGroups(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	const groups, each = 20, 7
	for g := range groups {
		for m := range each {
			w.post(fmt.Sprintf("g%02d:%d", g, m))
		}
	}
	type answer struct {
		messages []service.Message
		err      error
	}
	answers := make(chan answer)
	for range 10 {
		go func() {
			messages, err := w.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 10, Wait: new(time.Duration(0))})
			answers <- answer{messages, err}
		}()
	}
	owner := map[string]int{}
	total := 0
	for receiver := range 10 {
		a := <-answers
		if a.err != nil {
			t.Fatal(a.err)
		}
		next := map[string]int{}
		for _, m := range a.messages {
			if who, ok := owner[m.GroupID]; ok && who != receiver {
				t.Errorf("two receivers have messages of %s", m.GroupID)
			}
			owner[m.GroupID] = receiver
			if m.Body != fmt.Sprint(next[m.GroupID]) {
				t.Errorf("%s: received %s, want %d", m.GroupID, m.Body, next[m.GroupID])
			}
			next[m.GroupID]++
		}
		total += len(a.messages)
	}
	if total < 60 {
		t.Errorf("ten receivers got %d messages", total)
	}
}

func TestPurgedFIFOQueueStartsAnew(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.post("a:1", "b:1")
	w.wantTake(1, "a:1")
	if n, err := w.PurgeQueue(w.ctx, caller, service.PurgeQueue{Name: w.queue}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	w.post("a:1")
	w.wantTake(10, "a:1")
}

func TestReceiveAttempts(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.post("a:1", "a:2", "b:1")
	attempt := service.ReceiveMessages{Max: 2, Wait: new(time.Duration(0)), AttemptID: "try"}
	first := w.receiveFor(w.queue, attempt)
	again := w.receiveFor(w.queue, attempt)
	if len(first) != 2 || len(again) != 2 || first[0].Receipt != again[0].Receipt || first[1].Receipt != again[1].Receipt ||
		!again[0].VisibleAt.After(first[0].VisibleAt) || again[0].ReceiveCount != 1 {
		t.Errorf("first %+v, again %+v", first, again)
	}
	other := w.wantTake(10, "b:1")
	w.mustDelete(other...)
	w.mustDelete(again[0])
	_, err := w.ReceiveMessages(w.ctx, caller, w.queue, attempt)
	wantCode(t, err, service.CodeAttemptVoid)
	w.extend(again[1].Receipt, 0)
	_, err = w.ReceiveMessages(w.ctx, caller, w.queue, attempt)
	wantCode(t, err, service.CodeAttemptVoid)
	attempt.AttemptID = "another"
	if anew := w.receiveFor(w.queue, attempt); len(anew) != 1 || anew[0].Receipt == first[1].Receipt {
		t.Errorf("the next attempt got %+v", anew)
	}
}

// TestReceiveAttemptsOfAVanishedReceiver: what was released is received anew, and so is
// what has become visible again.
func TestReceiveAttemptsOfAVanishedReceiver(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.post("a:1")
	attempt := service.ReceiveMessages{Max: 1, Wait: new(time.Duration(0)), AttemptID: "try", Visibility: new(time.Duration(0))}
	first := w.receiveFor(w.queue, attempt)
	attempt.Visibility = new(time.Minute)
	second := w.receiveFor(w.queue, attempt)
	if len(first) != 1 || len(second) != 1 || first[0].Receipt == second[0].Receipt {
		t.Fatalf("received %+v and, visible again, %+v", first, second)
	}
	if err := w.ReleaseMessages(w.ctx, caller, w.queue, second); err != nil {
		t.Fatal(err)
	}
	if third := w.receiveFor(w.queue, attempt); len(third) != 1 || third[0].Receipt == second[0].Receipt || third[0].ReceiveCount != 2 {
		t.Errorf("after the release: %+v", third)
	}
}

// TestReleaseAfterARepetition has a receive whose receiver has gone released only when the same
// attempt has received its messages once more: they stay with that.
func TestReleaseAfterARepetition(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.post("a:1", "a:2", "a:3", "a:4")
	for _, visibility := range []time.Duration{time.Minute, service.MaxVisibility} {
		attempt := service.ReceiveMessages{Max: 2, Wait: new(time.Duration(0)), AttemptID: visibility.String(), Visibility: &visibility}
		first := w.receiveFor(w.queue, attempt)
		for range 2 {
			again := w.receiveFor(w.queue, attempt)
			if len(first) != 2 || len(again) != 2 || again[0].Receipt != first[0].Receipt {
				t.Fatalf("received %+v, and again %+v", first, again)
			}
			if err := w.ReleaseMessages(w.ctx, caller, w.queue, first); err != nil {
				t.Fatal(err)
			}
			w.wantTake(10)
			first = again
		}
		w.mustDelete(first...)
	}
}

func TestFIFODelayIsTheQueues(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{Delay: new(time.Minute)})
	w.post("a:1")
	w.wantTake(10)
	w.wantStats(w.queue, service.Stats{Delayed: 1})
	update := func(delay time.Duration) {
		if _, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{Delay: &delay}); err != nil {
			t.Fatal(err)
		}
	}
	update(0)
	w.wantStats(w.queue, service.Stats{Visible: 1})
	update(time.Minute)
	w.wantTake(10)
	update(0)
	w.wantTake(10, "a:1")
	sent, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{
		{Body: "x", GroupID: "a", DeduplicationID: "x", Delay: new(time.Second)}}})
	if err == nil {
		err = sent[0].Err
	}
	wantCode(t, err, service.CodeInvalidParameter)
}

func TestWaitingReceiversHearOfFreedGroups(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.post("a:1", "a:2")
	first := w.wantTake(1, "a:1")
	got := w.wait(w.ctx, w.other, 1)
	w.mustDelete(first...)
	(<-got).mustHave(t, 1)
}

// TestPurgeOfABusyFIFOQueue purges while two replicas send, receive and delete: nobody
// meets an error, and no transaction is rolled back for a deadlock.
func TestPurgeOfABusyFIFOQueue(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	var work sync.WaitGroup
	until := time.Now().Add(2 * time.Second)
	for n, replica := range []*service.Service{w.Service, w.other, w.Service, w.other} {
		busy := &world{Service: replica, t: t, ctx: w.ctx, queue: w.queue}
		work.Go(func() {
			for i := 0; time.Now().Before(until); i++ {
				busy.post(fmt.Sprintf("g%d:%d/%d", i%10, n, i), fmt.Sprintf("g%d:%d/%d", (i+n)%10, n, i))
				busy.mustDelete(busy.receive(w.queue, 10)...)
			}
		})
	}
	purges := 0
	for ; purges == 0 || time.Now().Before(until); purges++ {
		if _, err := w.PurgeQueue(w.ctx, caller, service.PurgeQueue{Name: w.queue}); err != nil {
			t.Errorf("purge: %v", err)
		}
	}
	work.Wait()
	if _, err := w.PurgeQueue(w.ctx, caller, service.PurgeQueue{Name: w.queue}); err != nil {
		t.Errorf("purge: %v", err)
	}
	w.wantStats(w.queue, service.Stats{})
	if deadlocks := w.deadlocks(); deadlocks > 0 || purges == 0 {
		t.Errorf("%d deadlocks in %d purges", deadlocks, purges)
	}
}

// deadlocks counts those that PostgreSQL has resolved in the test's database.
func (w *world) deadlocks() (n int) {
	w.t.Helper()
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(w.ctx)
	if err := conn.QueryRow(w.ctx, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
