package embeddedpg

import (
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Programs are PostgreSQL's programs and the user that runs them, for those who keep clusters of their own: the tests of
// faults. When this process is root, that user is another one.
type Programs struct {
	bin   binaries
	owner account
}

// FindPrograms finds the programs that a new cluster would be made with.
func FindPrograms(ctx context.Context) (Programs, error) {
	owner, err := accountForNew()
	if err != nil {
		return Programs{}, err
	}
	bin, err := newFinder("", owner).anyVersion(ctx)
	return Programs{bin: bin, owner: owner}, err
}

// Command prepares a program by its name, like initdb, as the user. The end of ctx kills it with its process group; on
// Linux it gets the signal when the thread that started it ends.
func (p Programs) Command(ctx context.Context, onParentDeath syscall.Signal, name string, args ...string) *exec.Cmd {
	return p.CommandAt(ctx, onParentDeath, filepath.Join(p.bin.dir, name), args...)
}

// CommandAt is Command for a program that is none of PostgreSQL's, by its path.
func (p Programs) CommandAt(ctx context.Context, onParentDeath syscall.Signal, path string, args ...string) *exec.Cmd {
	return p.owner.command(ctx, onParentDeath, path, args...)
}

// Dir is the directory with PostgreSQL's programs.
func (p Programs) Dir() string { return p.bin.dir }

// Give hands a directory that this process has just made over to the user.
func (p Programs) Give(path string) error { return p.owner.give(path) }

// ProcessesIn lists the PostgreSQL processes that work in a cluster's directory, which must exist.
func ProcessesIn(dir string) ([]int, error) { return processesIn(dir) }
