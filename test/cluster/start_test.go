package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/client"
	"tusq/internal/embeddedpg"
	"tusq/internal/pgtest"
	"tusq/internal/testcert"
)

// TestPostgresThatDoesNotStartAgain: while the embedded PostgreSQL finds its log's directory closed, as it finds
// no room on a full disk, calls are refused; once that has passed they are served without anybody's help.
func TestPostgresThatDoesNotStartAgain(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	r := serve(t, freeAddress(t), "--data-dir", dir)
	c := newClient(t, r.url())
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "demo"}); err != nil {
		t.Fatal(err)
	}
	wal := filepath.Join(dir, "postgres", "pg_wal")
	mode := func(mode os.FileMode) {
		if err := os.Chmod(wal, mode); err != nil {
			t.Error(err)
		}
	}
	mode(0)
	t.Cleanup(func() { mode(0o700) })
	kill(t, postmaster(t, dir), syscall.SIGKILL)
	eventually(t, 30*time.Second, "two attempts have failed", func() bool {
		return strings.Count(r.log.String(), "cannot start the embedded PostgreSQL again yet") >= 2
	})
	if live, ready := status(r.url()+"/livez"), status(r.url()+"/readyz"); live != http.StatusOK || ready != http.StatusServiceUnavailable {
		t.Errorf("/livez answers %d, /readyz %d while PostgreSQL is down", live, ready)
	}
	mode(0o700)
	r.awaitReady()
	if _, err := c.Send(t.Context(), "demo", client.SendMessage{Body: "after"}); err != nil {
		t.Error(err)
	}
}

// TestReplicaAnswersWhileItStarts: whoever asks a replica that waits for its database is told so at once, and
// is served at the same address when the database is there.
func TestReplicaAnswersWhileItStarts(t *testing.T) {
	t.Parallel()
	line := pgtest.NewLine(t, pgtest.New(t))
	line.Cut()
	ca := testcert.New(t, "CA")
	cert, key := ca.Issue("127.0.0.1").Write(t, t.TempDir(), "server")
	r := &replica{address: freeAddress(t)}
	r.child = start(t, exec.Command(binary, "serve", "--listen", r.address, "--database-url", line.URL, "--tls-cert", cert, "--tls-key", key))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}
	defer transport.CloseIdleConnections()
	ask := func(method, path string) (status int, retryAfter string) {
		request, err := http.NewRequestWithContext(t.Context(), method, "https://"+r.address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(request)
		if err != nil {
			return 0, ""
		}
		defer response.Body.Close()
		return response.StatusCode, response.Header.Get("Retry-After")
	}
	eventually(t, 10*time.Second, "the replica waits for its database", func() bool {
		return strings.Contains(r.log.String(), "waiting for the database")
	})
	for _, asked := range []struct {
		method, path string
		status       int
		retryAfter   string
	}{
		{"GET", "/livez", http.StatusOK, ""},
		{"HEAD", "/livez", http.StatusOK, ""},
		{"GET", "/readyz", http.StatusServiceUnavailable, "1"},
		{"GET", "/metrics", http.StatusServiceUnavailable, "1"},
		{"POST", "/v1/queues", http.StatusServiceUnavailable, "1"},
		{"POST", "/", http.StatusServiceUnavailable, "1"},
	} {
		if status, retryAfter := ask(asked.method, asked.path); status != asked.status || retryAfter != asked.retryAfter {
			t.Errorf("%s %s: %d, to be repeated after %q", asked.method, asked.path, status, retryAfter)
		}
	}
	if strings.Contains(r.log.String(), "serving") || strings.Contains(r.log.String(), "tusq serves") {
		t.Error("it says that it serves")
	}
	line.Mend()
	eventually(t, 30*time.Second, "the replica says that it serves", func() bool { return strings.Contains(r.log.String(), "tusq serves") })
	if status, _ := ask("GET", "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d from a replica that serves", status)
	}
	r.signal(syscall.SIGINT)
	if err := r.wait(20 * time.Second); err != nil {
		t.Error(err)
	}
}

// TestReplicaThatStartsEnds: SIGTERM need not wait for a database that does not answer.
func TestReplicaThatStartsEnds(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r := &replica{address: freeAddress(t)}
	r.child = start(t, exec.Command(binary, "serve", "--listen", r.address, "--database-url", "postgres://tusq@"+silent.Addr().String()+"/tusq"))
	eventually(t, 10*time.Second, "the replica answers", func() bool { return status(r.url()+"/livez") == http.StatusOK })
	r.signal(syscall.SIGTERM)
	if err := r.wait(5 * time.Second); err == nil {
		t.Error("it ends as if it had served")
	}
}

// TestShutdownWhileTheDatabaseStandsStill: calls that wait for it are answered that it is not known whether they were
// carried out, and the replica ends in time.
func TestShutdownWhileTheDatabaseStandsStill(t *testing.T) {
	t.Parallel()
	database := pgtest.Server(t, nil)
	r := serve(t, freeAddress(t), "--database-url", database)
	c := newClient(t, r.url(), client.WithRetry(0))
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "demo"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), "demo", client.SendMessage{Body: "before"}); err != nil {
		t.Fatal(err)
	}
	freeze(t, database)
	const sends = 3
	answers := make(chan error, sends)
	for range sends {
		go func() {
			_, err := c.Send(t.Context(), "demo", client.SendMessage{Body: "meanwhile"})
			answers <- err
		}()
	}
	eventually(t, 10*time.Second, "the sends wait", func() bool {
		return strings.Contains(get(t, r.url()+"/metrics"), fmt.Sprintf("tusq_http_requests_in_flight{dialect=\"rest\"} %d", sends))
	})
	began := time.Now()
	r.signal(syscall.SIGTERM)
	for range sends {
		if err := <-answers; client.ErrorCode(err) != "unavailable" {
			t.Errorf("a send ended with %v after %v, want code unavailable", err, time.Since(began))
		}
	}
	if err := r.wait(30 * time.Second); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 13*time.Second { // 8.5 s and what the machine halts
		t.Errorf("it took %v to end", took)
	}
}

// freeze stops all processes of a database's server (SIGSTOP) until the test's end.
func freeze(t *testing.T, databaseURL string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	err = conn.QueryRow(t.Context(), "SHOW data_directory").Scan(&dir)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	running, err := embeddedpg.ProcessesIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range running {
		t.Cleanup(func() { kill(t, pid, syscall.SIGCONT) })
		kill(t, pid, syscall.SIGSTOP)
	}
}

// get is the text of an answer.
func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
