package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tusq/client"
	"tusq/cmd/tusq/bench"
	"tusq/test/testserver"
)

func TestBench(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	for _, args := range [][]string{
		{"--workload", "send", "--messages", "50", "--connections", "2"},
		{"--workload", "lifecycle", "--messages", "200", "--connections", "4", "--batch", "10"},
		{"--workload", "lifecycle", "--messages", "50", "--connections", "4", "--sqs", server},
		{"--duration", "300ms", "--connections", "2", "--size", "3000"},
	} {
		out := mustRun(t, server, nil, append([]string{"bench", "--json", "--warm-up", "100ms"}, args...)...)
		var report bench.Report
		if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
			t.Fatal(err)
		}
		for _, call := range report.Calls {
			if call.Messages == 0 || call.P50 <= 0 || call.Max < call.P999 || len(call.Errors) > 0 {
				t.Errorf("%v: %+v", args, call)
			}
		}
		if last := report.Calls[len(report.Calls)-1]; strings.Contains(args[2], "messages") && last.Messages < 50 {
			t.Errorf("%v: only %d messages", args, last.Messages)
		}
	}
	if out := mustRun(t, server, nil, "queue", "list", "--json"); out.stdout != "" {
		t.Errorf("left behind: %s", out.stdout)
	}
}

// TestBenchWithAKey measures a server with authentication, in both dialects.
func TestBenchWithAKey(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // else it repeats what is refused
	defer cancel()
	server := testserver.NewSecure(t)
	for _, dialect := range [][]string{nil, {"--sqs", server.URL, "--access-key", server.Admin.KeyID}} {
		args := append([]string{"bench", "--json", "--warm-up", "0s", "--messages", "50", "--connections", "4", "--batch", "5"}, dialect...)
		out, err := runAs(ctx, server.URL, server.Token(), nil, args...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out.stderr)
		}
		var report bench.Report
		if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
			t.Fatal(err)
		}
		for _, call := range report.Calls {
			if call.Messages == 0 || len(call.Errors) > 0 {
				t.Errorf("%v: %+v", dialect, call)
			}
		}
	}
	if out, err := run(ctx, server.URL, nil, "bench", "--messages", "1"); client.ErrorCode(err) != "unauthenticated" {
		t.Errorf("without a token: %v\n%s", err, out.stdout)
	}
}

// TestBenchOnAQueueThatExists: it is kept. The report is for people.
func TestBenchOnAQueueThatExists(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	mustRun(t, server, nil, "queue", "create", "mine")
	out := mustRun(t, server, nil, "bench", "--queue", "mine", "--messages", "10", "--connections", "2",
		"--server-pid", strconv.Itoa(os.Getpid()))
	for _, want := range []string{"p99.9 ms", "receive", "us/message", "this client", "send: latency up to, ms", "###"} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("no %q in the report:\n%s", want, out.stdout)
		}
	}
	mustRun(t, server, nil, "queue", "delete", "mine")
}

// TestBenchInterrupted: what was measured until then is reported, and the queue deleted.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute)
	defer interrupt()
	var deletes atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	watched := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && deletes.Add(1) == 20 {
			interrupt()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(watched.Close)
	out, err := run(ctx, watched.URL, nil, "bench", "--duration", "1h", "--warm-up", "0s", "--connections", "4", "--json")
	var report bench.Report
	if err != nil || json.Unmarshal([]byte(out.stdout), &report) != nil || report.Calls[2].Messages == 0 || deletes.Load() < 20 {
		t.Errorf("got %+v, %v", out, err)
	}
	if out := mustRun(t, server, nil, "queue", "list", "--json"); out.stdout != "" {
		t.Errorf("left behind: %s", out.stdout)
	}
}

// TestBenchJSON: the members that other programs read are all there, also without a value.
func TestBenchJSON(t *testing.T) {
	t.Parallel()
	out := mustRun(t, testserver.New(t), nil, "bench", "--json", "--workload", "send", "--messages", "1", "--warm-up", "0s")
	var report map[string]any
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
		t.Fatal(err)
	}
	wantMembers(t, report, "workload target connections batch size queues fifo groups rate backlog seconds calls end_to_end server")
	wantMembers(t, report["server"].(map[string]any), "cpu_seconds cpu_us_per_message client_cpu_seconds client_cpu_us_per_message "+
		"peak_rss_bytes fsyncs_per_second wal_bytes_per_message transactions_per_second")
	wantMembers(t, report["calls"].([]any)[0].(map[string]any), "name messages messages_per_second p50_ms p90_ms p99_ms p99_9_ms max_ms errors")
}

// wantMembers wants an object to have these members and no others.
func wantMembers(t *testing.T, object map[string]any, names string) {
	t.Helper()
	for name := range strings.FieldsSeq(names) {
		if _, ok := object[name]; !ok {
			t.Errorf("there is no %s", name)
		}
	}
	if want := len(strings.Fields(names)); len(object) != want {
		t.Errorf("%d members, want %d: %v", len(object), want, object)
	}
}

func TestBenchFlags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"--connections 1", "--connections"},
		{"--connections 0 --workload send", "--connections"},
		{"--batch 1001", "--batch: 1 to 1000"},
		{"--batch 11 --sqs http://127.0.0.1:1", "--batch: 1 to 10"},
		{"--size 0", "--size: 1"},
		{"--size 27 --workload latency", "--size: 28"},
		{"--duration 0s", "--duration"},
		{"--messages -1", "--messages"},
		{"--warm-up -1s", "--warm-up"},
		{"--rate -1", "--rate"},
		{"--rate 5 --workload idle", "--rate"},
		{"--messages 5 --workload idle", "--messages"},
		{"--backlog 5 --workload send", "--backlog"},
		{"--backlog -5", "--backlog"},
		{"--queues 0", "--queues"},
		{"--groups 0 --fifo", "--groups"},
		{"--fifo --queue a", "--queue"},
		{"--queue a.fifo", "--queue"},
		{"--access-key a --sqs http://127.0.0.1:1", "AWS_SECRET_ACCESS_KEY"},
		{"--receive-url http://127.0.0.1:1 --workload send", "--receive-url"},
		{"--receive-url ftp://127.0.0.1", "--receive-url"},
		{"--sqs 127.0.0.1:9324", "server URL"},
		{"--workload other", "--workload"},
	} {
		_, err := run(t.Context(), "http://127.0.0.1:1", nil, append([]string{"bench"}, strings.Fields(test.args)...)...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.args, err, test.want)
		}
	}
	if _, err := run(t.Context(), "http://127.0.0.1:1", nil, "bench"); err == nil {
		t.Error("measured without a server")
	}
	for _, url := range []string{"ftp://h", "http://", "http://h?a=b", "://"} {
		if _, err := run(t.Context(), url, nil, "bench", fmt.Sprint("--duration=", time.Second)); err == nil {
			t.Errorf("took the URL %q", url)
		}
	}
}
