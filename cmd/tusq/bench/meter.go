package bench

import (
	"context"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the longest latency that is told apart.
const longest = 2 * time.Minute

// meter counts the calls of one kind while it is open.
type meter struct {
	name    string
	goal    int64         // messages after which reached is closed; 0: never
	reached chan struct{} // closed once

	mu        sync.Mutex
	measuring bool
	messages  int64
	errors    map[string]int64
	latency   *hdrhistogram.Histogram // of what succeeded, in microseconds
}

func newMeter(name string) *meter {
	return &meter{
		name:    name,
		reached: make(chan struct{}),
		errors:  map[string]int64{},
		latency: hdrhistogram.New(1, longest.Microseconds(), 3),
	}
}

// measure begins or ends the counting.
func (m *meter) measure(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.measuring = on
}

// count returns the messages measured so far.
func (m *meter) count() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.messages
}

// record counts a call that began at the given time and ends now. What ctx ended does
// not count.
func (m *meter) record(ctx context.Context, began time.Time, o outcome) {
	took := time.Since(began)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.measuring || ctx.Err() != nil {
		return
	}
	for _, kind := range o.failures {
		m.errors[kind]++
	}
	if o.succeeded == 0 {
		return
	}
	_ = m.latency.RecordValue(min(took.Microseconds(), m.latency.HighestTrackableValue()))
	before := m.messages
	m.messages += int64(o.succeeded)
	if before < m.goal && m.messages >= m.goal {
		close(m.reached)
	}
}
