// Package process runs the servers under test: each in a process group of its own, so that an interrupt from the terminal reaches
// this program alone, and everything that a server started ends with it.
package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// grace is how long a server may take to end by itself before it is killed.
const grace = 20 * time.Second

// Process is a running server.
type Process struct {
	cmd  *exec.Cmd
	name string
	log  string        // path of its output
	done chan struct{} // closed when it has ended
}

// Start runs a command, as the user that its credential names, if it has one. Its output goes to a file in dir. Only Stop ends it: not the end of a context.
func Start(dir string, command *exec.Cmd) (*Process, error) {
	name := filepath.Base(command.Path)
	log, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	own := attributes()
	if command.SysProcAttr != nil {
		own.Credential = command.SysProcAttr.Credential
	}
	command.SysProcAttr = own
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &Process{cmd: command, name: name, log: log.Name(), done: make(chan struct{})}
	go func() {
		_ = command.Wait() // how it ended is told by its log
		close(p.done)
	}()
	return p, nil
}

// ID is the process id, which is the id of its group too.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// WaitFor returns when ready does without an error. It fails when the process or ctx ends first, or after the timeout.
func (p *Process) WaitFor(ctx context.Context, timeout time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.name, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; its log ends: %s", p.name, err, p.tail())
		case <-retry.C:
		}
	}
}

// tail is the end of the process's output.
func (p *Process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-500):]))
}

// Stop asks the process to end, then kills it with all its group, and returns when it has ended.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	_ = syscall.Kill(-p.ID(), syscall.SIGKILL) // also what it left behind
	<-p.done
}

// Kill kills the process with all its group, without asking, and returns when it has ended.
func (p *Process) Kill() {
	_ = syscall.Kill(-p.ID(), syscall.SIGKILL)
	<-p.done
}

// Listening tells whether something accepts connections at an address.
func Listening(ctx context.Context, address string) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// Find looks for a program in PATH, then in directories where distributions put servers.
func Find(name string, dirs ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range append(dirs, "/usr/sbin", "/usr/local/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", errors.New(name + " is not installed")
}
