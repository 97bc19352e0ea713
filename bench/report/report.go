// Package report holds what the benchmark measured, makes tables of it, and puts them into the documentation.
package report

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"time"
)

// Report is what one run of one workload measured: the shape of `tusq bench --json`. The load on other systems is
// reported in the same shape.
type Report struct {
	Workload    string   `json:"workload"`
	Target      string   `json:"target"`
	Connections int      `json:"connections"`
	Batch       int      `json:"batch"`
	Size        int      `json:"size"`
	Backlog     int64    `json:"backlog"`
	Seconds     float64  `json:"seconds"`
	Calls       []Calls  `json:"calls"`
	EndToEnd    *Latency `json:"end_to_end"`
	Server      *Server  `json:"server"`
}

// Calls are the calls of one kind: send, receive, delete or noop.
type Calls struct {
	Name              string  `json:"name"`
	MessagesPerSecond float64 `json:"messages_per_second"`
	Latency
	Errors map[string]int64 `json:"errors"`
}

// Latency is a distribution of times in milliseconds.
type Latency struct {
	Messages int64   `json:"messages"`
	P50      float64 `json:"p50_ms"`
	P90      float64 `json:"p90_ms"`
	P99      float64 `json:"p99_ms"`
	P999     float64 `json:"p99_9_ms"`
	Max      float64 `json:"max_ms"`
}

// Server is what the server's processes and its database spent. A member is missing where it is not known.
type Server struct {
	CPUPerMessage      map[string]float64 `json:"cpu_us_per_message"`
	ClientPerMessage   *float64           `json:"client_cpu_us_per_message"`
	PeakRSS            map[string]int64   `json:"peak_rss_bytes"`
	FsyncsPerSecond    *float64           `json:"fsyncs_per_second"`
	WALBytesPerMessage *float64           `json:"wal_bytes_per_message"`
}

// Run is one run: its place in the plan and what came of it.
type Run struct {
	Round    int    `json:"round"`
	Series   string `json:"series"`
	Workload string `json:"workload"`
	// Raw is the load generator's own report, with members that this program does not read.
	Raw   json.RawMessage `json:"report,omitempty"`
	Error string          `json:"error,omitempty"`

	Report *Report `json:"-"`
}

// Set is everything one invocation measured.
type Set struct {
	Date    time.Time `json:"date"`
	Command string    `json:"command"`
	Commit  string    `json:"commit"`
	Machine Machine   `json:"machine"`
	Rounds  int       `json:"rounds"`
	Seconds float64   `json:"seconds"` // measured in each run
	Backlog int64     `json:"backlog"` // messages waiting in W5 and F5
	Series  []Series  `json:"series"`
	Runs    []Run     `json:"runs"`
}

// Machine is where it was measured. It names no host.
type Machine struct {
	Cores      int    `json:"cores"`
	Memory     string `json:"memory"`
	Kernel     string `json:"kernel"`
	PostgreSQL string `json:"postgresql"`
}

// Series is one system, over one protocol.
type Series struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Send and Settle say what is on disk when a send, and when an acknowledgement of a received message, returns.
	Send   string `json:"send,omitempty"`
	Settle string `json:"settle,omitempty"`
}

// Write writes the set with all raw reports as JSON.
func (s *Set) Write(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", " ")
	return encoder.Encode(s)
}

// Add records a run. The raw report is parsed; one that cannot be is a failed run.
func (s *Set) Add(run Run) *Run {
	if run.Error == "" {
		run.Report = &Report{}
		if err := json.Unmarshal(run.Raw, run.Report); err != nil {
			run.Error, run.Report, run.Raw = "the report cannot be read: "+err.Error(), nil, nil
		}
	}
	s.Runs = append(s.Runs, run)
	return &s.Runs[len(s.Runs)-1]
}

// Rate is in messages per second: that of the slower end of a message's life. Where messages wait already, a queue can
// deliver them faster than it takes new ones, or the other way round. False when nothing was called.
func (r *Report) Rate() (float64, bool) {
	if len(r.Calls) == 0 {
		return 0, false
	}
	return min(r.Calls[0].MessagesPerSecond, r.Calls[len(r.Calls)-1].MessagesPerSecond), true
}

// failures counts the failed calls of a run.
func (r *Report) failures() (n int64) {
	for _, calls := range r.Calls {
		for _, count := range calls.Errors {
			n += count
		}
	}
	return n
}

// of returns the successful reports of one series and workload, one a round.
func (s *Set) of(series, workload string) (reports []*Report) {
	for _, run := range s.Runs {
		if run.Series == series && run.Workload == workload && run.Report != nil {
			reports = append(reports, run.Report)
		}
	}
	return reports
}

// tried tells whether a series was asked to run a workload.
func (s *Set) tried(series, workload string) bool {
	return slices.ContainsFunc(s.Runs, func(run Run) bool { return run.Series == series && run.Workload == workload })
}

// value is a median over the rounds. Unknown when no round gave one.
type value struct {
	median float64
	known  bool
}

// median takes the middle of what get finds in the rounds of a series and workload.
func (s *Set) median(series, workload string, get func(*Report) (float64, bool)) value {
	var found []float64
	for _, r := range s.of(series, workload) {
		if v, ok := get(r); ok {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		return value{}
	}
	slices.SortFunc(found, cmp.Compare)
	middle := len(found) / 2
	if len(found)%2 == 0 {
		return value{(found[middle-1] + found[middle]) / 2, true}
	}
	return value{found[middle], true}
}

func (s *Set) rate(series, workload string) value {
	return s.median(series, workload, (*Report).Rate)
}

func p50(r *Report) (float64, bool) {
	if r.EndToEnd == nil {
		return 0, false
	}
	return r.EndToEnd.P50, true
}

func p99(r *Report) (float64, bool) {
	if r.EndToEnd == nil {
		return 0, false
	}
	return r.EndToEnd.P99, true
}

// over is the ratio of two values.
func (v value) over(limit value) value {
	if !v.known || !limit.known || limit.median == 0 {
		return value{}
	}
	return value{v.median / limit.median, true}
}
