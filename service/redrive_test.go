package service_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"tusq/service"
)

// redriveLimit is for a redrive of a few messages.
const redriveLimit = 30 * time.Second

// deadLetters makes a dead-letter queue of the world's queue and sends and exhausts messages.
func (w *world) deadLetters(dead string, messages ...string) {
	w.t.Helper()
	w.create(dead, service.QueueChange{})
	_, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
	if err != nil {
		w.t.Fatal(err)
	}
	if service.IsFIFO(w.queue) {
		w.post(messages...)
	} else {
		w.send(messages...)
	}
	for range 2 {
		w.receiveFor(w.queue, service.ReceiveMessages{Max: 100, Visibility: new(time.Duration(0))})
	}
	w.wantStats(dead, service.Stats{Visible: int64(len(messages))})
}

func (w *world) startRedrive(start service.StartRedrive) service.Redrive {
	w.t.Helper()
	redrive, err := w.StartRedrive(w.ctx, caller, start)
	if err != nil {
		w.t.Fatalf("start a redrive: %v", err)
	}
	return redrive
}

// ended waits until a redrive has ended, watching from the other replica. One that moves the same messages again and again never ends.
func (w *world) ended(id string) service.Redrive {
	w.t.Helper()
	for began := time.Now(); ; {
		redrive, err := w.other.GetRedrive(w.ctx, caller, id)
		if err != nil {
			w.t.Fatalf("get a redrive: %v", err)
		}
		if !redrive.EndedAt.IsZero() {
			return redrive
		}
		if time.Since(began) > redriveLimit {
			_, err := w.CancelRedrive(w.ctx, caller, id)
			w.t.Fatalf("a redrive does not end: %+v; its cancellation: %v", redrive, err)
		}
	}
}

func TestRedriveReturnsMessages(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.deadLetters("dead", "1", "2", "3")
	before := w.receiveFor("dead", service.ReceiveMessages{Max: 1}) // in flight: it stays
	started := w.startRedrive(service.StartRedrive{Source: "dead"})
	if started.Status != service.RedriveRunning || started.ToMove != 2 {
		t.Errorf("started %+v", started)
	}
	_, err := w.StartRedrive(w.ctx, caller, service.StartRedrive{Source: "dead"})
	if err != nil { // the first may have ended already
		wantCode(t, err, service.CodeRedriveRunning)
	}
	done := w.ended(started.ID)
	if done.Status != service.RedriveCompleted || done.Moved != 2 {
		t.Errorf("ended %+v", done)
	}
	w.wantStats("dead", service.Stats{InFlight: 1})
	for _, m := range w.receive(w.queue, 10) {
		if m.ID == before[0].ID || m.ReceiveCount != 1 || m.DeadLetterSource != "" {
			t.Errorf("returned %+v", m)
		}
	}
	_, err = w.CancelRedrive(w.ctx, caller, started.ID)
	wantCode(t, err, service.CodeRedriveEnded)
	if all, err := w.ListRedrives(w.ctx, caller, "dead", 10); err != nil || len(all) == 0 || all[len(all)-1].ID != started.ID {
		t.Errorf("listed %+v, %v", all, err)
	}
}

func TestRedriveOfFIFOGroupsKeepsTheirOrder(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{})
	w.deadLetters("dead.fifo", "b:1", "a:1", "b:2", "a:2")
	w.create("other.fifo", service.QueueChange{})
	done := w.ended(w.startRedrive(service.StartRedrive{Source: "dead.fifo", Destination: "other.fifo"}).ID)
	if done.Status != service.RedriveCompleted || done.Moved != 4 {
		t.Errorf("ended %+v", done)
	}
	w.wantStats("dead.fifo", service.Stats{})
	next := map[string]int{}
	for _, m := range w.receive("other.fifo", 10) {
		next[m.GroupID]++
		if m.Body != fmt.Sprint(next[m.GroupID]) {
			t.Errorf("group %s: received %s, want %d", m.GroupID, m.Body, next[m.GroupID])
		}
	}
	if next["a"] != 2 || next["b"] != 2 {
		t.Errorf("received %v", next)
	}
}

func TestRedriveAtARateCanBeCancelled(t *testing.T) {
	w := setup(t, service.QueueChange{})
	const letters = 30 // it takes half a minute
	w.deadLetters("dead", slices.Repeat([]string{"a"}, letters)...)
	started := w.startRedrive(service.StartRedrive{Source: "dead", Rate: 1})
	cancelled, err := w.other.CancelRedrive(w.ctx, caller, started.ID)
	if err != nil || cancelled.Status != service.RedriveCancelling {
		t.Fatalf("cancelled %+v, %v", cancelled, err)
	}
	if done := w.ended(started.ID); done.Status != service.RedriveCancelled || done.Moved == letters {
		t.Errorf("ended %+v", done)
	}
	w.startRedrive(service.StartRedrive{Source: "dead"})
}

func TestRedriveFails(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.deadLetters("dead", "1")
	_, err := w.StartRedrive(w.ctx, caller, service.StartRedrive{Source: w.queue})
	wantCode(t, err, service.CodeNotDeadLetterQueue)
	_, err = w.StartRedrive(w.ctx, caller, service.StartRedrive{Source: "none"})
	wantCode(t, err, service.CodeQueueNotFound)
	_, err = w.StartRedrive(w.ctx, caller, service.StartRedrive{Source: "dead", Rate: 501})
	wantCode(t, err, service.CodeInvalidParameter)
	_, err = w.GetRedrive(w.ctx, caller, "nonsense")
	wantCode(t, err, service.CodeRedriveNotFound)
	const homeless = 10
	dead := &world{Service: w.Service, t: t, ctx: w.ctx, queue: "dead"}
	dead.send(slices.Repeat([]string{"sent to the dead"}, homeless)...)
	done := w.ended(w.startRedrive(service.StartRedrive{Source: "dead"}).ID)
	if done.Status != service.RedriveFailed || done.Failure != service.FailureNoSource || done.Moved != 1 {
		t.Errorf("ended %+v", done)
	}
	w.create("target", service.QueueChange{})
	started := w.startRedrive(service.StartRedrive{Source: "dead", Destination: "target", Rate: 1})
	if err := w.DeleteQueue(w.ctx, caller, "target"); err != nil {
		t.Fatal(err)
	}
	done = w.ended(started.ID)
	if done.Failure != service.FailureNoDestination {
		t.Errorf("ended %+v", done)
	}
	w.wantStats("dead", service.Stats{Visible: homeless - done.Moved})
}

// TestFlushesOfDeadLettersDoNotDeadlock lets two replicas send to a FIFO queue, exhaust its
// messages and empty its dead-letter queue.
func TestFlushesOfDeadLettersDoNotDeadlock(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{VisibilityTimeout: new(time.Duration(0))})
	w.create("dead.fifo", service.QueueChange{})
	_, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead.fifo", MaxReceives: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, replica := range []*service.Service{w.Service, w.other} { // both know the policy
		if _, err := replica.GetQueue(w.ctx, caller, "dead.fifo"); err != nil {
			t.Fatal(err)
		}
	}
	var work sync.WaitGroup
	until := time.Now().Add(2 * time.Second)
	for n, replica := range []*service.Service{w.Service, w.other} {
		busy := &world{Service: replica, t: t, ctx: w.ctx, queue: w.queue}
		dead := &world{Service: replica, t: t, ctx: w.ctx, queue: "dead.fifo"}
		work.Go(func() {
			for i := 0; time.Now().Before(until); i++ {
				busy.post(fmt.Sprintf("g%d:%d/%d", i%5, n, i), fmt.Sprintf("g%d:%d/%d", (i+n)%5, n, i))
			}
		})
		for range 2 {
			work.Go(func() {
				for time.Now().Before(until) {
					busy.receive(w.queue, 10)
				}
			})
			work.Go(func() {
				for time.Now().Before(until) {
					dead.mustDelete(dead.receive("dead.fifo", 10)...)
				}
			})
		}
	}
	work.Wait()
	if n := w.deadlocks(); n > 0 {
		t.Errorf("%d deadlocks", n)
	}
}
