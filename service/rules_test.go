package service_test

import (
	"testing"
	"time"

	"tusq/service"
)

func TestTooManyInFlight(t *testing.T) {
	w := setup(t, service.QueueChange{})
	for range 150 {
		w.send("x")
	}
	limited := service.ReceiveMessages{Max: 10, Wait: new(time.Duration(0)), MaxInFlight: 100}
	got := 0
	for {
		messages, err := w.ReceiveMessages(w.ctx, caller, w.queue, limited)
		if err != nil {
			wantCode(t, err, service.CodeTooManyInFlight)
			break
		}
		got += len(messages)
		if got > 150 {
			break
		}
	}
	if got < 100 || got > 140 {
		t.Errorf("received %d messages under a limit of 100", got)
	}
	limited.Wait = new(time.Second)
	if messages, err := w.ReceiveMessages(w.ctx, caller, w.queue, limited); err != nil || len(messages) != 0 {
		t.Errorf("a receive that waits got %d messages, %v", len(messages), err)
	}
	if got := w.receive(w.queue, 10); len(got) != 10 {
		t.Errorf("a receive without limit got %d messages", len(got))
	}
}

func TestNamesArePausedAfterADeletion(t *testing.T) {
	w := setup(t, service.QueueChange{})
	if err := w.DeleteQueue(w.ctx, caller, w.queue); err != nil {
		t.Fatal(err)
	}
	create := service.CreateQueue{Name: w.queue, ReuseAfter: time.Minute}
	_, _, err := w.CreateQueue(w.ctx, caller, create)
	wantCode(t, err, service.CodeQueueDeletedRecently)
	_, err = w.GetQueue(w.ctx, caller, w.queue)
	wantCode(t, err, service.CodeQueueNotFound)
	create.ReuseAfter = time.Microsecond
	if _, created, err := w.CreateQueue(w.ctx, caller, create); !created || err != nil {
		t.Errorf("created %v, %v", created, err)
	}
	create.ReuseAfter = time.Minute
	if _, created, err := w.CreateQueue(w.ctx, caller, create); created || err != nil {
		t.Errorf("a queue that exists: created %v, %v", created, err)
	}
}

func TestPurgesArePaused(t *testing.T) {
	w := setup(t, service.QueueChange{})
	purge := service.PurgeQueue{Name: w.queue, Every: time.Minute}
	if _, err := w.PurgeQueue(w.ctx, caller, purge); err != nil {
		t.Fatal(err)
	}
	w.send("kept")
	_, err := w.PurgeQueue(w.ctx, caller, purge)
	wantCode(t, err, service.CodePurgeInProgress)
	w.wantStats(w.queue, service.Stats{Visible: 1})
	if n, err := w.PurgeQueue(w.ctx, caller, service.PurgeQueue{Name: w.queue}); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
}
