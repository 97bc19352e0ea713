package service

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestFlushesOverlapWhereCommitsAreSlow(t *testing.T) {
	synctest.Test(t, testPace)
}

func testPace(t *testing.T) {
	var p pace
	begun := 0 // flushes that began beside a commit
	feed := func(execution, commit time.Duration) bool {
		begun = 0
		for range 1000 {
			timing := p.begin(func() { begun++ })
			time.Sleep(execution) // of the test's fake clock
			if executed := timing.onExecuted(); executed != nil {
				executed()
			}
			time.Sleep(commit)
			timing.end()
		}
		return begun > 500
	}
	if feed(time.Millisecond, 300*time.Microsecond) {
		t.Error("flushes overlap on a fast disk")
	}
	if !feed(time.Millisecond, 5*time.Millisecond) {
		t.Error("flushes do not overlap on a slow disk")
	}
	if feed(time.Millisecond, 300*time.Microsecond) {
		t.Error("flushes overlap for ever")
	}
}
