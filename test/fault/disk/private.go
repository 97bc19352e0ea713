package disk

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// privateMark is in the environment of a process whose mounts are its own.
const privateMark = "TUSQ_FAULT_PRIVATE_MOUNTS"

// Private gives this program a mount namespace of its own, so that its mounts end with the last of its processes, however
// that comes. It runs the program anew from its beginning and does not return, but where that has been done
// before, or where it is not allowed: then the error says why, and volumes cannot be made.
func Private() error {
	if os.Getenv(privateMark) != "" {
		return nil
	}
	// The namespace is the thread's alone; exec ends all other threads.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("%w: no namespace for it: %w", ErrNotAllowed, err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: its mounts cannot be made private: %w", ErrNotAllowed, err)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(program, os.Args, append(os.Environ(), privateMark+"=1"))
}
