package peer

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tusq/bench/report"
)

// slot is a queue in memory whose calls take a millisecond each.
type slot struct {
	bodies  chan string
	refuses bool
}

func (*slot) Series() report.Series                            { return report.Series{Name: "slot"} }
func (*slot) Start(context.Context, string) error              { return nil }
func (*slot) Stop()                                            {}
func (*slot) Close()                                           {}
func (s *slot) Connect(context.Context, Kind) (Session, error) { return s, nil }

func (s *slot) Send(_ context.Context, bodies []string) error {
	time.Sleep(time.Millisecond)
	if s.refuses {
		return errors.New("refused")
	}
	for _, body := range bodies {
		s.bodies <- body
	}
	return nil
}

func (s *slot) Receive(ctx context.Context, limit int) ([]Delivery, error) {
	time.Sleep(time.Millisecond)
	return take(ctx, s.bodies, limit, func(body string) Delivery { return Delivery{Body: body} })
}

func (s *slot) Settle(context.Context, []Delivery) error {
	time.Sleep(time.Millisecond)
	return nil
}

// load1 runs a workload for a second after a second of warm-up.
func load1(t *testing.T, s *slot, w report.Workload, backlog int64) (r report.Report, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.bodies = make(chan string, 100_000)
		var raw json.RawMessage
		raw, err = Run(t.Context(), s, w, Options{WarmUp: time.Second, Duration: time.Second, Backlog: backlog})
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
	})
	return r, err
}

func workload(t *testing.T, key string) report.Workload {
	t.Helper()
	i := slices.IndexFunc(report.Workloads, func(w report.Workload) bool { return w.Key == key })
	if i < 0 {
		t.Fatalf("there is no workload %s", key)
	}
	return report.Workloads[i]
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got < want*0.95 || got > want*1.05 {
		t.Errorf("%s: %g, want about %g", what, got, want)
	}
}

func TestSends(t *testing.T) {
	t.Parallel()
	r, err := load1(t, &slot{}, report.Workload{Kind: "send", Connections: 4, Batch: 10}, 0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "messages per second", r.Calls[0].MessagesPerSecond, 40_000)
	near(t, "a call's milliseconds", r.Calls[0].P50, 1)
}

func TestLifeCycleIsBounded(t *testing.T) {
	t.Parallel()
	s := &slot{}
	r, err := load1(t, s, workload(t, "W2"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Calls) != 3 || r.Calls[2].Name != "delete" {
		t.Fatalf("calls: %+v", r.Calls)
	}
	near(t, "deletes per second: a receive and a delete take 2 ms", r.Calls[2].MessagesPerSecond, 16_000)
	near(t, "sends per second: no more than are deleted", r.Calls[0].MessagesPerSecond, 16_000)
	if n := len(s.bodies); n > 3*64 {
		t.Errorf("%d messages wait", n)
	}
}

func TestBacklog(t *testing.T) {
	t.Parallel()
	s := &slot{}
	r, err := load1(t, s, workload(t, "W5"), 50_001)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.bodies); n < 50_001-400 || n > 50_001+400 || r.Backlog != 50_001 {
		t.Errorf("%d messages wait, %d were reported", n, r.Backlog)
	}
}

func TestLatencyIsFromTheDueTime(t *testing.T) {
	t.Parallel()
	r, err := load1(t, &slot{}, workload(t, "W4"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.EndToEnd == nil {
		t.Fatal("no latency")
	}
	near(t, "messages", float64(r.EndToEnd.Messages), 100)
	near(t, "milliseconds to the waiter", r.EndToEnd.P50, 1)
	// Twenty times the rate that one connection can do: those that were due wait for those before them.
	r, err = load1(t, &slot{}, report.Workload{Kind: "latency", Connections: 2, Batch: 1, Rate: 20_000}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.EndToEnd.P50 < 900 {
		t.Errorf("an overloaded queue answers in %g ms", r.EndToEnd.P50)
	}
}

func TestNothingWentThrough(t *testing.T) {
	t.Parallel()
	_, err := load1(t, &slot{refuses: true}, workload(t, "W1"), 0)
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a system that refuses everything: %v", err)
	}
}
