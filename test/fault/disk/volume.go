// Package disk does harm to what PostgreSQL's files are on: it cuts the power of a volume, and fills it. A volume is an ext4 file
// system in a file. Its power loss keeps what was synchronised and drops what was only written, as a machine's does; it
// does not model sectors that are written in part.
package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotAllowed says that this process cannot make volumes.
var ErrNotAllowed = errors.New("file systems cannot be mounted here")

// Of ext4: EXT4_IOC_SHUTDOWN, and not even the journal is written.
const (
	shutdownRequest = 0x8004587d
	withoutJournal  = 2
)

// Volume is a file system of its own.
type Volume struct {
	image *os.File // has no name: it ends with this process
	root  string   // a directory that is the volume's
	dir   string   // where it is mounted
}

// NewVolume makes a volume of so many bytes, of which only those take space that are used. See Private for who may.
func NewVolume(ctx context.Context, size int64) (*Volume, error) {
	if os.Getenv(privateMark) == "" {
		return nil, fmt.Errorf("%w: Private has not given the process its own mounts", ErrNotAllowed)
	}
	root, err := os.MkdirTemp("", "tusq-volume-")
	if err != nil {
		return nil, err
	}
	v := &Volume{root: root, dir: filepath.Join(root, "volume")}
	if err := v.make(ctx, size); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *Volume) make(ctx context.Context, size int64) (err error) {
	if err := errors.Join(os.Chmod(v.root, 0o755), os.Mkdir(v.dir, 0o755)); err != nil {
		return err
	}
	if v.image, err = os.CreateTemp(v.root, "image"); err != nil {
		return err
	}
	if err := errors.Join(os.Remove(v.image.Name()), v.image.Truncate(size)); err != nil {
		return err
	}
	// None of it is reserved for root, and it is made as a whole now, not in the background.
	if err := run(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", v.imagePath()); err != nil {
		return err
	}
	return v.Mount(ctx)
}

// imagePath names the image for other programs.
func (v *Volume) imagePath() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), v.image.Fd()) }

// Dir is where the volume is mounted.
func (v *Volume) Dir() string { return v.dir }

// Mount mounts the volume and replays its journal.
func (v *Volume) Mount(ctx context.Context) error {
	if err := run(ctx, "mount", "-t", "ext4", "-o", "loop", v.imagePath(), v.dir); err != nil {
		return fmt.Errorf("%w: %w", ErrNotAllowed, err)
	}
	return os.Chmod(v.dir, 0o755)
}

// Unmount unmounts it, once the last process that uses it has ended: that must come by itself.
func (v *Volume) Unmount(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		err := unix.Unmount(v.dir, 0)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("unmount %s: %w", v.dir, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("unmount %s: it is in use", v.dir)
}

// Sync writes all that the volume holds to its disk.
func (v *Volume) Sync() error {
	dir, err := os.Open(v.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

// CutPower ends all writing to the volume's disk at once. What uses the volume gets errors from now on. What was not
// synchronised before is gone once the volume has been unmounted and mounted again.
func (v *Volume) CutPower() error {
	dir, err := os.Open(v.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), shutdownRequest, withoutJournal); err != nil {
		return fmt.Errorf("cut the power of %s: %w", v.dir, err)
	}
	return nil
}

// ballast is the file that fills a volume.
const ballast = "ballast"

// Fill takes all space but so many bytes.
func (v *Volume) Fill(leave int64) error {
	free, err := v.Free()
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(v.dir, ballast))
	if err != nil {
		return err
	}
	defer file.Close()
	if free <= leave {
		return nil
	}
	if err := unix.Fallocate(int(file.Fd()), 0, 0, free-leave); err != nil && !errors.Is(err, unix.ENOSPC) { // its own blocks take space too
		return fmt.Errorf("fill %s: %w", v.dir, err)
	}
	return nil
}

// Empty gives back what Fill took.
func (v *Volume) Empty() error { return os.Remove(filepath.Join(v.dir, ballast)) }

// Free is how many bytes the volume has left.
func (v *Volume) Free() (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(v.dir, &stat); err != nil {
		return 0, err
	}
	return int64(stat.Bavail) * stat.Bsize, nil
}

// Close unmounts the volume and removes it, also while it is in use.
func (v *Volume) Close() error {
	_ = unix.Unmount(v.dir, unix.MNT_DETACH) // it may not be mounted
	if v.image != nil {
		_ = v.image.Close()
	}
	return os.RemoveAll(v.root)
}

// run runs a program to its end.
func run(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
