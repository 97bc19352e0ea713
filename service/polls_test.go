package service_test

import (
	"context"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// TestMostLongPolls has as many receives wait as may. More get what is there, or are
// refused; who does not wait is served, and who leaves makes room.
func TestMostLongPolls(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	w := &world{t: t, ctx: t.Context(), url: url, queue: "orders"}
	w.Service = testservice.On(t, url, service.Options{MaxLongPolls: 2})
	w.other = w.Service
	w.create("orders", service.QueueChange{})
	w.create("idle", service.QueueChange{})
	long := service.ReceiveMessages{Max: 1, Wait: new(20 * time.Second)}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := w.ReceiveMessages(ctx, caller, "idle", long)
			left <- err
		}()
	}
	for w.Waiting() < 2 && len(left) == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 2 {
		_, err := w.ReceiveMessages(w.ctx, caller, "orders", long)
		wantCode(t, err, service.CodeOverloaded)
	}
	if got := w.receive("orders", 1); len(got) != 0 {
		t.Errorf("a short poll got %v", got)
	}
	w.send("job")
	if got := w.receiveFor("orders", long); len(got) != 1 {
		t.Errorf("what is there was not received: %v", got)
	}
	leave()
	<-left
	<-left
	if _, err := w.ReceiveMessages(w.ctx, caller, "orders", service.ReceiveMessages{Max: 1, Wait: new(time.Second)}); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}
