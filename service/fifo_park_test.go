package service_test

import (
	"testing"
	"time"

	"tusq/service"
)

// TestDeleteHandsTheGroupOn deletes the first message of a group while a receiver waits for the
// next: both are one flush.
func TestDeleteHandsTheGroupOn(t *testing.T) {
	w := setupFaulty(t, "orders.fifo", &faulty{})
	w.send("1", "2", "3")
	first := w.one(w.queue)
	got := w.wait(w.ctx, w.Service, 1)
	before := w.store.flushes.Load()
	if err := w.delete(w.queue, first.Receipt); err != nil {
		t.Fatal(err)
	}
	a := <-got
	a.mustHave(t, 1)
	if flushes := w.store.flushes.Load() - before; a.messages[0].Body != "2" || flushes != 1 {
		t.Errorf("received %q after %d flushes, want 2 after one", a.messages[0].Body, flushes)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 1, Visible: 1})
}

// setupPoison gives a FIFO queue whose messages are received once, and its dead-letter queue.
func setupPoison(t *testing.T) *faultyWorld {
	t.Helper()
	w := setupFaulty(t, "orders.fifo", &faulty{})
	w.create("dead.fifo", service.QueueChange{})
	_, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{
		DeadLetter: &service.DeadLetter{Queue: "dead.fifo", MaxReceives: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestParkedReceiverBuriesDeadLetters is handed a message that was received too often: that
// goes to the dead-letter queue, and the next one to the receiver.
func TestParkedReceiverBuriesDeadLetters(t *testing.T) {
	w := setupPoison(t)
	w.send("poison", "good")
	poison := w.one(w.queue)
	got := w.wait(w.ctx, w.Service, 1)
	if err := w.extend(poison.Receipt, 0); err != nil {
		t.Fatal(err)
	}
	a := <-got
	a.mustHave(t, 1)
	if a.messages[0].Body != "good" {
		t.Errorf("received %q, want the message behind the poison", a.messages[0].Body)
	}
	if dead := w.one("dead.fifo"); dead.Body != "poison" {
		t.Errorf("the dead-letter queue holds %q", dead.Body)
	}
}

// TestPollEndsAlsoWhenItsLastMessageIsBuried lets the time of a receive end while a slow flush
// hands it a message that is only fit for the dead-letter queue.
func TestPollEndsAlsoWhenItsLastMessageIsBuried(t *testing.T) {
	w := setupPoison(t)
	w.send("poison")
	poison := w.one(w.queue)
	const wait = time.Second
	released := make(chan struct{})
	w.store.hold = released
	time.AfterFunc(wait+wait/4, func() { close(released) })
	got := w.waitFor(w.ctx, w.Service, service.ReceiveMessages{Max: 1, Wait: new(wait)})
	if err := w.extend(poison.Receipt, 0); err != nil {
		t.Fatal(err)
	}
	(<-got).mustHave(t, 0)
}
