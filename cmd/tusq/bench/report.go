package bench

import (
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a benchmark measured.
type Report struct {
	Workload    string  `json:"workload"`
	Target      string  `json:"target"`
	Connections int     `json:"connections"`
	Batch       int     `json:"batch"`
	Size        int     `json:"size"`
	Queues      int     `json:"queues"`
	FIFO        bool    `json:"fifo"`
	Groups      int     `json:"groups"` // 0: no FIFO queue
	Rate        float64 `json:"rate"`   // 0: closed loop
	Backlog     int64   `json:"backlog"`
	Seconds     float64 `json:"seconds"`
	Calls       []Call  `json:"calls"`
	EndToEnd    *Ways   `json:"end_to_end"` // of the workload latency only
	Server      Server  `json:"server"`
}

// Call is what was measured of one kind of call. Latencies are of calls, not of messages.
type Call struct {
	Name      string  `json:"name"`
	Messages  int64   `json:"messages"` // of poll: polls that ended
	PerSecond float64 `json:"messages_per_second"`
	Latencies
	Errors map[string]int64 `json:"errors"`

	latency *hdrhistogram.Histogram
}

// Ways is how long messages took from their senders to their receivers.
type Ways struct {
	Messages int64 `json:"messages"`
	Latencies

	latency *hdrhistogram.Histogram
}

// Latencies are in milliseconds.
type Latencies struct {
	P50  float64 `json:"p50_ms"`
	P90  float64 `json:"p90_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Max  float64 `json:"max_ms"`
}

func newLatencies(h *hdrhistogram.Histogram) Latencies {
	at := func(percentile float64) float64 { return float64(h.ValueAtPercentile(percentile)) / 1000 }
	return Latencies{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000}
}

// Server is what the server and its database spent while it was measured; nil: not known.
// CPU and memory are by the processes' command names. A message is one that reached the
// workload's last call.
type Server struct {
	CPUSeconds         map[string]float64 `json:"cpu_seconds"`
	CPUPerMessage      map[string]float64 `json:"cpu_us_per_message"` // microseconds
	ClientCPUSeconds   *float64           `json:"client_cpu_seconds"`
	ClientCPUPer       *float64           `json:"client_cpu_us_per_message"` // microseconds
	PeakRSS            map[string]int64   `json:"peak_rss_bytes"`
	FsyncsPerSecond    *float64           `json:"fsyncs_per_second"`
	WALPerMessage      *float64           `json:"wal_bytes_per_message"`
	TransactionsSecond *float64           `json:"transactions_per_second"`
}

// report says what was measured.
func (l *load) report(seconds float64, server Server) Report {
	r := Report{
		Workload: l.Workload, Target: l.target(), Connections: l.Connections, Batch: l.Batch, Size: l.Size,
		Queues: l.Queues, FIFO: l.FIFO, Groups: l.Groups, Rate: l.Rate, Backlog: l.Backlog, Seconds: seconds,
		Server: server,
	}
	for _, m := range l.meters() {
		r.Calls = append(r.Calls, Call{
			Name: m.name, Messages: m.messages, PerSecond: float64(m.messages) / seconds,
			Latencies: newLatencies(m.latency), Errors: m.errors, latency: m.latency,
		})
	}
	if l.Workload == Latency {
		r.EndToEnd = &Ways{Messages: l.ways.messages, Latencies: newLatencies(l.ways.latency), latency: l.ways.latency}
	}
	return r
}

// idle tells that nothing reached the last call, or that some kind of call only failed.
// Polls may well last longer than the measurement.
func (r Report) idle() bool {
	last := r.Calls[len(r.Calls)-1]
	return r.Workload != Idle && (last.Messages == 0 || slices.ContainsFunc(r.Calls, func(c Call) bool {
		return c.Messages == 0 && len(c.Errors) > 0
	}))
}
