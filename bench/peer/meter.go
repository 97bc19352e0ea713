package peer

import (
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"tusq/bench/report"
)

// meter counts the calls of one kind.
type meter struct {
	name string

	mu       sync.Mutex
	messages int64
	errors   map[string]int64
	times    *hdrhistogram.Histogram // of calls that succeeded, in microseconds
}

func newMeter(name string) *meter {
	const longest = 2 * time.Minute
	return &meter{name: name, errors: map[string]int64{}, times: hdrhistogram.New(1, longest.Microseconds(), 3)}
}

func (m *meter) record(took time.Duration, messages int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.errors[err.Error()]++
		return
	}
	m.messages += int64(messages)
	_ = m.times.RecordValue(min(max(took.Microseconds(), 1), m.times.HighestTrackableValue()))
}

func (m *meter) distribution() report.Latency {
	at := func(percentile float64) float64 { return float64(m.times.ValueAtPercentile(percentile)) / 1000 }
	return report.Latency{Messages: m.messages, P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(m.times.Max()) / 1000}
}

func (m *meter) calls(seconds float64) report.Calls {
	return report.Calls{Name: m.name, MessagesPerSecond: float64(m.messages) / seconds, Latency: m.distribution(), Errors: m.errors}
}

// report is what the run measured. A run without a message is an error.
func (l *load) report(seconds float64) (json.RawMessage, error) {
	r := report.Report{Workload: l.workload.Kind, Target: l.system.Series().Name, Connections: l.workload.Connections,
		Batch: l.workload.Batch, Size: report.Size, Seconds: seconds, Calls: []report.Calls{l.sends.calls(seconds)}}
	if l.workload.Backlog {
		r.Backlog = l.opts.Backlog
	}
	if l.workload.Kind != "send" {
		if _, ok := l.system.(Settler); ok {
			l.settles.messages = l.settled
		}
		r.Calls = append(r.Calls, l.receives.calls(seconds), l.settles.calls(seconds))
	}
	if l.workload.Kind == "latency" {
		times := l.latency.distribution()
		r.EndToEnd = &times
	}
	if r.Calls[len(r.Calls)-1].Messages == 0 {
		return nil, errors.Join(errors.New("no message went through"), firstError(l.sends, l.receives, l.settles))
	}
	return json.Marshal(r)
}

func firstError(meters ...*meter) error {
	for _, m := range meters {
		for text := range m.errors {
			return errors.New(m.name + ": " + text)
		}
	}
	return nil
}
