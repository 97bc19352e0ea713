package embeddedpg

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal is a log that a test can read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func TestFreshStartHasItsSettings(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s, err := Start(testContext(t), Options{DataDir: dataDir, Logger: testLogger(t)})
	must(t, err)
	t.Cleanup(func() { stop(t, s) })
	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
		"listen_addresses": "", "unix_socket_permissions": "0700", "server_encoding": "UTF8",
		"checkpoint_timeout": "15min", "max_wal_size": "4GB", "shared_buffers": "256MB", "autovacuum_naptime": "5s",
		"jit": "off", "TimeZone": "UTC", "log_min_error_statement": "panic", "log_error_verbosity": "terse",
	} {
		if got := query[string](t, s.URL(), `SELECT current_setting('`+name+`')`); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	const database = `SELECT concat_ws(' ', current_user, current_database(), datcollate) FROM pg_database WHERE datname = current_database()`
	if got := query[string](t, s.URL(), database); got != "tusq tusq C" {
		t.Errorf("user, database and collation are %q", got)
	}
	info, err := os.Stat(filepath.Join(dataDir, clusterName))
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's directory has mode %v", info.Mode())
	}
}

func TestRestartKeepsDataAndAlteredSettings(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s := start(t, dataDir)
	insert(t, s.URL())
	_, err := connect(t, s.URL()).Exec(testContext(t), `ALTER SYSTEM SET max_connections = 50`)
	must(t, err)
	stop(t, s)
	if err := s.Err(); err != nil {
		t.Errorf("after a clean stop: %v", err)
	}
	s = start(t, dataDir)
	checkRows(t, s.URL(), 1)
	if got := query[string](t, s.URL(), `SHOW max_connections`); got != "50" {
		t.Errorf("ALTER SYSTEM was overruled: %s", got)
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	h := startHelper(t, dataDir, self(t), nil)
	url := h.url(t)
	startFails(t, Options{DataDir: dataDir}, dataDir, "is in use by another tusq (pid "+itoa(h.cmd.Process.Pid)+")")
	insert(t, url) // the first is not disturbed
	must(t, h.stdin.Close())
	must(t, h.cmd.Wait())

	s := start(t, dataDir)
	startFails(t, Options{DataDir: dataDir}, "is in use by another tusq (pid "+itoa(os.Getpid())+")")
	checkRows(t, s.URL(), 1)
}

func TestOneClusterBehindTwoDataDirectoriesIsRefused(t *testing.T) {
	t.Parallel()
	first, second := newDataDir(t), newDataDir(t)
	s := start(t, first)
	must(t, os.MkdirAll(second, 0o711))
	link := filepath.Join(second, clusterName)
	must(t, os.Symlink(filepath.Join(first, clusterName), link))
	t.Cleanup(func() { _ = os.Remove(link) })
	startFails(t, Options{DataDir: second}, "in use by another tusq")
	insert(t, s.URL())
}

func TestStopIsFinalAndIdempotent(t *testing.T) {
	t.Parallel()
	s := start(t, newDataDir(t))
	conn := connect(t, s.URL())
	_, err := conn.Exec(testContext(t), `BEGIN`) // an open transaction does not hold it up
	must(t, err)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { stop(t, s) })
	}
	both.Wait()
	<-s.Done()
	stop(t, s)
}

func TestStopCutsOffAtItsDeadline(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s := start(t, dataDir)
	insert(t, s.URL())
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	// A fast shutdown can still win the race against the immediate one; what counts is that the server has ended.
	t.Logf("cut off: %v", s.Stop(expired))
	<-s.Done()
	checkRows(t, start(t, dataDir).URL(), 1)
}

func TestFailedStartShowsTheLog(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	startFails(t, Options{DataDir: dataDir, Settings: map[string]string{"fsync": "off", "shared_buffers": "nonsense"}},
		`invalid value for parameter "shared_buffers"`)
	start(t, dataDir) // the lock was released, and the cluster is sound
}

func TestLogWithholdsValues(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s, err := Start(testContext(t), Options{DataDir: newDataDir(t), Settings: quick, Logger: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	t.Cleanup(func() { stop(t, s) })
	conn := connect(t, s.URL())
	for _, sql := range []string{`SELECT 'hush'::int`, `SELECT hush`, `DO $$ BEGIN RAISE 'hush' || E'\nhush'; END $$`} {
		if _, err := conn.Exec(testContext(t), sql); err == nil {
			t.Errorf("%s did not fail", sql)
		}
	}
	stop(t, s)
	checkWords(t, log.String(), "22P02", "42703", "a statement failed", "is ready", "database system is shut down")
	if strings.Contains(log.String(), "hush") {
		t.Errorf("the log shows a value:\n%s", log)
	}
}

func TestCancelledDuringInitdb(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	ctx, cancel := context.WithCancel(testContext(t))
	failed := make(chan error, 1)
	go func() {
		_, err := Start(ctx, Options{DataDir: dataDir})
		failed <- err
	}()
	unfinished := filepath.Join(dataDir, unfinishedName)
	eventually(t, func() bool { return exists(filepath.Join(unfinished, "PG_VERSION")) })
	cancel()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("cancelled start: %v", err)
	}
	if exists(unfinished) {
		t.Error("the unfinished cluster was left behind")
	}
	start(t, dataDir)
}

// TestCancelledWhileStarting uses a postgres that never gets ready.
func TestCancelledWhileStarting(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s := start(t, dataDir)
	stop(t, s)
	program := s.server.cmd.Path
	bin := filepath.Join(filepath.Dir(dataDir), "bin")
	script := "#!/bin/sh\ncase \"$1 $3\" in\n--version*|*-C) exec " + program + " \"$@\" ;;\nesac\nexec tail -f /dev/null\n"
	writeProgram(t, filepath.Join(bin, "postgres"), script)
	writeProgram(t, filepath.Join(bin, "initdb"), "#!/bin/sh\nexit 1\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := Start(ctx, Options{DataDir: dataDir, BinDir: bin}); err == nil || ctx.Err() == nil {
		t.Errorf("cancelled start: %v", err)
	}
	start(t, dataDir)
}

func TestLongPathUsesTheTemporaryDirectory(t *testing.T) {
	t.Parallel()
	dataDir := filepath.Join(newDataDir(t), `it's, "so" \long `+strings.Repeat("x", 100))
	s := start(t, dataDir)
	t.Cleanup(func() { sweep(t, dataDir, dataDir) })
	info, err := os.Stat(s.socket.path)
	must(t, err)
	if !s.socket.temporary || info.Mode().Perm() != 0o700 {
		t.Errorf("socket in %s, mode %v", s.socket.path, info.Mode())
	}
	insert(t, s.URL())
	stop(t, s)
	if exists(s.socket.path) {
		t.Errorf("%s was left behind", s.socket.path)
	}
	must(t, os.Mkdir(s.socket.path, 0o700))
	must(t, os.Chmod(s.socket.path, 0o777)) // by somebody who wants to listen
	t.Cleanup(func() { _ = os.Remove(s.socket.path) })
	startFails(t, Options{DataDir: dataDir}, "not a private directory")
	must(t, os.Remove(s.socket.path))
	checkRows(t, start(t, dataDir).URL(), 1)
}
