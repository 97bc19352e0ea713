package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tusq/client"
)

// meter counts the calls of one kind while it is open.
type meter struct {
	name    string
	goal    int64         // messages after which reached is closed; 0: never
	reached chan struct{} // closed once

	mu        sync.Mutex
	measuring bool
	messages  int64
	errors    map[string]int64
	latency   *hdrhistogram.Histogram // of calls that succeeded, in microseconds
}

func newMeter(name string) *meter {
	const longest = 2 * time.Minute
	return &meter{
		name:    name,
		reached: make(chan struct{}),
		errors:  map[string]int64{},
		latency: hdrhistogram.New(1, longest.Microseconds(), 3),
	}
}

func (m *meter) open() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.measuring = true
}

func (m *meter) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.measuring = false
}

// count returns the messages measured so far.
func (m *meter) count() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.messages
}

// record counts a call on so many messages that ends now, with the errors that it met:
// one for all, or one for each failed message; nil is none. It returns how many
// messages succeeded. Calls that ctx ended do not count.
func (m *meter) record(ctx context.Context, began time.Time, messages int, errs ...error) int {
	took := time.Since(began)
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	succeeded := max(0, messages-len(errs))
	if len(errs) == 1 && !isItemError(errs[0]) {
		succeeded = 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.measuring || ctx.Err() != nil {
		return succeeded
	}
	for _, err := range errs {
		m.errors[errorKind(err)]++
	}
	if succeeded > 0 {
		_ = m.latency.RecordValue(min(took.Microseconds(), m.latency.HighestTrackableValue()))
	}
	before := m.messages
	m.messages += int64(succeeded)
	if before < m.goal && m.messages >= m.goal {
		close(m.reached)
	}
	return succeeded
}

// isItemError tells whether err is of one item of a call.
func isItemError(err error) bool {
	var refusal *client.Error
	return errors.As(err, &refusal) && refusal.Status == 0
}

// errorKind names a kind of error: the server's code, a status, or "no answer".
func errorKind(err error) string {
	var refusal *client.Error
	switch {
	case !errors.As(err, &refusal):
		return "no answer"
	case refusal.Code != "":
		return refusal.Code
	}
	return fmt.Sprintf("status %d", refusal.Status)
}

// benchReport is what a benchmark measured.
type benchReport struct {
	Workload    string      `json:"workload"`
	Connections int         `json:"connections"`
	Batch       int         `json:"batch"`
	Size        int         `json:"size"`
	Seconds     float64     `json:"seconds"`
	Calls       []benchCall `json:"calls"`
}

// benchCall is what was measured of one kind of call. Latencies are in milliseconds, of
// calls, not of messages.
type benchCall struct {
	Name      string           `json:"name"`
	Messages  int64            `json:"messages"`
	PerSecond float64          `json:"messages_per_second"`
	P50       float64          `json:"p50_ms"`
	P90       float64          `json:"p90_ms"`
	P99       float64          `json:"p99_ms"`
	P999      float64          `json:"p99_9_ms"`
	Max       float64          `json:"max_ms"`
	Errors    map[string]int64 `json:"errors"`
}

func newBenchReport(cmd *BenchCmd, load *benchLoad, seconds float64) benchReport {
	report := benchReport{
		Workload: cmd.Workload, Connections: cmd.Connections, Batch: cmd.Batch, Size: cmd.Size, Seconds: seconds,
	}
	for _, m := range load.meters() {
		at := func(percentile float64) float64 { return float64(m.latency.ValueAtPercentile(percentile)) / 1000 }
		report.Calls = append(report.Calls, benchCall{
			Name: m.name, Messages: m.messages, PerSecond: float64(m.messages) / seconds,
			P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(m.latency.Max()) / 1000,
			Errors: m.errors,
		})
	}
	return report
}

// idle tells that some kind of call never succeeded.
func (r benchReport) idle() bool {
	return slices.ContainsFunc(r.Calls, func(c benchCall) bool { return c.Messages == 0 })
}

// print writes the report for people.
func (r benchReport) print(out io.Writer) error {
	fmt.Fprintf(out, "workload %s, %d connections, batches of %d, bodies of %d bytes, measured for %.1f s\n\n",
		r.Workload, r.Connections, r.Batch, r.Size, r.Seconds)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tmessages\tmessages/s\tp50 ms\tp90 ms\tp99 ms\tp99.9 ms\tmax ms\terrors\t")
	for _, c := range r.Calls {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%s\t\n",
			c.Name, c.Messages, c.PerSecond, c.P50, c.P90, c.P99, c.P999, c.Max, errorsText(c.Errors))
	}
	return table.Flush()
}

// errorsText lists counts of errors, or says 0.
func errorsText(errors map[string]int64) string {
	var text []string
	for _, kind := range slices.Sorted(maps.Keys(errors)) {
		text = append(text, fmt.Sprintf("%d %s", errors[kind], kind))
	}
	if len(text) == 0 {
		return "0"
	}
	return strings.Join(text, ", ")
}
