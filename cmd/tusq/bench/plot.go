package bench

import (
	"fmt"
	"io"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// barWidth is the columns of the longest bar: with its numbers a line has less than 80.
const barWidth = 50

// plot draws how the latencies are distributed: of the messages' ways where they were
// measured, otherwise of each kind of call.
func (r Report) plot(out io.Writer) {
	if r.EndToEnd != nil {
		plotLatency(out, "end to end", r.EndToEnd.latency)
		return
	}
	for _, c := range r.Calls {
		plotLatency(out, c.Name, c.latency)
	}
}

// bin is how many latencies were up to a limit, in microseconds, and over the limit before.
type bin struct {
	limit float64
	count int64
}

// binsOf sorts latencies into bins whose limits double, without empty ones at the ends.
func binsOf(h *hdrhistogram.Histogram) []bin {
	var bins []bin
	limit := 1.0
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		for float64(bar.To) > limit {
			limit *= 2
			if len(bins) > 0 {
				bins = append(bins, bin{limit: limit})
			}
		}
		if len(bins) == 0 {
			bins = append(bins, bin{limit: limit})
		}
		bins[len(bins)-1].count += bar.Count
	}
	return bins
}

func plotLatency(out io.Writer, name string, h *hdrhistogram.Histogram) {
	bins, most := binsOf(h), int64(1)
	for _, b := range bins {
		most = max(most, b.count)
	}
	if len(bins) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s: latency up to, ms\n", name)
	for _, b := range bins {
		width := int((b.count*barWidth + most - 1) / most) // one column at least, if there are any
		fmt.Fprintf(out, "%10.3f |%-*s %5.1f %%\n", b.limit/1000, barWidth, strings.Repeat("#", width),
			100*float64(b.count)/float64(h.TotalCount()))
	}
}
