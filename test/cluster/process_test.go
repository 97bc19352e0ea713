// Package cluster tests what a user runs: real processes of the real binary, several
// replicas behind the load balancer's real configuration, killed by real signals.
package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"tusq/client"
	"tusq/internal/pgtest"
	"tusq/internal/process"
)

// binary is the tusq that the tests run.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tusq-cluster-")
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

// child is a running command whose end can be waited for.
type child struct {
	*exec.Cmd
	t    *testing.T
	log  *buffer
	done chan struct{}
	err  error // of its end, after done
}

// buffer is a log that is written while it is read.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start runs a command until the test's end at the latest. Its log is shown when the test fails.
func start(t *testing.T, command *exec.Cmd) *child {
	t.Helper()
	p := &child{Cmd: command, t: t, log: &buffer{}, done: make(chan struct{})}
	command.Stderr = p.log
	if command.Stdout == nil {
		command.Stdout = p.log
	}
	dieWithParent(command)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = command.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
		if t.Failed() {
			t.Logf("%v:\n%s", command.Args, tail(p.log.String()))
		}
	})
	return p
}

func tail(log string) string { return log[max(0, len(log)-4000):] }

func (p *child) signal(s os.Signal) {
	if err := p.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %v: %v", s, err)
	}
}

// wait waits for the process to end by itself.
func (p *child) wait(limit time.Duration) error {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.t.Fatalf("%v did not end within %v", p.Args, limit)
	}
	return p.err
}

// freeAddress is a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := process.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// replica is a tusq serve.
type replica struct {
	*child
	address string
}

// serve starts a replica on an address and waits until it is ready.
func serve(t *testing.T, address string, flags ...string) *replica {
	t.Helper()
	return serveIn(t, nil, address, flags...)
}

// serveIn is serve with more variables in the environment.
func serveIn(t *testing.T, environment []string, address string, flags ...string) *replica {
	t.Helper()
	command := exec.Command(binary, append([]string{"serve", "--listen", address}, flags...)...)
	command.Env = append(os.Environ(), environment...)
	r := &replica{child: start(t, command), address: address}
	t.Cleanup(func() { // an embedded PostgreSQL ends before its directory is removed
		r.signal(syscall.SIGINT)
		select {
		case <-r.done:
		case <-time.After(20 * time.Second):
			t.Error("the replica did not end on SIGINT")
		}
	})
	r.awaitReady()
	return r
}

func (r *replica) url() string { return "http://" + r.address }

func (r *replica) awaitReady() {
	r.t.Helper()
	eventually(r.t, 60*time.Second, "the replica is ready", func() bool {
		select {
		case <-r.done:
			r.t.Fatalf("the replica ended: %v\n%s", r.err, tail(r.log.String()))
		default:
		}
		return status(r.url()+"/readyz") == http.StatusOK
	})
}

// status is that of a GET, or 0 where there is no answer.
func status(url string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

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

func newClient(t *testing.T, url string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(url, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
