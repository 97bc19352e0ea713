package bench

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// TestPlotFits in 80 columns, and all latencies are in some bar.
func TestPlotFits(t *testing.T) {
	t.Parallel()
	h := newMeter("m").latency
	for range 10_000 {
		if err := h.RecordValue(1 + int64(rand.ExpFloat64()*1e6)); err != nil {
			t.Fatal(err)
		}
	}
	for _, value := range []int64{1, longest.Microseconds()} {
		if err := h.RecordValue(value); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	plotLatency(&out, "end to end", h)
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if !strings.Contains(out.String(), strings.Repeat("#", barWidth)+" ") {
		t.Errorf("no full bar:\n%s", out.String())
	}
	wantAllInBins(t, h)
}

// wantAllInBins wants each latency to be in one bin, not over its limit.
func wantAllInBins(t *testing.T, h *hdrhistogram.Histogram) {
	t.Helper()
	sum, limit := int64(0), 0.0
	for _, b := range binsOf(h) {
		sum += b.count
		if b.limit <= limit {
			t.Errorf("limit %v after %v", b.limit, limit)
		}
		limit = b.limit
	}
	if sum != h.TotalCount() || limit < float64(h.Max()) {
		t.Errorf("%d latencies up to %v in the bins, want %d up to %d", sum, limit, h.TotalCount(), h.Max())
	}
}

func TestEmptyPlot(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	plotLatency(&out, "send", newMeter("m").latency)
	if out.Len() > 0 {
		t.Errorf("drew %q", out.String())
	}
}
