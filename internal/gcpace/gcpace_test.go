package gcpace

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for _, test := range []struct{ live, room, want uint64 }{
		{0, 64 << 20, most}, {1 << 20, 64 << 20, most}, {16 << 20, 64 << 20, 400}, {64 << 20, 64 << 20, 100}, {1 << 30, 64 << 20, least},
	} {
		if got := percent(test.live, test.room); uint64(got) != test.want {
			t.Errorf("percent(%d, %d) = %d, want %d", test.live, test.room, got, test.want)
		}
	}
}

// TestShareFollowsTheHeap collects with little and with much in use.
func TestShareFollowsTheHeap(t *testing.T) {
	if os.Getenv("GOGC") != "" {
		t.Setenv("GOGC", "")
	}
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	Start(1 << 20)
	if waitFor(func(p int) bool { return p != 100 }); share() == 100 {
		t.Fatal("the share was not set after a collection")
	}
	held := make([]byte, 256<<20)
	if waitFor(func(p int) bool { return p == least }); share() != least {
		t.Errorf("with much in use the share is %d, want %d", share(), least)
	}
	runtime.KeepAlive(held)
}

// waitFor collects until the share is right, or for twenty seconds.
func waitFor(right func(int) bool) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !right(share()); {
		runtime.GC()
		time.Sleep(time.Millisecond) // cleanups run in a goroutine of their own
	}
}

// share is the present share.
func share() int {
	p := debug.SetGCPercent(100)
	debug.SetGCPercent(p)
	return p
}
