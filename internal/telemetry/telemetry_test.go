package telemetry

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := New()
	m.InFlight.WithLabelValues("rest").Inc()
	m.Observe(&Request{Dialect: "rest", Action: "sendMessages"}, 201, 3*time.Millisecond)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`tusq_http_requests_total{action="sendMessages",dialect="rest",status="2xx"} 1`,
		`tusq_http_request_duration_seconds_bucket{action="sendMessages",dialect="rest",le="0.005"} 1`,
		`tusq_http_request_duration_seconds_bucket{action="sendMessages",dialect="rest",le="0.0025"} 0`,
		`tusq_http_requests_in_flight{dialect="rest"} 1`, "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(answer.Body.String(), line) {
			t.Errorf("the metrics have not %q", line)
		}
	}
}

func TestDatabaseMetrics(t *testing.T) {
	t.Parallel()
	m := New()
	known := false
	m.ShowDatabase(func() (Database, bool) {
		return Database{map[string]bool{"fsync_off": true, "in_recovery": false}, 90 * time.Second, 7}, known
	})
	for range 2 {
		answer := httptest.NewRecorder()
		m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
		for _, line := range []string{
			`tusq_database_unfit{fact="fsync_off"} 1`, `tusq_database_unfit{fact="in_recovery"} 0`,
			"tusq_database_oldest_transaction_seconds 90", "tusq_messages_dead_rows 7",
		} {
			if strings.Contains(answer.Body.String(), line) != known {
				t.Errorf("the metrics have %q: %v, want %v", line, !known, known)
			}
		}
		known = true
	}
}

func TestConflictMetrics(t *testing.T) {
	t.Parallel()
	m := New()
	m.ShowConflicts(func() int64 { return 3 }, func() int64 { return 5 })
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{"\ntusq_deadlocks_total 3\n", "\ntusq_serialization_failures_total 5\n"} {
		if !strings.Contains(answer.Body.String(), line) {
			t.Errorf("the metrics lack %q", line)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	request := &Request{ID: "id"}
	ctx := WithRequest(context.Background(), request)
	first := errors.New("first")
	SetAction(ctx, "act")
	SetQueue(ctx, strings.Repeat("é", 60))
	SetError(ctx, first)
	SetError(ctx, errors.New("second"))
	if RequestID(ctx) != "id" || request.Action != "act" || request.Err != first {
		t.Errorf("got %+v", request)
	}
	if len(request.Queue) > maxQueueLogged || !utf8.ValidString(request.Queue) {
		t.Errorf("the queue is logged as %q", request.Queue)
	}
	if RequestID(context.Background()) != "" {
		t.Error("there is a request outside of requests")
	}
}
