package wake

import (
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

func TestQuietUntilSomethingHappens(t *testing.T) {
	for name, happen := range map[string]func(*Hub){
		"an event":          func(h *Hub) { h.Wake(orders, 1) },
		"the queue's end":   func(h *Hub) { h.WakeQueue(orders) },
		"an outage":         func(h *Hub) { h.WakeAll() },
		"its timer":         func(h *Hub) { h.Schedule(orders, time.Second); time.Sleep(time.Second); synctest.Wait() },
		"nothing, too long": func(*Hub) { time.Sleep(quietAge) },
	} {
		synctest.Test(t, func(t *testing.T) {
			h := NewHub()
			w := h.Register(orders)
			mark, quiet, _ := w.Look()
			if quiet {
				t.Errorf("%s: quiet before anybody looked", name)
			}
			w.FoundNothing(mark, true)
			h.Schedule(orders, time.Minute)
			w.Close()
			w = h.Register(orders)
			if _, quiet, planned := w.Look(); !quiet || !planned {
				t.Errorf("%s: after a look that found nothing: quiet %v, planned %v", name, quiet, planned)
			}
			happen(h)
			if _, quiet, _ := w.Look(); quiet {
				t.Errorf("quiet after %s", name)
			}
			w.FoundNothing(mark, true)
			if _, quiet, _ := w.Look(); quiet && name != "nothing, too long" {
				t.Errorf("quiet by a look that began before %s", name)
			}
			w.Close()
			h.Schedule(orders, 0)
			synctest.Wait()
		})
	}
}

func TestCheckRenewsAndForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		w := h.Register(orders)
		mark, _, _ := w.Look()
		w.FoundNothing(mark, true)
		time.Sleep(quietAge - 1)
		for id, mark := range h.Waiting() {
			h.Checked(id, mark)
		}
		time.Sleep(time.Second)
		if _, quiet, _ := w.Look(); !quiet {
			t.Error("not quiet although a check has found nothing")
		}
		h.Schedule(orders, time.Hour)
		w.Close()
		time.Sleep(idleAge + 1)
		if waiting := h.Waiting(); len(waiting) > 0 || len(h.queues) > 0 {
			t.Errorf("a queue whose waiters left long ago is still there: %v", waiting)
		}
	})
}

func TestWaitingAreThoseThatHaveWaiters(t *testing.T) {
	h := NewHub()
	first, second := h.Register(orders), h.Register(invoices)
	second.Close()
	if _, waits := h.Waiting()[orders]; !waits || len(h.Waiting()) != 1 {
		t.Errorf("waiting %v, want the first queue alone", h.Waiting())
	}
	first.Close()
}
