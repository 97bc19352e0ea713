package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pollInterval is how often the state of a process that is not our child, or of a file that PostgreSQL writes, is looked at.
const pollInterval = 20 * time.Millisecond

// Grace periods for what an earlier run left behind. A fast shutdown ends with a checkpoint, which can take long; the
// server that is cut off in it recovers from its log.
const (
	fastGrace      = 30 * time.Second
	immediateGrace = 5 * time.Second
	killGrace      = 10 * time.Second
)

// postmasterFile is what PostgreSQL writes into postmaster.pid.
type postmasterFile struct {
	pid    int    // negative for a single-user server
	status string // "starting", "ready", "stopping", "standby"; empty at first
}

// clearLeftovers stops what still runs in the cluster's directory and removes a postmaster.pid that would block the start.
// The caller holds the cluster's locks, so whoever started those processes is gone.
func clearLeftovers(ctx context.Context, dir string, log *slog.Logger) error {
	recorded, err := readPostmasterFile(dir)
	if err != nil {
		return err
	}
	running, err := processesIn(dir)
	if err != nil {
		// PostgreSQL's own checks refuse a second server on the directory.
		log.Warn("cannot look for processes of an earlier run", "cluster", dir, "err", err)
		return nil
	}
	if recorded.pid < 0 && slices.Contains(running, -recorded.pid) {
		return fmt.Errorf("somebody works on the cluster %s with a single-user PostgreSQL (pid %d): end that first", dir, -recorded.pid)
	}
	if len(running) > 0 {
		log.Warn("stopping the PostgreSQL that an earlier run left behind", "cluster", dir, "postmaster", recorded.pid, "processes", running)
		if err := stopLeftovers(ctx, dir, recorded.pid); err != nil {
			return err
		}
	}
	return removeStaleFile(dir, log)
}

// stopLeftovers stops a postmaster, or the orphans of one, in growing severity.
func stopLeftovers(ctx context.Context, dir string, postmaster int) error {
	stages := []struct {
		toPostmaster, toOrphan syscall.Signal
		grace                  time.Duration
	}{
		{syscall.SIGINT, syscall.SIGTERM, fastGrace},
		{syscall.SIGQUIT, syscall.SIGQUIT, immediateGrace},
		{syscall.SIGKILL, syscall.SIGKILL, killGrace},
	}
	for _, stage := range stages {
		grace := stage.grace
		running, err := processesIn(dir)
		if err != nil {
			return err
		}
		if slices.Contains(running, postmaster) {
			signalIn(dir, postmaster, stage.toPostmaster)
		} else {
			grace = min(grace, immediateGrace) // orphans have nothing to finish
			for _, pid := range running {
				signalIn(dir, pid, stage.toOrphan)
			}
		}
		if err := waitUntilNone(ctx, dir, grace); !errors.Is(err, errStillRunning) {
			return err
		}
	}
	return fmt.Errorf("PostgreSQL of an earlier run does not end in %s: %w", dir, errStillRunning)
}

// killAllIn ends every PostgreSQL process in a directory whose contents do not matter. The directory may be missing.
func killAllIn(ctx context.Context, dir string) error {
	running, err := processesIn(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || len(running) == 0 {
		return err
	}
	for _, pid := range running {
		signalIn(dir, pid, syscall.SIGKILL)
	}
	return waitUntilNone(ctx, dir, killGrace)
}

// signalIn signals a process only if it is a PostgreSQL process in the directory. Where the kernel allows it, the process is
// held by a handle before that is checked, so that a reused process id cannot be hit.
func signalIn(dir string, pid int, signal syscall.Signal) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return
	}
	defer process.Release()
	if running, err := processesIn(dir); err == nil && slices.Contains(running, pid) {
		_ = process.Signal(signal) // it has ended, or waitUntilNone will tell
	}
}

var errStillRunning = errors.New("still running")

// waitUntilNone waits until no PostgreSQL process works in the directory.
func waitUntilNone(ctx context.Context, dir string, grace time.Duration) error {
	limit, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := poll(limit, func() (bool, error) {
		running, err := processesIn(dir)
		return len(running) == 0, err
	})
	if err != nil && ctx.Err() == nil && limit.Err() != nil {
		return errStillRunning
	}
	return err
}

// removeStaleFile removes a postmaster.pid whose process id is taken, though no PostgreSQL works in the directory: by another program,
// or by a dead process that its parent has not yet collected. PostgreSQL would take either for a running server and refuse
// to start. All other remainders it recognises itself.
func removeStaleFile(dir string, log *slog.Logger) error {
	recorded, err := readPostmasterFile(dir)
	if err != nil || recorded.pid == 0 {
		return err
	}
	pid := max(recorded.pid, -recorded.pid)
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return nil
	}
	log.Info("removing the postmaster.pid of an earlier run: its process is gone, and the process id is not free", "cluster", dir, "pid", pid)
	return os.Remove(filepath.Join(dir, "postmaster.pid"))
}

// readPostmasterFile reads postmaster.pid: process id in the first line, status in the eighth. A missing or half-written
// file is a zero value.
func readPostmasterFile(dir string) (postmasterFile, error) {
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return postmasterFile{}, nil
	}
	if err != nil {
		return postmasterFile{}, err
	}
	lines := strings.Split(string(text), "\n")
	var found postmasterFile
	found.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) > 7 {
		found.status = strings.TrimSpace(lines[7])
	}
	return found, nil
}

// poll asks at once and then at every interval until the answer is yes, an error, or ctx has ended.
func poll(ctx context.Context, ask func() (bool, error)) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
