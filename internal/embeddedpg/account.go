package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// newClusterUsers are the users that root's new clusters may belong to, best first. PostgreSQL refuses to run as root.
var newClusterUsers = []string{"tusq", "postgres", "nobody"}

// account is the operating system user that runs PostgreSQL and owns its files.
type account struct {
	uid, gid int
	name     string
	// foreign: not the user of this process, which is root. Files are handed over to it and children switch to it.
	foreign bool
}

// accountForNew chooses who will own a new cluster: the user of this process, unless that is root.
func accountForNew() (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{uid: uid, gid: os.Getegid(), name: userName(uid)}, nil
	}
	for _, name := range newClusterUsers {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(found.Uid)
		gid, errGID := strconv.Atoi(found.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return account{uid: uid, gid: gid, name: name, foreign: true}, nil
		}
	}
	return account{}, fmt.Errorf("PostgreSQL does not run as root, and none of the users %s exists: run tusq as an ordinary user",
		strings.Join(newClusterUsers, ", "))
}

// accountForOwner is the owner of an existing cluster, if this process can act for it.
func accountForOwner(cluster string, info fs.FileInfo) (account, error) {
	uid, gid := ownerOf(info)
	owner := account{uid: uid, gid: gid, name: userName(uid)}
	switch self := os.Geteuid(); {
	case uid == self && uid != 0:
		return owner, nil
	case uid == 0:
		return account{}, fmt.Errorf("the cluster %s is owned by root, and PostgreSQL does not run as root: give it back to its user with chown -R", cluster)
	case self == 0:
		owner.foreign = true
		return owner, nil
	default:
		return account{}, fmt.Errorf("the cluster %s is owned by user %s, and tusq runs as %s: run it as %s or root, or use another data directory",
			cluster, owner.name, userName(self), owner.name)
	}
}

func ownerOf(info fs.FileInfo) (uid, gid int) {
	stat := info.Sys().(*syscall.Stat_t)
	return int(stat.Uid), int(stat.Gid)
}

func userName(uid int) string {
	if found, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return found.Username
	}
	return strconv.Itoa(uid)
}

// give hands a directory that this process has just made over to the account.
func (a account) give(path string) error {
	if !a.foreign {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}

// command prepares a program of PostgreSQL: as the account, in a process group of its own (a Ctrl-C at the terminal must not
// reach it), with nothing of this process's environment that could be a secret or change what the program does. On
// Linux it gets the signal when the thread that started it ends. The end of ctx kills it with its children.
func (a account) command(ctx context.Context, onParentDeath syscall.Signal, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = childEnvironment()
	cmd.SysProcAttr = sysProcAttr(onParentDeath)
	cmd.SysProcAttr.Setpgid = true
	if a.foreign {
		// #nosec G115 -- ids come from the system, which has 32 bits for them
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// childEnvironment keeps what a program needs to load and find files. PGDATA and its like would change what it does,
// and tusq's own variables hold credentials. LC_ALL keeps the messages in the language that this package reads.
func childEnvironment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// run runs a short program to its end and returns what it printed. The thread is kept until then: its end would count as
// the death of the parent.
func run(cmd *exec.Cmd) (string, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// canEnter reports whether the account can use the directory, by trying: mode bits do not tell of access control lists
// and mounts.
func (a account) canEnter(ctx context.Context, bin binaries, dir string) (bool, error) {
	if !a.foreign {
		return true, nil
	}
	cmd := a.command(ctx, syscall.SIGKILL, bin.postgres(), "--version")
	cmd.Dir = dir
	_, err := run(cmd)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("try directory %s as user %s: %w", dir, a.name, err)
	}
	return true, nil
}
