package bench

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tusq/client"
	"tusq/test/testserver"
)

func TestWorkloads(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, set func(*Options)) {
		for name, change := range map[string]func(*Options){
			"send":              func(o *Options) { o.Workload = Send },
			"send batches":      func(o *Options) { o.Workload, o.Batch = Send, 10 },
			"life cycle":        func(*Options) {},
			"batches":           func(o *Options) { o.Batch = 10 },
			"backlog":           func(o *Options) { o.Backlog = 25 },
			"few queues":        func(o *Options) { o.Queues = 2 },
			"many queues":       func(o *Options) { o.Queues = 7 },
			"FIFO":              func(o *Options) { o.FIFO = true },
			"FIFO batches":      func(o *Options) { o.FIFO, o.Batch, o.Queues = true, 5, 2 },
			"open loop":         func(o *Options) { o.Rate = 200 },
			"end to end":        func(o *Options) { o.Workload, o.Rate = Latency, 200 },
			"end to end, waits": func(o *Options) { o.Workload, o.Batch, o.Connections = Latency, 3, 2 },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				o := options(t, Lifecycle)
				set(&o)
				change(&o)
				o.Messages *= int64(o.Batch)
				report := mustRun(t, o)
				if last := report.Calls[len(report.Calls)-1]; last.Messages < o.Messages {
					t.Errorf("%d messages, want %d", last.Messages, o.Messages)
				}
				if o.Workload == Latency && (report.EndToEnd.Messages == 0 || report.EndToEnd.P50 <= 0 || report.EndToEnd.Max > 60_000) {
					t.Errorf("end to end: %+v", report.EndToEnd)
				}
			})
		}
	})
}

// TestBacklogWaits: of what was sent first, the measurement leaves as much in the queue.
func TestBacklogWaits(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, set func(*Options)) {
		c, server := newQueue(t, "q")
		o := options(t, Lifecycle)
		set(&o)
		if o.SQS != "" {
			o.SQS = server
		} else {
			o.URL = server
		}
		o.Queue, o.Backlog, o.Size = "q", 60, 100_000 // of which some batches take two
		mustRun(t, o)
		stats, err := c.QueueStats(t.Context(), "q")
		if err != nil || stats.Total < o.Backlog-int64(o.Connections) || stats.Total > o.Backlog+2*int64(o.Connections) {
			t.Errorf("%+v, %v", stats, err)
		}
	})
}

// newQueue returns a server with a queue.
func newQueue(t *testing.T, name string) (*client.Client, string) {
	t.Helper()
	server := testserver.New(t)
	c, err := client.New(server)
	if err == nil {
		_, _, err = c.CreateQueue(t.Context(), client.CreateQueue{Name: name})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, server
}

// TestIdle: polls that are still waiting at the end are none that failed.
func TestIdle(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, set func(*Options)) {
		o := options(t, Idle)
		o.Connections, o.Queues, o.Messages = 9, 3, 0
		set(&o)
		if report := mustRun(t, o); report.Calls[0].Name != "poll" || report.Calls[0].Messages != 0 {
			t.Errorf("%+v", report.Calls)
		}
	})
}

// TestNoop: the requests of the workload send go to the URL as it is.
func TestNoop(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/no/op" || !strings.Contains(string(body), `"body":"`) {
			t.Errorf("%s %s: %s, %v", r.Method, r.URL, body, err)
		}
		calls.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	o := options(t, Noop)
	o.URL = server.URL + "/no/op"
	if report := mustRun(t, o); report.Calls[0].Name != "noop" || report.Calls[0].Messages > calls.Load() {
		t.Errorf("%d calls, reported %+v", calls.Load(), report.Calls)
	}
}

// TestReceiveURL: receives and deletes go there, and nothing else.
func TestReceiveURL(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, set func(*Options)) {
		o := options(t, Latency)
		set(&o)
		first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			action := r.URL.Path + r.Header.Get("X-Amz-Target")
			if !strings.HasSuffix(action, "/receive") && !strings.HasSuffix(action, "ReceiveMessage") {
				t.Errorf("%s %s", r.Method, action)
			}
			w.WriteHeader(http.StatusTeapot)
		}))
		t.Cleanup(first.Close)
		o.ReceiveURL, o.Messages, o.Duration = first.URL, 0, 3*time.Second
		report, err := Run(t.Context(), o)
		if !errors.Is(err, ErrIdle) || report.Calls[0].Messages == 0 || report.Calls[1].Errors["status 418"] == 0 {
			t.Errorf("%+v, %v", report.Calls, err)
		}
	})
}

// TestErrorsAreCounted by kind, each message of a batch for itself.
func TestErrorsAreCounted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, answer string
		status       int
		batch        int
		want         map[string]bool // kinds
		messages     bool            // whether some succeeded
	}{
		{"refused", `{"code":"overloaded","message":"say \"code\":\"no\""}`, 503, 1, map[string]bool{"overloaded": true}, false},
		{"status", `<html>`, 502, 1, map[string]bool{"status 502": true}, false},
		{"items", `{"results":[{"id":"1"},{"error":{"code":"a"}},{"error":{"code":"b"}}]}`, 200, 3, map[string]bool{"a": true, "b": true}, true},
		{"other service", `hello`, 200, 1, map[string]bool{"wrong answer": true}, false},
		{"too few", `{"results":[{"id":"1"}]}`, 200, 3, map[string]bool{"wrong answer": true}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/messages") {
					_, _ = io.WriteString(w, `{"name":"q"}`)
					return
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.answer)
			}))
			t.Cleanup(server.Close)
			o := options(t, Send)
			o.URL, o.Batch, o.Messages, o.Duration = server.URL, test.batch, 0, 3*time.Second
			report, err := Run(t.Context(), o)
			call := report.Calls[0]
			if errors.Is(err, ErrIdle) == test.messages || call.Messages > 0 != test.messages || len(call.Errors) != len(test.want) {
				t.Errorf("%+v, %v", call, err)
			}
			for kind := range test.want {
				if call.Errors[kind] == 0 {
					t.Errorf("no %q among %v", kind, call.Errors)
				}
			}
		})
	}
}

// TestOneCallPerConnection: each worker keeps its connection, and waits for its answer.
func TestOneCallPerConnection(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	open, most, connections := 0, 0, map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		change := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			open += by
			most = max(most, open)
			connections[r.RemoteAddr] = true
		}
		change(1)
		defer change(-1)
		time.Sleep(time.Millisecond) // a call that did not wait would come now
	}))
	t.Cleanup(server.Close)
	o := options(t, Noop)
	o.URL, o.Connections, o.Messages = server.URL, 3, 100
	mustRun(t, o)
	mu.Lock()
	defer mu.Unlock()
	if most != o.Connections || len(connections) != o.Connections {
		t.Errorf("%d calls at once, connections %v", most, connections)
	}
}
