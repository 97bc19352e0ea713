package patroni

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dirVariable names the directory in which this binary is to start a cluster, instead of testing.
const dirVariable = "TUSQ_PATRONI_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirVariable); dir != "" {
		os.Exit(keep(dir))
	}
	os.Exit(m.Run())
}

// keep starts a cluster and says when it is ready. Somebody kills it.
func keep(dir string) int {
	c, err := Start(context.Background(), dir)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer c.Close()
	fmt.Println("ready")
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

// TestNothingIsLeft of a cluster whose test is killed without warning.
func TestNothingIsLeft(t *testing.T) {
	dir, err := os.MkdirTemp("", "tusq-patroni-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	keeper := exec.CommandContext(t.Context(), os.Args[0])
	keeper.Env = append(os.Environ(), dirVariable+"="+filepath.Join(dir, "cluster"))
	if _, err := keeper.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 1000)
	n, _ := out.Read(said)
	running := processesOf(t, dir)
	_ = keeper.Process.Kill()
	_ = keeper.Wait()
	if text := string(said[:n]); text != "ready\n" || len(running) < 1+3*2 {
		t.Errorf("it said %q, and %d processes ran", text, len(running))
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left := processesOf(t, dir)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			for pid, command := range left {
				t.Errorf("%d runs after a minute: %s", pid, command)
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			return
		}
	}
}

// TestWhatIsMissingIsSaid and installed by nobody.
func TestWhatIsMissingIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	c, err := Start(t.Context(), filepath.Join(t.TempDir(), "cluster"))
	if err == nil {
		c.Close()
		t.Fatal("it started")
	}
	if text := err.Error(); !strings.Contains(text, "MISSING: etcd, patroni, patronictl") || !strings.Contains(text, "apt-get install") {
		t.Error(err)
	}
}

// processesOf are those whose arguments name a directory: etcd, each Patroni and each postmaster.
func processesOf(t *testing.T, dir string) map[int]string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]string{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		arguments, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err == nil && bytes.Contains(arguments, []byte(dir)) {
			found[pid] = strings.ReplaceAll(string(arguments), "\x00", " ")
		}
	}
	return found
}
