package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// grace is how long a process may take to end by itself before it is killed.
const grace = 20 * time.Second

// child is a running process that ends with this one. What it prints is appended to a file.
type child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// start starts a command whose attributes say what becomes of it when this process is killed: see the callers.
func start(command *exec.Cmd, log string) (*child, error) {
	output, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	command.Stdout, command.Stderr = output, output
	c := &child{cmd: command, log: log, done: make(chan struct{})}
	started := make(chan error, 1)
	go c.supervise(output, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(command.Path), err)
	}
	return c, nil
}

// supervise keeps the thread that started the process: its end would count as the death of the parent.
func (c *child) supervise(output *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer output.Close()
	err := c.cmd.Start()
	started <- err
	if err == nil {
		c.err = c.cmd.Wait()
		close(c.done)
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) running() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// signal does nothing when the process has ended.
func (c *child) signal(signal syscall.Signal) { _ = c.cmd.Process.Signal(signal) }

// kill kills the process without warning and returns when it has ended.
func (c *child) kill() {
	c.signal(syscall.SIGKILL)
	<-c.done
}

// end asks the process to end and returns when it has. It is an error when it has to be killed.
func (c *child) end(ctx context.Context, signal syscall.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	c.signal(signal)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		c.kill()
		return fmt.Errorf("%s was killed, for it did not end: %w; %s", filepath.Base(c.cmd.Path), ctx.Err(), c.tail())
	}
}

// waitFor returns when ready does without an error. It fails when the process or ctx ends first.
func (c *child) waitFor(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.done:
			return fmt.Errorf("%s ended (%w): %s", filepath.Base(c.cmd.Path), c.err, c.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; %s", filepath.Base(c.cmd.Path), err, c.tail())
		case <-tick.C:
		}
	}
}

// tail is the end of what the process printed.
func (c *child) tail() string { return tail(c.log) }

// tail is the end of a log.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-2000):]))
}
