//go:build clients

package scripts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tusq/internal/process"
)

const (
	startLimit = time.Minute
	stopLimit  = 20 * time.Second
)

// binary is the tusq that the tests run.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tusq-scripts-")
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
	return m.Run()
}

// key is what clients sign with.
type key struct{ ID, Secret, Token string }

// newKey makes a key that a server may be started with.
func newKey(t *testing.T) *key {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, "key", "token", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	made := &key{}
	if err := json.Unmarshal(out, made); err != nil {
		t.Fatal(err)
	}
	return made
}

// server is a running tusq.
type server struct {
	url  string
	auth string // on or off
	key  key
}

// serve runs the real binary with a database of its own until the test's end. It asks for an
// administrator's key, or for none where that is nil. If the test is killed, the server is,
// and its database with it.
func serve(t *testing.T, admin *key) server {
	t.Helper()
	made := server{auth: "off", key: key{ID: "key", Secret: "secret"}}
	environment := os.Environ()
	if admin != nil {
		made.auth, made.key = "on", *admin
		environment = append(environment, "TUSQ_BOOTSTRAP_KEY="+admin.Token)
	}
	address := freeAddress(t)
	server := exec.Command(binary, "serve", "--listen", address, "--data-dir", dataDir(t), "--auth", made.auth)
	server.Env = environment
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		stop(t, server, ended)
		if t.Failed() {
			t.Logf("the server's log:\n%s", log.Bytes()[max(0, log.Len()-8000):])
		}
	})
	made.url = "http://" + address
	awaitReady(t, made.url, ended)
	return made
}

// stop ends the server and waits for its end: its log may be read then.
func stop(t *testing.T, server *exec.Cmd, ended <-chan error) {
	t.Helper()
	_ = server.Process.Signal(syscall.SIGINT) // fails where it has ended, which the wait tells
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	case <-time.After(stopLimit):
		_ = server.Process.Kill()
		<-ended
		t.Error("the server did not end on SIGINT")
	}
}

func awaitReady(t *testing.T, url string, ended chan error) {
	t.Helper()
	deadline := time.After(startLimit)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		if response, err := http.Get(url + "/readyz"); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err // for stop
			t.Fatal("the server ended before it was ready")
		case <-deadline:
			t.Fatalf("the server was not ready within %v", startLimit)
		}
	}
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
