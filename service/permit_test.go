package service_test

import (
	"testing"
	"time"

	"tusq/service"
	"tusq/test/testservice"
)

// reader is the owner of an account that receives from another's queue.
var reader = service.Owner("111111111111").On(testservice.Account)

// readers permits the account that a queue's tag names to receive from it.
func readers(q service.Queue) []service.Permit {
	return []service.Permit{{Accounts: []string{q.Tags["reader"]}, Actions: []service.Action{service.ActionReceiveMessages}}}
}

// permit permits the reader to receive.
func (w *world) permit(reader string) {
	w.t.Helper()
	if _, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{Tags: map[string]string{"reader": reader}}); err != nil {
		w.t.Error(err)
	}
}

// TestWaitEndsWithPermission: who may not receive any longer gets nothing that is sent afterwards.
func TestWaitEndsWithPermission(t *testing.T) {
	for _, queue := range []string{"orders", "orders.fifo"} {
		for _, replica := range []string{"this", "another"} {
			t.Run(queue+", "+replica, func(t *testing.T) {
				t.Parallel()
				w := setupFaulty(t, queue, &faulty{})
				waits := w.Service
				if replica == "another" {
					waits = testservice.On(t, w.url, service.Options{Permits: readers})
					<-waits.Listening()
				}
				w.permit(reader.Home())
				got := w.waitAs(w.ctx, waits, reader, service.ReceiveMessages{Max: 1, Wait: new(long)})
				ended := time.Now()
				w.permit("nobody")
				if replica == "this" {
					w.send("secret")
				}
				w.wantRefused(got, ended)
			})
		}
	}
}

// TestPermissionEndsBeforeHandoff ends it when what is handed over is already stored for the receiver.
func TestPermissionEndsBeforeHandoff(t *testing.T) {
	for _, queue := range []string{"orders", "orders.fifo"} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			w := setupFaulty(t, queue, &faulty{})
			w.permit(reader.Home())
			got := w.waitAs(w.ctx, w.Service, reader, service.ReceiveMessages{Max: 1, Wait: new(long)})
			w.store.handed = func() { w.permit("nobody") }
			ended := time.Now()
			w.send("secret")
			w.wantRefused(got, ended)
			next := w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Wait: new(long)})
			if len(next) != 1 || next[0].ReceiveCount != 1 {
				t.Errorf("the owner received %+v", next)
			}
		})
	}
}

// TestUnknownPermissionIsNoRefusal: whether another account's queue is shared cannot be known while the database is away.
func TestUnknownPermissionIsNoRefusal(t *testing.T) {
	store := &faulty{}
	w := setupFaulty(t, "orders", store)
	w.permit(reader.Home()) // and the queue's settings are forgotten
	store.unread = service.Errorf(service.CodeUnavailable, "injected")
	_, err := w.ReceiveMessages(w.ctx, reader, w.queue, service.ReceiveMessages{Max: 1, Wait: new(time.Duration(0))})
	wantCode(t, err, service.CodeUnavailable)
	store.unread = nil
	if _, err := w.ReceiveMessages(w.ctx, reader, w.queue, service.ReceiveMessages{Max: 1, Wait: new(time.Duration(0))}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// wantRefused checks that a waiting receive has ended, soon, as one of a queue that does not exist.
func (w *world) wantRefused(got <-chan answer, ended time.Time) {
	w.t.Helper()
	a := <-got
	wantCode(w.t, a.err, service.CodeQueueNotFound)
	if took := time.Since(ended); len(a.messages) > 0 || took > 10*time.Second {
		w.t.Errorf("it got %v, %v after the permission ended", a.messages, took)
	}
}
