package service

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestOutage: callers wait while an outage is young, and not once it lasts, until it is over.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outage
		away := fmt.Errorf("flush: %w", ErrAway)
		ending := make(chan struct{})
		waits := func(err error) bool { return o.wait(t.Context(), ending, err) }
		began := time.Now()
		for waits(away) {
		}
		if lasted := time.Since(began); lasted < outagePatience || lasted > outagePatience+outagePause {
			t.Errorf("callers waited for %v", lasted)
		}
		for range 3 {
			time.Sleep(outageForget - time.Second)
			if waits(away) {
				t.Error("a caller waits in an outage that lasts")
			}
		}
		if waits(nil) || !waits(away) {
			t.Error("the next outage is taken for the old one")
		}
		time.Sleep(outageForget + time.Second) // nobody called
		if !waits(away) {
			t.Error("an outage after a long silence is taken for the one before")
		}
		if waits(errors.New("disk full")) {
			t.Error("a caller waits for what is no outage")
		}
		close(ending)
		if waits(away) {
			t.Error("a caller waits in a process that ends")
		}
	})
}

// TestReadsDoNotEndAnOutage of flushes, which then last as long as an outage is young, every time.
func TestReadsDoNotEndAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{draining: make(chan struct{})}
		read := func() error { return s.outlast(t.Context(), func() error { return nil }) }
		away := fmt.Errorf("flush: %w", ErrAway)
		for s.outage.wait(t.Context(), s.draining, away) {
		}
		if err := read(); err != nil {
			t.Error(err)
		}
		if s.outage.wait(t.Context(), s.draining, away) {
			t.Error("a flush waits in an outage that lasts, because something could be read")
		}
	})
}
