package bench

import (
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	t.Parallel()
	o := options(t, Latency)
	mark, at := newMark(), 123456789*time.Nanosecond
	body := newOutbox(&o, mark, 0, 1).next(at)[0].body
	if got, ok := readStamp(body, mark); !ok || got != at || len(body) != o.Size {
		t.Errorf("%q has %v, %v", body, got, ok)
	}
	if _, ok := readStamp(body, "00000000"+mark); ok {
		t.Error("took another run's message")
	}
	if _, ok := readStamp(body[:stampSize-1], mark); ok {
		t.Error("took a short message")
	}
}

// TestGroupsTakeTurns: with new deduplication ids.
func TestGroupsTakeTurns(t *testing.T) {
	t.Parallel()
	o := options(t, Send)
	o.FIFO = true
	groups, ids := map[string]int{}, map[string]bool{}
	for producer := range 3 {
		box := newOutbox(&o, "mark", producer, 4)
		for range 3 {
			for _, m := range box.next(0) {
				groups[string(m.group)]++
				ids[string(m.dedup)] = true
			}
		}
	}
	if len(groups) != o.Groups || groups["g0"] != 12 || groups["g1"] != 12 || len(ids) != 36 {
		t.Errorf("groups %v, %d ids", groups, len(ids))
	}
}
