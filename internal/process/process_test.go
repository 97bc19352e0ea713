package process

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start runs a shell script.
func start(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(t.TempDir(), exec.Command("/bin/sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func TestStopEndsWhatWasStarted(t *testing.T) {
	t.Parallel()
	read, write, err := os.Pipe() // the child holds its end open for as long as it lives
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	command := exec.Command("/bin/sh", "-c", "(trap '' TERM; sleep 600) & echo started; wait")
	command.ExtraFiles = []*os.File{write}
	dir := t.TempDir()
	p, err := Start(dir, command)
	if err != nil {
		t.Fatal(err)
	}
	write.Close()
	err = p.WaitFor(t.Context(), 10*time.Second, func(context.Context) error {
		if !strings.Contains(p.tail(), "started") {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	p.Stop() // once more does no harm
	_ = read.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := read.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a child that ignores SIGTERM lives on: %v", err)
	}
}

func TestWaitForSaysWhyAServerEnded(t *testing.T) {
	t.Parallel()
	p := start(t, "echo the port is taken >&2; exit 3")
	err := p.WaitFor(t.Context(), 10*time.Second, func(context.Context) error { return errors.New("not ready") })
	if err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("got %v", err)
	}
	p = start(t, "sleep 600")
	err = p.WaitFor(t.Context(), 10*time.Millisecond, func(context.Context) error { return errors.New("no answer") })
	if err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %v", err)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	out, err := Output(exec.CommandContext(t.Context(), "/bin/sh", "-c", "echo '{}'; echo progress >&2"))
	if err != nil || string(out) != "{}\n" {
		t.Errorf("got %q, %v", out, err)
	}
	_, err = Output(exec.CommandContext(t.Context(), "/bin/sh", "-c", "echo bad flag >&2; exit 1"))
	if err == nil || !strings.Contains(err.Error(), "bad flag") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Output(exec.CommandContext(ctx, "/bin/sh", "-c", "sleep 600")); err == nil {
		t.Error("the end of the context did not end the command")
	}
}

func TestFreeAddresses(t *testing.T) {
	t.Parallel()
	addresses, err := FreeAddresses(t.Context(), 3)
	if err != nil || addresses[0] == addresses[1] || addresses[1] == addresses[2] {
		t.Fatalf("got %v, %v", addresses, err)
	}
	// Other processes of the machine may take one of them at any time, hardly all.
	for _, address := range addresses {
		if port := netip.MustParseAddrPort(address).Port(); port < firstPort || port >= lastPort {
			t.Errorf("port %d may be given to others", port)
		}
		heard := Listening(t.Context(), address)
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer listener.Close()
		if heard == nil {
			t.Error("somebody listens there")
		}
		if err := Listening(t.Context(), address); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("nobody can listen on any of them")
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "some-queue-server"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if path, err := Find("some-queue-server", dir); err != nil || filepath.Dir(path) != dir {
		t.Errorf("got %s, %v", path, err)
	}
	if _, err := Find("no-such-server"); err == nil || !strings.Contains(err.Error(), "no-such-server is not installed") {
		t.Errorf("got %v", err)
	}
}
