package service_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// slip stores a message as a transaction does that began long ago.
func (w *world) slip(returned bool, age string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(w.ctx)
	queue, err := w.GetQueue(w.ctx, caller, w.queue)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = conn.Exec(w.ctx, `
INSERT INTO messages (queue_id, id, visible_at, sent_at, body, returned)
VALUES ($1, $2, now() - $3::interval, now() - $3::interval, 'slipped', $4)`, queue.ID, uuid.New(), age, returned)
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestWhatSlipsUnderTheFloorIsFound claims so that there is a floor, and then lets a message
// appear below it, where claims do not look: the sweep, or the event that tells of it, makes the next claim find it.
func TestWhatSlipsUnderTheFloorIsFound(t *testing.T) {
	for name, find := range map[string]func(*world) error{
		"by the sweep": func(w *world) error { return w.Sweep(w.ctx) },
		"by its event": func(w *world) error {
			queue, err := w.GetQueue(w.ctx, caller, w.queue)
			w.Hear(service.Event{QueueID: queue.ID, Visible: 1, Since: time.Now().Add(-time.Minute)})
			return err
		},
		"by a change of the queue": func(w *world) error {
			_, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{Delay: new(time.Second)})
			return err
		},
	} {
		for _, returned := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w := setup(t, service.QueueChange{})
				w.send("a")
				w.one(w.queue)
				w.receive(w.queue, 10)
				queue, err := w.GetQueue(w.ctx, caller, w.queue)
				if err != nil {
					t.Fatal(err)
				}
				if floor, old := w.FloorOf(queue.ID), time.Now().Add(-30*time.Second); floor.Fresh.Before(old) || floor.Returned.Before(old) {
					t.Errorf("the floor is %+v", floor)
				}
				w.slip(returned, "30 seconds")
				if err := find(w); err != nil {
					t.Fatal(err)
				}
				if m := w.one(w.queue); m.Body != "slipped" {
					t.Errorf("received %+v", m)
				}
			})
		}
	}
}

// TestWaitingReceiverGetsWhatSlipped is woken by the sweep.
func TestWaitingReceiverGetsWhatSlipped(t *testing.T) {
	w := setup(t, service.QueueChange{})
	got := w.wait(w.ctx, w.Service, 1)
	w.slip(false, "1 minute")
	if err := w.Sweep(w.ctx); err != nil {
		t.Fatal(err)
	}
	(<-got).mustHave(t, 1)
}

// TestFloorHidesNothingOfABacklog takes a backlog apart in small claims, while messages come back.
func TestFloorHidesNothingOfABacklog(t *testing.T) {
	w := setup(t, service.QueueChange{})
	left := map[string]bool{}
	for range 10 {
		for _, id := range w.send("1", "2", "3", "4", "5", "6", "7", "8", "9", "10") {
			left[id] = true
		}
	}
	for round := 0; len(left) > 0 && round < 1000; round++ {
		for i, m := range w.receive(w.queue, 3) {
			if i == round%3 {
				if err := w.extend(m.Receipt, 0); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := w.delete(w.queue, m.Receipt); err != nil {
				t.Fatal(err)
			}
			delete(left, m.ID)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d messages were never received", len(left))
	}
}
