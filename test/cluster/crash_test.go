package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/client"
	"tusq/internal/embeddedpg"
	"tusq/internal/pgtest"
)

// dataDir is a directory for an embedded PostgreSQL, which may run as another user.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tusq-data-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

// postmaster is the process id of the embedded PostgreSQL.
func postmaster(t *testing.T, dataDir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dataDir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(string(text), "\n", 2)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func kill(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil && err != syscall.ESRCH {
		t.Fatal(err)
	}
}

// TestKilledServerAndPostgres kills both without warning while sends are acknowledged.
// After the restart every acknowledged message is there, and one that was in flight
// comes back after its timeout.
func TestKilledServerAndPostgres(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	address := freeAddress(t)
	r := serve(t, address, "--data-dir", dir)
	c := newClient(t, r.url(), client.WithRetry(0))
	timeout := 2
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "demo", Settings: client.Settings{VisibilityTimeout: &timeout}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), "demo", client.SendMessage{Body: "in flight"}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Receive(t.Context(), "demo", client.Receive{}); err != nil || len(got) != 1 {
		t.Fatalf("received %v, %v", got, err)
	}
	acknowledged := sendUntilItFails(t, c, func() {
		kill(t, postmaster(t, dir), syscall.SIGKILL)
		r.signal(syscall.SIGKILL)
	})
	<-r.done

	r = serve(t, address, "--data-dir", dir)
	got := map[string]int{"in flight": -1}
	receiveAll(t, newClient(t, r.url()), got)
	if got["in flight"] != 2 {
		t.Errorf("the message that was in flight came back with receive count %d, want 2", got["in flight"])
	}
	for _, body := range acknowledged {
		if got[body] == 0 {
			t.Errorf("the acknowledged message %q is lost", body)
		}
	}
	t.Logf("%d messages were acknowledged before the kill, %d are there", len(acknowledged), len(got)-1)
	r.signal(syscall.SIGTERM)
	if err := r.wait(10 * time.Second); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres", "postmaster.pid")); !os.IsNotExist(err) {
		t.Errorf("PostgreSQL was not stopped cleanly: %v", err)
	}
}

// sendUntilItFails sends from several senders, calls disturb once some hundred are
// acknowledged, and returns the acknowledged bodies when all have failed.
func sendUntilItFails(t *testing.T, c *client.Client, disturb func()) []string {
	var mu sync.Mutex
	var acknowledged []string
	enough := make(chan struct{})
	var senders sync.WaitGroup
	for s := range 16 {
		senders.Go(func() {
			for i := 0; ; i++ {
				body := fmt.Sprintf("%d/%d", s, i)
				if _, err := c.Send(t.Context(), "demo", client.SendMessage{Body: body}); err != nil {
					return
				}
				mu.Lock()
				if acknowledged = append(acknowledged, body); len(acknowledged) == 500 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(30 * time.Second):
		t.Error("500 sends took more than 30 seconds")
	}
	disturb()
	senders.Wait()
	return acknowledged
}

// receiveAll receives and deletes until nothing more comes, and notes each body's receive count.
func receiveAll(t *testing.T, c *client.Client, got map[string]int) {
	t.Helper()
	wait := 5 // more than the visibility timeout
	for {
		messages, err := c.Receive(t.Context(), "demo", client.Receive{Max: 1000, WaitSeconds: &wait})
		if err != nil {
			t.Fatal(err)
		}
		if len(messages) == 0 {
			return
		}
		receipts := make([]string, len(messages))
		for i, m := range messages {
			got[m.Body] = m.ReceiveCount
			receipts[i] = m.Receipt
		}
		if _, err := c.DeleteMany(t.Context(), "demo", receipts); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDatabaseDown freezes and kills PostgreSQL under a running server. A short outage is
// outlasted; in a longer one calls get 503 with Retry-After in each dialect and readiness
// fails. All heals by itself.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	r := serve(t, freeAddress(t), "--data-dir", dir)
	c := newClient(t, r.url())
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "demo"}); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		wait := 30
		messages, err := c.Receive(t.Context(), "demo", client.Receive{WaitSeconds: &wait}) // repeats after a 503
		if err == nil && len(messages) != 1 {
			err = fmt.Errorf("received %v", messages)
		}
		waiting <- err
	}()
	first := postmaster(t, dir)
	kill(t, first, syscall.SIGSTOP) // it starts no process for those that are killed now
	running, err := embeddedpg.ProcessesIn(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range running {
		if pid != first {
			kill(t, pid, syscall.SIGKILL)
		}
	}
	refused := map[string]bool{}
	ask := func() (served bool) {
		served = true
		for dialect, ask := range map[string]func(string) *http.Response{"REST": askREST, "SQS": askSQS} {
			response := ask(r.url())
			switch {
			case response == nil:
				t.Errorf("%s: no answer", dialect)
			case response.StatusCode == http.StatusServiceUnavailable:
				served, refused[dialect] = false, true
				if response.Header.Get("Retry-After") == "" {
					t.Errorf("%s: a 503 without Retry-After", dialect)
				}
			case response.StatusCode != http.StatusOK:
				t.Errorf("%s: %s while the database is down", dialect, response.Status)
			}
		}
		return served
	}
	eventually(t, time.Minute, "calls in both dialects are refused", func() bool {
		ask()
		return len(refused) == 2
	})
	if status(r.url()+"/readyz") == http.StatusOK {
		t.Error("the replica is ready while the database is down")
	}
	kill(t, first, syscall.SIGKILL)
	eventually(t, 30*time.Second, "calls are served again", ask)
	if _, err := c.Send(t.Context(), "demo", client.SendMessage{Body: "after"}); err != nil {
		t.Error(err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("the receive that was waiting: %v", err)
	}
}

func askREST(url string) *http.Response {
	return post(url+"/v1/queues/demo/messages/receive", map[string]string{"Content-Type": "application/json"}, `{"max": 1, "visibility_timeout": 0}`)
}

func askSQS(url string) *http.Response {
	return post(url, map[string]string{"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}, `{}`)
}

// post returns an answer whose body has been read, or nil.
func post(url string, header map[string]string, body string) *http.Response {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil
	}
	return response
}

// TestMissingStandbyIsNotAcknowledged demands a synchronous standby that does not exist.
// A send is then committed on the primary alone, and must not be acknowledged: neither
// by its own flush, whose wait PostgreSQL ends with a mere warning, nor by a repetition
// that finds the message there. With the demand withdrawn all heals by itself.
func TestMissingStandbyIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	r := serve(t, freeAddress(t), "--data-dir", dir)
	c := newClient(t, r.url(), client.WithRetry(0))
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "demo"}); err != nil {
		t.Fatal(err)
	}
	primary := connect(t, dir)
	demand := func(standby string) {
		for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = '" + standby + "'", "SELECT pg_reload_conf()"} {
			if _, err := primary.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	demand("nobody")
	pgtest.AwaitStandbyDemand(t, primary, connect(t, dir))
	ended := make(chan error, 1)
	go func() {
		_, err := c.Send(t.Context(), "demo", client.SendMessage{Body: "on the primary alone"})
		ended <- err
	}()
	endWaits := time.NewTicker(100 * time.Millisecond) // by cancelling, as an administrator may
	defer endWaits.Stop()
	for waiting := true; waiting; {
		select {
		case err := <-ended:
			if client.ErrorCode(err) != "unavailable" {
				t.Errorf("the send ended with %v, want code unavailable", err)
			}
			waiting = false
		case <-endWaits.C:
			if _, err := primary.Exec(t.Context(), "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"); err != nil {
				t.Fatal(err)
			}
		}
	}
	demand("")
	if _, err := newClient(t, r.url()).Send(t.Context(), "demo", client.SendMessage{Body: "after"}); err != nil {
		t.Error(err)
	}
}

// connect opens a connection to the embedded PostgreSQL until the test's end.
func connect(t *testing.T, dataDir string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), "user=tusq dbname=tusq synchronous_commit=on host="+filepath.Join(dataDir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// TestSecondServerOnTheSameDirectory is refused, and disturbs nothing.
func TestSecondServerOnTheSameDirectory(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	r := serve(t, freeAddress(t), "--data-dir", dir)
	out, err := exec.CommandContext(t.Context(), binary, "serve", "--listen", freeAddress(t), "--data-dir", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use") {
		t.Errorf("the second server ended with %v:\n%s", err, out)
	}
	if status(r.url()+"/readyz") != http.StatusOK {
		t.Error("the first server is no longer ready")
	}
}

// TestMigrateCommands walks an empty database from status to up to serve.
func TestMigrateCommands(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	tusq := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), binary, append(args, "--data-dir", dir, "--json")...).Output()
		return string(out), err
	}
	if out, err := tusq("migrate", "status"); err == nil {
		t.Errorf("status of an empty database succeeds: %s", out)
	}
	var answer struct{ Applied, Database, Binary int }
	out, err := tusq("migrate", "up")
	if err == nil {
		err = json.Unmarshal([]byte(out), &answer)
	}
	if err != nil || answer.Applied == 0 {
		t.Errorf("up: %v\n%s", err, out)
	}
	if out, err = tusq("migrate", "status"); err == nil {
		err = json.Unmarshal([]byte(out), &answer)
	}
	if err != nil || answer.Database == 0 || answer.Database != answer.Binary {
		t.Errorf("status: %v\n%s", err, out)
	}
}

// TestRefusedFlags checks that nobody serves the world by accident, and that what is
// wrong is said at once, without secrets.
func TestRefusedFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--listen", "0.0.0.0:0", "--auth", "off"}, {"--listen", ":0", "--auth", "off"}, {"--account", "12"},
		{"--database-url", "postgres://tusq@127.0.0.1:1/tusq", "--auth", "on"},
		{"--database-url", "postgres://tusq@127.0.0.1:1/tusq", "--listen", ":0"},
		{"--database-url", "postgres://tusq:hush@host:port/tusq"},
	} {
		out, err := exec.CommandContext(t.Context(), binary, append([]string{"serve", "--data-dir", "/nonexistent"}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), args[0]) || strings.Contains(string(out), "hush") {
			t.Errorf("serve %v ended with %v:\n%s", args, err, out)
		}
	}
}
