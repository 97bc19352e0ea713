package embeddedpg

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockName is the file in the data directory that is locked, and holds the process id of who locked it.
const lockName = "tusq.lock"

// lock is an exclusive flock. The kernel releases it when the process ends; child processes do not inherit it, because
// Go opens files close-on-exec.
type lock struct{ file *os.File }

// errLocked means that somebody else holds the lock.
var errLocked = errors.New("locked")

// lockDataDir locks the data directory, or fails at once, naming the process that holds it.
func lockDataDir(dir string) (*lock, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("data directory %s belongs to another user: run as its owner, or use another data directory (%w)", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	l, err := flock(file)
	if errors.Is(err, errLocked) {
		defer file.Close()
		return nil, fmt.Errorf("data directory %s is in use by another tusq (pid %s)", dir, holder(file))
	}
	if err != nil {
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	if err := l.sign(); err != nil {
		l.release()
		return nil, fmt.Errorf("lock data directory %s: %w", dir, err)
	}
	return l, nil
}

// lockCluster locks the cluster's directory itself: two data directories can link to one cluster.
func lockCluster(dir string) (*lock, error) {
	file, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock cluster: %w", err)
	}
	l, err := flock(file)
	if errors.Is(err, errLocked) {
		_ = file.Close()
		return nil, fmt.Errorf("the cluster %s is in use by another tusq, through another data directory", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("lock cluster %s: %w", dir, err)
	}
	return l, nil
}

// flock locks the file, and closes it on errors other than errLocked.
func flock(file *os.File) (*lock, error) {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errLocked
	case err != nil:
		_ = file.Close()
		return nil, err
	}
	return &lock{file: file}, nil
}

// sign writes this process's id into the lock file, for the message that others get.
func (l *lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// release unlocks explicitly: a child that was just forked shares the open file until it has become another program.
func (l *lock) release() {
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	_ = l.file.Close()
}

// holder reads the process id in a lock file; a holder that has not written it yet is "unknown".
func holder(file *os.File) string {
	text := make([]byte, 20)
	n, _ := file.ReadAt(text, 0)
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n]))); err == nil {
		return strconv.Itoa(pid)
	}
	return "unknown"
}
