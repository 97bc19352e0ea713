package embeddedpg

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// helperVariable makes the test binary a tusq in miniature: it starts a Server on the data directory that the variable names.
const helperVariable = "EMBEDDEDPG_TEST_HELPER"

// testLimit bounds every test.
const testLimit = 90 * time.Second

// quick are settings for tests that do not look at settings.
var quick = map[string]string{"fsync": "off", "shared_buffers": "16MB"}

func TestMain(m *testing.M) {
	if dataDir := os.Getenv(helperVariable); dataDir != "" {
		os.Exit(help(dataDir))
	}
	os.Exit(m.Run())
}

// help prints "url ..." or "error ..." and stops the server when its standard input ends.
func help(dataDir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	s, err := Start(ctx, Options{DataDir: dataDir, Settings: quick})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("url", s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := s.Stop(ctx); err != nil {
		return 1
	}
	return 0
}

// helper is a running helper process.
type helper struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Scanner
}

// startHelper runs the test binary, or a copy of it, as a helper. Its environment has variables that would lead PostgreSQL astray.
func startHelper(t *testing.T, dataDir, program string, as *syscall.Credential) *helper {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), program)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), helperVariable+"="+dataDir, "PGDATA=/nonexistent", "PGPORT=1", "PGOPTIONS=-c nonsense=1")
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	h := &helper{cmd: cmd, stdin: stdin, stdout: bufio.NewScanner(stdout)}
	t.Cleanup(h.kill)
	return h
}

// answer is what the helper printed: its word, "url" or "error", and the rest.
func (h *helper) answer(t *testing.T) (word, rest string) {
	t.Helper()
	if !h.stdout.Scan() {
		t.Fatalf("the helper ended without an answer: %v", h.stdout.Err())
	}
	word, rest, _ = strings.Cut(h.stdout.Text(), " ")
	return word, rest
}

// url is the answer of a helper that must succeed.
func (h *helper) url(t *testing.T) string {
	t.Helper()
	word, rest := h.answer(t)
	if word != "url" {
		t.Fatalf("helper: %s %s", word, rest)
	}
	return rest
}

// kill sends SIGKILL and waits for the end. It may be called again.
func (h *helper) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// self is the running test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	must(t, err)
	return path
}

// newDataDir names a data directory that does not exist yet, below a directory that every user can pass through.
func newDataDir(t *testing.T) string {
	t.Helper()
	base, err := os.MkdirTemp("", "tusq-pg-")
	must(t, err)
	must(t, os.Chmod(base, 0o711))
	dataDir := filepath.Join(base, "data")
	t.Cleanup(func() { sweep(t, base, dataDir) })
	return dataDir
}

// sweep removes a data directory with all that belongs to it, wherever that is.
func sweep(t *testing.T, base, dataDir string) {
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	for _, name := range []string{clusterName, unfinishedName} {
		dir, err := filepath.EvalSymlinks(filepath.Join(dataDir, name))
		if err != nil {
			continue
		}
		must(t, killAllIn(ctx, dir))
		must(t, os.RemoveAll(dir))
	}
	must(t, os.RemoveAll(base))
}

// start starts a Server that is stopped when the test ends.
func start(t *testing.T, dataDir string) *Server {
	t.Helper()
	s, err := Start(testContext(t), Options{DataDir: dataDir, Settings: quick, Logger: testLogger(t)})
	must(t, err)
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testLimit)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// startFails starts a Server that must not start, and checks that the error has all the words.
func startFails(t *testing.T, opts Options, words ...string) {
	t.Helper()
	s, err := Start(testContext(t), opts)
	if err == nil {
		stop(t, s)
		t.Fatal("started")
	}
	checkWords(t, err.Error(), words...)
}

func checkWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing in: %s", word, text)
		}
	}
}

func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testLimit)
	t.Cleanup(cancel)
	return ctx
}

// connect opens a connection that is closed when the test ends.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(testContext(t), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// insert commits a row. The first call makes the table.
func insert(t *testing.T, url string) {
	t.Helper()
	conn := connect(t, url)
	defer conn.Close(testContext(t))
	_, err := conn.Exec(testContext(t), `CREATE TABLE IF NOT EXISTS kept (n int)`)
	must(t, err)
	_, err = conn.Exec(testContext(t), `INSERT INTO kept VALUES (1)`)
	must(t, err)
}

// checkRows checks how many rows were kept.
func checkRows(t *testing.T, url string, want int) {
	t.Helper()
	if got := query[int](t, url, `SELECT count(*) FROM kept`); got != want {
		t.Errorf("%d rows were kept, want %d", got, want)
	}
}

func query[T any](t *testing.T, url, sql string) T {
	t.Helper()
	conn := connect(t, url)
	defer conn.Close(testContext(t))
	var got T
	must(t, conn.QueryRow(testContext(t), sql).Scan(&got))
	return got
}

// occupy runs a statement that never ends, and that does not notice the death of the postmaster. It returns the pid of its
// server process.
func occupy(t *testing.T, url string) int {
	t.Helper()
	conn := connect(t, url)
	pid := int(conn.PgConn().PID())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = conn.Exec(context.Background(), `DO $$ BEGIN LOOP END LOOP; END $$`)
	}()
	t.Cleanup(func() { <-ended })
	eventually(t, func() bool {
		return query[bool](t, url, fmt.Sprintf(`SELECT state = 'active' FROM pg_stat_activity WHERE pid = %d`, pid))
	})
	return pid
}

// eventually waits for a condition.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	must(t, poll(testContext(t), func() (bool, error) { return condition(), nil }))
}

// running lists the PostgreSQL processes of a data directory's cluster.
func running(t *testing.T, dataDir string) []int {
	t.Helper()
	pids, err := processesIn(filepath.Join(dataDir, clusterName))
	must(t, err)
	return pids
}

// postmaster is the process id of the cluster's server.
func postmaster(t *testing.T, dataDir string) int {
	t.Helper()
	file, err := readPostmasterFile(filepath.Join(dataDir, clusterName))
	must(t, err)
	if file.pid <= 0 {
		t.Fatal("no postmaster")
	}
	return file.pid
}

// needRoot skips what only root can do: acting as another user.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to act as another user")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
