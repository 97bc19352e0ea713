package bench

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestPacer: calls are due at equal distances, and a call that comes late counts from when
// it was due, so that a stall shows in all calls that it delayed.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		p := newPacer(&Options{Rate: 100, Batch: 10})
		for i := range 5 {
			if due, ok := p.next(t.Context()); !ok || due.Sub(begin) != time.Duration(i)*100*time.Millisecond || time.Now() != due {
				t.Errorf("call %d is due %v after the begin, ok %v", i, due.Sub(begin), ok)
			}
		}
		time.Sleep(350 * time.Millisecond)
		for i := range 4 {
			due, _ := p.next(t.Context())
			if late, want := time.Since(due), max(0, 250*time.Millisecond-time.Duration(i)*100*time.Millisecond); late != want {
				t.Errorf("call %d comes %v late, want %v", i, late, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, ok := p.next(ctx); ok {
			t.Error("a call after the end")
		}
	})
}

// TestNoPacer: a closed loop does not wait.
func TestNoPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if due, ok := newPacer(&Options{Batch: 1}).next(t.Context()); !ok || due != begin {
			t.Errorf("due %v, ok %v", due.Sub(begin), ok)
		}
	})
}

// TestWoken: a timer's usual delay is not the server's; a longer one hides nothing.
func TestWoken(t *testing.T) {
	t.Parallel()
	due := time.Now()
	for late, want := range map[time.Duration]time.Duration{0: 0, timerSlack: timerSlack, timerSlack + 1: 0, time.Hour: 0} {
		if got := woken(due, due.Add(late)).Sub(due); got != want {
			t.Errorf("%v late: began %v after it was due, want %v", late, got, want)
		}
	}
}
