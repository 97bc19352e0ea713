package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"
	"golang.org/x/sync/errgroup"

	"tusq/client"
	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

// output is what a command wrote.
type output struct{ stdout, stderr string }

// run parses a command line of the client commands and runs it against the server.
func run(ctx context.Context, serverURL string, stdin io.Reader, args ...string) (output, error) {
	return runAs(ctx, serverURL, "", stdin, args...)
}

// runAs is run with a token in the environment, and its secret for SQS.
func runAs(ctx context.Context, serverURL, token string, stdin io.Reader, args ...string) (output, error) {
	var stdout, stderr bytes.Buffer
	var flags cli
	flags.Stdin, flags.Stdout, flags.Stderr, flags.Token = stdin, &stdout, &stderr, token
	if credentials, ok := service.ParseCredentials(token); ok {
		flags.Bench.SecretKey = credentials.Secret.Reveal()
	}
	parsed, err := newParser(ctx, &flags, kong.Writers(&stdout, &stderr)).Parse(append(args, "--url", serverURL))
	if err == nil {
		err = parsed.Run()
	}
	return output{stdout.String(), stderr.String()}, err
}

// mustRun runs a command that must succeed.
func mustRun(t *testing.T, serverURL string, stdin io.Reader, args ...string) output {
	t.Helper()
	out, err := run(t.Context(), serverURL, stdin, args...)
	if err != nil {
		t.Fatalf("tusq %v: %v\n%s", args, err, out.stderr)
	}
	return out
}

func TestQueueCommands(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	for range 2 {
		mustRun(t, server, nil, "queue", "create", "orders-dead")
	}
	out := mustRun(t, server, nil, "queue", "create", "orders", "--visibility-timeout", "60", "--delay", "0", "--retention", "3600",
		"--wait", "5", "--max-message-size", "2048", "--dead-letter", "orders-dead", "--max-receives", "3", "--durability", "local")
	if out.stdout != "created queue orders\n" {
		t.Errorf("create: %q", out.stdout)
	}
	if _, err := run(t.Context(), server, nil, "queue", "create", "orders", "--wait", "6"); client.ErrorCode(err) != "queue_exists" {
		t.Errorf("create with other settings: %v", err)
	}
	if _, err := run(t.Context(), server, nil, "queue", "create", "more", "--max-receives", "3"); err == nil {
		t.Error("a part of a dead-letter policy was taken")
	}
	mustRun(t, server, nil, "send", "orders", "a", "b")
	mustRun(t, server, nil, "receive", "orders", "--max", "1")
	mustRun(t, server, nil, "send", "another", "a")

	want := "" +
		"NAME         VISIBLE  IN FLIGHT  DELAYED  SETTINGS\n" +
		"orders       1        1          0        visibility=60s retention=3600s wait=5s max-message-size=2048 durability=local dead-letter=orders-dead after 3\n" +
		"orders-dead  0        0          0        visibility=30s retention=345600s\n"
	if out := mustRun(t, server, nil, "queue", "list", "--prefix", "ord"); out.stdout != want {
		t.Errorf("list:\n%swant\n%s", out.stdout, want)
	}
	var listed []listedQueue
	for line := range strings.Lines(mustRun(t, server, nil, "queue", "list", "--json").stdout) {
		var queue listedQueue
		if err := json.Unmarshal([]byte(line), &queue); err != nil {
			t.Fatal(err)
		}
		listed = append(listed, queue)
	}
	if len(listed) != 3 || listed[1].Name != "orders" || listed[1].Stats != (client.QueueStats{Visible: 1, InFlight: 1, Total: 2}) {
		t.Errorf("listed %+v", listed)
	}
	mustRun(t, server, nil, "queue", "delete", "orders")
	if _, err := run(t.Context(), server, nil, "queue", "delete", "orders"); client.ErrorCode(err) != "queue_not_found" {
		t.Errorf("a second delete: %v", err)
	}
}

func TestQueueUpdate(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	mustRun(t, server, nil, "queue", "create", "dead")
	mustRun(t, server, nil, "queue", "create", "orders", "--dead-letter", "dead", "--max-receives", "3")
	out := mustRun(t, server, nil, "queue", "update", "orders", "--durability", "async", "--delay", "5")
	if want := "queue orders: visibility=30s retention=345600s delay=5s durability=async dead-letter=dead after 3\n"; out.stdout != want {
		t.Errorf("update: %q, want %q", out.stdout, want)
	}
	out = mustRun(t, server, nil, "queue", "update", "orders", "--durability", "default", "--no-dead-letter", "--delay", "0")
	if want := "queue orders: visibility=30s retention=345600s\n"; out.stdout != want {
		t.Errorf("update: %q, want %q", out.stdout, want)
	}
	mustRun(t, server, nil, "queue", "create", "jobs.fifo", "--content-deduplication")
	if out := mustRun(t, server, nil, "queue", "update", "jobs.fifo", "--no-content-deduplication"); strings.Contains(out.stdout, "content") {
		t.Errorf("update: %q", out.stdout)
	}
	for code, args := range map[string][]string{
		"standby_required": {"orders", "--durability", "quorum"},
		"queue_not_found":  {"none", "--delay", "1"},
		"":                 {"orders", "--no-dead-letter", "--dead-letter", "dead", "--max-receives", "1"},
	} {
		if _, err := run(t.Context(), server, nil, append([]string{"queue", "update"}, args...)...); err == nil || client.ErrorCode(err) != code {
			t.Errorf("update %v: %v, want %q", args, err, code)
		}
	}
}

// TestQueueListPassesOverWhatIsDeletedMeanwhile: a queue is gone when it is counted.
func TestQueueListPassesOverWhatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/queues" {
			_, _ = io.WriteString(w, `{"queues":[{"name":"gone"}]}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":"queue_not_found"}`)
	}))
	t.Cleanup(server.Close)
	if out := mustRun(t, server.URL, nil, "queue", "list"); strings.Count(out.stdout, "\n") != 1 {
		t.Errorf("listed:\n%s", out.stdout)
	}
}

func TestSendBodies(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	if _, err := run(t.Context(), server, nil, "send", "q", "--no-create", "a"); client.ErrorCode(err) != "queue_not_found" {
		t.Errorf("without the queue: %v", err)
	}
	out := mustRun(t, server, nil, "send", "q", "a", "two\nlines")
	if strings.Count(out.stdout, "\n") != 2 || out.stderr != "created queue q\n" {
		t.Errorf("got %+v", out)
	}
	out, err := run(t.Context(), server, nil, "send", "q", "--json", "\xff", "c", "")
	if err == nil || !strings.Contains(out.stdout, `{"id":"`) || strings.Count(out.stdout, "\n") != 1 || strings.Count(out.stderr, "refused") != 2 {
		t.Errorf("got %+v, %v", out, err)
	}
	for _, args := range [][]string{{"send", "q"}, {"send", "q", "a", "--lines", "-"}, {"send"}} {
		if _, err := run(t.Context(), server, nil, args...); err == nil {
			t.Errorf("%v succeeded", args)
		}
	}
	got := strings.SplitAfter(mustRun(t, server, nil, "receive", "q", "--delete").stdout, "\n")
	slices.Sort(got)
	if want := []string{"", "a\n", "c\n", "lines\n", "two\n"}; !slices.Equal(got, want) {
		t.Errorf("received %q", got)
	}
}

// nastyLines returns an input, the lines of it that can be messages, sorted, and the
// numbers of the others that are not empty.
func nastyLines(size int) (input string, good []string, bad []int) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "<&>", "\t", "\r", "\"", "\\", "\u2028", "\ufffd", "\U0001f600", " ", "\\u0000", "é", "{}", "\x7f"}
	rotten := []string{"\xff", "\x00", "\x1b[0m", "\ufffe", "\xed\xa0\x80"}
	lines := make([]string, size)
	for i := range lines {
		var b strings.Builder
		for range random.IntN(12) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		if random.IntN(500) == 0 {
			b.WriteString(strings.Repeat("long ", random.IntN(40_000)))
		}
		switch {
		case random.IntN(100) == 0:
			b.WriteString(rotten[random.IntN(len(rotten))])
			bad = append(bad, i+1)
		case i == size/2:
			b.WriteString(strings.Repeat("x", client.MaxMessage+1))
			bad = append(bad, i+1)
		case i == size/3:
			b.Reset()
			b.WriteString(strings.Repeat("\"", client.MaxMessage))
			good = append(good, b.String())
		case b.Len() > 0:
			good = append(good, b.String())
		}
		lines[i] = b.String()
	}
	slices.Sort(good)
	return strings.Join(lines, "\n"), good, bad
}

// TestLinesArriveOnce sends an input through a file and receives it with three
// consumers at a time: together they print every line once.
func TestLinesArriveOnce(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	input, want, bad := nastyLines(8000)
	file := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(file, []byte(input), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t.Context(), server, nil, "send", "demo", "--lines", file, "--json")
	if err == nil || err.Error() != fmt.Sprintf("%d lines refused", len(bad)) {
		t.Errorf("send ended with %v", err)
	}
	var sum sendSummary
	if err := json.Unmarshal([]byte(out.stdout), &sum); err != nil || sum.Sent != int64(len(want)) || sum.Refused != int64(len(bad)) || sum.Lines != 8000 {
		t.Errorf("summary %s (%v), want %d sent and %d refused", out.stdout, err, len(want), len(bad))
	}
	for _, number := range bad {
		if !strings.Contains(out.stderr, fmt.Sprintf("line %d refused: ", number)) {
			t.Errorf("line %d is not named", number)
		}
	}
	wantLines(t, server, receiveAll(t, server, 3), want)
}

// receiveAll receives and deletes with several consumers until nothing comes, and
// returns the lines, sorted.
func receiveAll(t *testing.T, server string, consumers int) []string {
	t.Helper()
	var group errgroup.Group
	texts := make([]string, consumers)
	for i := range texts {
		group.Go(func() error {
			out, err := run(t.Context(), server, nil, "receive", "demo", "--delete", "--wait", "1")
			texts[i] = out.stdout
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(strings.Join(texts, ""), "\n"), "\n")
	slices.Sort(lines)
	return lines
}

// wantLines compares sorted lines, and wants the queue to be empty.
func wantLines(t *testing.T, server string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%d lines arrived (%d different), want %d", len(got), len(slices.Compact(slices.Clone(got))), len(want))
	}
	c, err := client.New(server)
	if err != nil {
		t.Fatal(err)
	}
	if stats, err := c.QueueStats(t.Context(), "demo"); err != nil || stats.Total != 0 {
		t.Errorf("the queue holds %+v, %v", stats, err)
	}
}

// unreliable is a proxy before the server that loses a part of the first calls of each
// kind, by the last element of their path.
type unreliable struct {
	proxy *httputil.ReverseProxy

	mu     sync.Mutex
	faults map[string][]fault // still to come
}

type fault string

const (
	loseRequest fault = "request" // the connection breaks before the server has it
	loseAnswer  fault = "answer"  // the connection breaks after the server did it
	badGateway  fault = "502"
	noFault     fault = ""
)

func (u *unreliable) next(kind string) fault {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.faults[kind]) == 0 {
		return noFault
	}
	next := u.faults[kind][0]
	u.faults[kind] = u.faults[kind][1:]
	return next
}

func (u *unreliable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch u.next(path.Base(r.URL.Path)) {
	case loseRequest:
		panic(http.ErrAbortHandler)
	case loseAnswer:
		u.proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case badGateway:
		w.WriteHeader(http.StatusBadGateway)
	default:
		u.proxy.ServeHTTP(w, r)
	}
}

// TestLinesSurviveAnUnreliableProxy: lost requests and answers lose no line and repeat
// none.
func TestLinesSurviveAnUnreliableProxy(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	handler := &unreliable{proxy: httputil.NewSingleHostReverseProxy(target), faults: map[string][]fault{
		"messages": {loseAnswer, noFault, loseRequest, loseAnswer, badGateway, noFault, loseRequest},
		"receive":  {loseAnswer, noFault, loseRequest, badGateway, noFault, loseAnswer},
		"delete":   {loseAnswer, loseRequest, noFault, badGateway, loseAnswer},
	}}
	proxy := httptest.NewServer(handler)
	t.Cleanup(proxy.Close)
	mustRun(t, server, nil, "queue", "create", "demo", "--visibility-timeout", "10")
	var input strings.Builder
	var want []string
	for i := range 9000 {
		fmt.Fprintln(&input, "line", i)
		want = append(want, fmt.Sprint("line ", i))
	}
	slices.Sort(want)
	mustRun(t, proxy.URL, strings.NewReader(input.String()), "send", "demo", "--lines", "-")
	got := receiveAll(t, proxy.URL, 3)
	for kind, left := range handler.faults {
		if len(left) > 0 {
			t.Errorf("%s met only some faults; left are %v", kind, left)
		}
	}
	wantLines(t, server, got, want)
}
