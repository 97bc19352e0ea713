package embeddedpg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
)

func TestParentKilled(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	h := startHelper(t, dataDir, self(t), nil)
	insert(t, h.url(t))
	h.kill()
	if runtime.GOOS == "linux" {
		eventually(t, func() bool { return len(running(t, dataDir)) == 0 })
	}
	checkRows(t, start(t, dataDir).URL(), 1)
}

func TestParentKilledAndStartedAtOnce(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	h := startHelper(t, dataDir, self(t), nil)
	url := h.url(t)
	insert(t, url)
	occupy(t, url)
	h.kill()
	checkRows(t, start(t, dataDir).URL(), 1)
}

func TestPostmasterKilled(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s := start(t, dataDir)
	insert(t, s.URL())
	must(t, syscall.Kill(postmaster(t, dataDir), syscall.SIGKILL))
	<-s.Done()
	if s.Err() == nil {
		t.Error("killed without an error")
	} else {
		checkWords(t, s.Err().Error(), "killed")
	}
	stop(t, s)
	checkRows(t, start(t, dataDir).URL(), 1)
}

func TestBothKilledWithAnOrphanAtWork(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	h := startHelper(t, dataDir, self(t), nil)
	url := h.url(t)
	insert(t, url)
	orphan := occupy(t, url)
	must(t, syscall.Kill(postmaster(t, dataDir), syscall.SIGKILL))
	h.kill()
	if !slices.Contains(running(t, dataDir), orphan) {
		t.Error("there is no orphan to clear up")
	}
	checkRows(t, start(t, dataDir).URL(), 1)
}

// TestFrozenServerIsKilled also shows that a start after SIGKILL recovers.
func TestFrozenServerIsKilled(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s := start(t, dataDir)
	insert(t, s.URL())
	must(t, syscall.Kill(s.server.pid(), syscall.SIGSTOP))
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(expired); !errors.Is(err, context.Canceled) {
		t.Errorf("stop: %v", err)
	}
	checkRows(t, start(t, dataDir).URL(), 1)
}

// TestOrphanPostmaster starts a server without a tusq above it, as it is left behind where parents' deaths are not signalled.
func TestOrphanPostmaster(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s := start(t, dataDir)
	insert(t, s.URL())
	stop(t, s)
	dir := filepath.Join(dataDir, clusterName)
	c, err := adoptCluster(testContext(t), dataDir, Options{})
	must(t, err)
	cmd := c.owner.command(testContext(t), 0, c.bin.postgres(), serverArguments(c, socketDir{path: dir}, quick)...)
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	eventually(t, func() bool {
		file, err := readPostmasterFile(dir)
		return err == nil && file.pid == cmd.Process.Pid && file.status == "ready"
	})
	checkRows(t, start(t, dataDir).URL(), 1)
	if err := <-ended; err != nil {
		t.Errorf("the orphan did not shut down cleanly: %v", err)
	}
}

// TestReusedProcessID leaves lock files whose process id belongs to another program of the same user. PostgreSQL alone would refuse.
func TestReusedProcessID(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	s := start(t, dataDir)
	insert(t, s.URL())
	stop(t, s)
	dir := filepath.Join(dataDir, clusterName)
	c, err := adoptCluster(testContext(t), dataDir, Options{})
	must(t, err)
	other := c.owner.command(testContext(t), 0, "/bin/cat")
	in, err := other.StdinPipe()
	must(t, err)
	out, err := other.StdoutPipe()
	must(t, err)
	must(t, other.Start())
	text := fmt.Sprintf("%d\n%s\n1\n5432\n%s\n\n0 0\nready\n", other.Process.Pid, dir, dir)
	must(t, os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(text), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, socketName+".lock"), []byte(text), 0o600))

	checkRows(t, start(t, dataDir).URL(), 1)
	_, err = in.Write([]byte("alive\n"))
	must(t, err)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "alive\n" {
		t.Errorf("the other program was hurt: %q %v", line, err)
	}
	must(t, in.Close())
	must(t, other.Wait())
}

func TestInitdbKilledWithItsParent(t *testing.T) {
	t.Parallel()
	dataDir := killInitdb(t, func(string) {})
	insert(t, start(t, dataDir).URL())
	if exists(filepath.Join(dataDir, unfinishedName)) {
		t.Error("the unfinished cluster was left behind")
	}
}

// killInitdb returns a data directory that it has had prepared, whose initdb was killed together with its parent.
func killInitdb(t *testing.T, prepare func(dataDir string)) string {
	t.Helper()
	for range 5 {
		dataDir := newDataDir(t)
		prepare(dataDir)
		h := startHelper(t, dataDir, self(t), nil)
		finished := func() bool { return exists(filepath.Join(dataDir, clusterName)) }
		eventually(t, func() bool { return exists(filepath.Join(dataDir, unfinishedName, "PG_VERSION")) || finished() })
		h.kill()
		if !finished() {
			return dataDir
		}
	}
	t.Fatal("initdb was finished each time before it was killed")
	return ""
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func itoa(n int) string { return strconv.Itoa(n) }
