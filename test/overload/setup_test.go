// Package overload tests that a real server, given more than it may hold, refuses the
// rest at once, keeps its memory, and loses and doubles nothing of what it accepted.
package overload

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/internal/process"
)

const (
	mebibyte = 1 << 20
	// memoryGoal is what a server may have in memory at most, in bytes, with 64 clients of
	// bodies of a mebibyte.
	memoryGoal = 500_000_000
)

// binary is the tusq that the tests run: without the race detector, which multiplies memory.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tusq-overload-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tusq")
	if out, err := exec.Command("go", "build", "-o", binary, "tusq/cmd/tusq").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tusq: %v\n%s", err, out)
		return 1
	}
	return pgtest.Run(m)
}

// server is a tusq serve on a database of its own, with one queue.
type server struct {
	t        *testing.T
	address  string
	database string // its URL
	pid      int
	http     *http.Client
}

// queue is the one that every test uses.
const queue = "orders"

// serve starts a server until the test's end and makes its queue, with settings in
// JSON besides its name.
func serve(t *testing.T, settings string) *server {
	t.Helper()
	return serveBy(t, exec.Command(binary), settings)
}

// serveBy is serve by a command that runs the binary.
func serveBy(t *testing.T, command *exec.Cmd, settings string) *server {
	t.Helper()
	address, err := process.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, address: address, database: pgtest.New(t)}
	s.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 30 * time.Second}
	t.Cleanup(s.http.CloseIdleConnections)
	log := &bytes.Buffer{} // read once the process has ended
	command.Args = append(command.Args, "serve", "--listen", s.address, "--database-url", s.database, "--log-level", "error")
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = command.Process.Pid
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGKILL)
		_ = command.Wait() // says that it was killed
		if t.Failed() {
			t.Logf("%v:\n%s", command.Args, log)
		}
	})
	s.awaitReady()
	s.rest("", `{"name": "`+queue+`"`+settings+`}`).want(t, http.StatusCreated, "")
	return s
}

func (s *server) awaitReady() {
	s.t.Helper()
	eventually(s.t, 30*time.Second, "the server is ready", func() bool {
		r, err := s.http.Get(s.url("/readyz"))
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

func (s *server) url(path string) string { return "http://" + s.address + path }

// eventually waits for a condition, which it checks every few milliseconds.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// checkMemory fails the test where the server has had more in memory than it may.
func (s *server) checkMemory() {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if os.IsNotExist(err) {
		s.t.Log("without /proc the server's memory is not checked")
		return
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	peak, err := strconv.Atoi(strings.Fields(rest + " none")[0])
	if err != nil {
		s.t.Fatalf("the peak in /proc: %v", err)
	}
	s.t.Logf("the server had %d MB in memory at most", peak*1024/1_000_000)
	if peak*1024 > memoryGoal {
		s.t.Errorf("the server had %d bytes in memory, want at most %d", peak*1024, memoryGoal)
	}
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error         // there is no answer
	took   time.Duration // from the request's first byte to the answer's last
}

// code is an error's, in the dialect of the answer; empty where there is none.
func (a answer) code() string {
	var problem struct {
		Code string `json:"code"`
	}
	if code, _, found := strings.Cut(a.header.Get("X-Amzn-Query-Error"), ";"); found {
		return code
	}
	if a.header.Get("Content-Type") == "text/xml" {
		_, rest, _ := strings.Cut(string(a.body), "<Code>")
		code, _, _ := strings.Cut(rest, "</Code>")
		return code
	}
	if a.status >= http.StatusBadRequest && json.Unmarshal(a.body, &problem) != nil {
		return fmt.Sprintf("not a problem: %.200s", a.body)
	}
	return problem.Code
}

// want checks an answer's status and its error's code.
func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.err != nil || a.status != status || a.code() != code {
		t.Errorf("got %d %s (%v), want %d %s", a.status, a.code(), a.err, status, code)
	}
}

// decode reads an answer that must be 200.
func (a answer) decode(t *testing.T, out any) {
	t.Helper()
	a.want(t, http.StatusOK, "")
	if err := json.Unmarshal(a.body, out); a.err == nil && err != nil {
		t.Errorf("%v in %.200s", err, a.body)
	}
}

func (s *server) do(path, contentType, action, body string) (a answer) {
	began := time.Now()
	defer func() { a.took = time.Since(began) }()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url(path), strings.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	r.Header.Set("Content-Type", contentType)
	if action != "" {
		r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	}
	response, err := s.http.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: read, err: err}
}

// rest posts JSON to a path below the queues'.
func (s *server) rest(path, body string) answer {
	return s.do("/v1/queues"+path, "application/json", "", body)
}

// messages posts a value to a path below the queue's messages.
func (s *server) messages(path string, value any) answer {
	return s.rest("/"+queue+"/messages"+path, toJSON(value))
}

// sqs asks for an action on the queue.
func (s *server) sqs(action string, input object) answer {
	input["QueueUrl"] = s.url("/000000000000/" + queue)
	return s.do("/", "application/x-amz-json-1.0", action, toJSON(input))
}

// object is JSON's.
type object = map[string]any

func toJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // the tests' values can be encoded
	}
	return string(text)
}

// message is one that was received by REST.
type message struct {
	ID           string `json:"id"`
	Body         string `json:"body"`
	Receipt      string `json:"receipt"`
	ReceiveCount int    `json:"receive_count"`
}

// receiveAll receives what is visible until nothing is left, for ten minutes.
func (s *server) receiveAll() []message {
	s.t.Helper()
	var all []message
	for {
		var page struct {
			Messages []message `json:"messages"`
		}
		s.messages("/receive", object{"max": 1000, "visibility_timeout": 600}).decode(s.t, &page)
		if len(page.Messages) == 0 {
			return all
		}
		all = append(all, page.Messages...)
	}
}

// stats are counts of the queue's messages.
type stats struct{ Visible, Total int }

func (s *server) stats() (now stats) {
	s.t.Helper()
	response, err := s.http.Get(s.url("/v1/queues/" + queue + "/stats"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&now); err != nil {
		s.t.Fatal(err)
	}
	return now
}

// metric is the sum of a metric's values over its labels.
func (s *server) metric(name string) (sum float64) {
	s.t.Helper()
	response, err := s.http.Get(s.url("/metrics"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		label, value, _ := strings.Cut(lines.Text(), " ")
		if label, _, _ = strings.Cut(label, "{"); label != name {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			s.t.Fatalf("metric %s: %v", name, err)
		}
		sum += n
	}
	return sum
}
