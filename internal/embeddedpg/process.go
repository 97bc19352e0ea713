package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// cutOffGrace is how long a server that is cut off may take before it is killed.
	cutOffGrace = 5 * time.Second
	// drainGrace is how long the log is read on after the server has ended: its children may hold the pipe open.
	drainGrace = time.Second
)

// errEnded means that the server ended before it was ready.
var errEnded = errors.New("PostgreSQL ended while it was starting")

// child is the server process.
type child struct {
	cmd      *exec.Cmd
	tail     *tail
	stopping atomic.Bool   // it was asked to end
	done     chan struct{} // closed when it has ended
	err      error         // why; read after done
}

// launch starts the server. It does not wait until it is ready.
func launch(ctx context.Context, c cluster, socket socketDir, opts Options) (*child, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close()
	// SIGINT: without tusq the server shuts down cleanly, as in Stop.
	cmd := c.owner.command(context.WithoutCancel(ctx), syscall.SIGINT, c.bin.postgres(), serverArguments(c, socket, opts.Settings)...)
	cmd.Stderr = write
	s := &child{cmd: cmd, tail: &tail{}, done: make(chan struct{})}
	started := make(chan error, 1)
	go s.supervise(read, started, &forwarder{log: opts.Logger, tail: s.tail})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return s, nil
}

// supervise starts the process and waits for its end, on one thread: the end of the thread that started it is what
// the kernel takes for the death of the parent.
func (s *child) supervise(stderr *os.File, started chan<- error, to *forwarder) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer stderr.Close()
	err := s.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		to.forward(stderr)
	}()
	err = s.cmd.Wait()
	// The error is dropped: where a deadline is not supported, the log was read to its end by the time that matters.
	_ = stderr.SetReadDeadline(time.Now().Add(drainGrace))
	<-forwarded
	s.err = s.verdict(err)
	close(s.done)
}

// verdict turns how the process ended into an error; none after a clean shutdown that was asked for.
func (s *child) verdict(err error) error {
	asked := s.stopping.Load()
	switch {
	case err == nil && asked:
		return nil
	case err == nil:
		return s.tail.explain(errors.New("PostgreSQL was shut down by somebody else"))
	default:
		return s.tail.explain(fmt.Errorf("PostgreSQL ended: %w", err))
	}
}

func (s *child) pid() int { return s.cmd.Process.Pid }

// waitReady waits until the server accepts connections. It must show a sign of life within stepTimeout; while it says that it is
// starting (recovering after a crash, perhaps) only ctx bounds the wait.
func (s *child) waitReady(ctx context.Context, dir string) error {
	silentSince := time.Now()
	return poll(ctx, func() (bool, error) {
		select {
		case <-s.done:
			return false, errEnded
		default:
		}
		file, err := readPostmasterFile(dir)
		if err != nil {
			return false, err
		}
		alive := file.pid == s.pid() && file.status != ""
		if !alive && time.Since(silentSince) > stepTimeout {
			return false, fmt.Errorf("PostgreSQL gave no sign of life within %s", stepTimeout)
		}
		return alive && file.status == "ready", nil
	})
}

// stop ends the server: fast, immediately when ctx ends, and with SIGKILL when even that takes too long.
func (s *child) stop(ctx context.Context) error {
	select {
	case <-s.done:
		return nil
	default:
	}
	s.stopping.Store(true)
	s.signal(syscall.SIGINT)
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	s.signal(syscall.SIGQUIT)
	cutOff := time.NewTimer(cutOffGrace)
	defer cutOff.Stop()
	select {
	case <-s.done:
	case <-cutOff.C:
		s.signal(syscall.SIGKILL)
		<-s.done
	}
	return fmt.Errorf("PostgreSQL did not shut down in time and was cut off; the next start recovers it: %w", context.Cause(ctx))
}

// signal does nothing when the process has ended.
func (s *child) signal(signal syscall.Signal) { _ = s.cmd.Process.Signal(signal) }
