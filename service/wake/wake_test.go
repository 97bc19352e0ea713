package wake

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const orders, invoices = 1, 2

func woken(w *Waiter) bool {
	select {
	case <-w.C:
		return true
	default:
		return false
	}
}

func count(waiters ...*Waiter) (n int) {
	for _, w := range waiters {
		if woken(w) {
			n++
		}
	}
	return n
}

func TestWakeTakesTheLongestWaitingOfItsQueue(t *testing.T) {
	h := NewHub()
	first, second, other := h.Register(orders), h.Register(orders), h.Register(invoices)
	h.Wake(orders, 1)
	if !woken(first) || woken(second) || woken(other) {
		t.Error("not the first waiter alone was woken")
	}
	h.Wake(orders, 5)
	if count(first, second) != 2 || woken(other) {
		t.Error("not all of the queue's waiters alone were woken")
	}
}

func TestUnusedWakeGoesOn(t *testing.T) {
	h := NewHub()
	first, second := h.Register(orders), h.Register(orders)
	h.Wake(orders, 1)
	first.Close()
	if !woken(second) {
		t.Error("the wake of a waiter that left was lost")
	}
	second.Close()
	if len(h.queues) > 0 {
		t.Error("a queue without waiters is still there")
	}
}

func TestScheduleKeepsTheEarliest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		w := h.Register(orders)
		defer w.Close()
		h.Schedule(orders, time.Minute)
		h.Schedule(orders, time.Second)
		h.Schedule(orders, time.Hour)
		start := time.Now()
		<-w.C
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("woken after %v, want 1s", waited)
		}
	})
}

func TestTimerOfAFormerCrowdWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		h.Register(orders).Close()
		h.Schedule(orders, time.Second) // nobody waits: nothing to do
		gone := h.Register(orders)
		h.Schedule(orders, time.Second)
		gone.Close()
		w := h.Register(orders)
		defer w.Close()
		time.Sleep(time.Minute) // of the test's fake clock
		if woken(w) {
			t.Error("woken by a timer that its queue's last crowd had set")
		}
	})
}

func TestRunChecksEachQueueForOneWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := NewHub()
		first, second, other := h.Register(orders), h.Register(orders), h.Register(invoices)
		ended := make(chan error)
		go func() { ended <- h.Run(ctx, time.Second) }()
		time.Sleep(1500 * time.Millisecond) // of the test's fake clock
		if count(first, second) != 1 || !woken(other) {
			t.Error("the periodic check did not wake one waiter of each queue")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
