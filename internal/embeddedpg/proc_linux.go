package embeddedpg

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// sysProcAttr asks the kernel to send the child the signal when the thread that starts it ends.
func sysProcAttr(onParentDeath syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: onParentDeath}
}

// processesIn lists the PostgreSQL processes that work in the directory, by their program and their working directory.
// Processes of users that this one cannot look at are not listed. dir must exist.
func processesIn(dir string) ([]int, error) {
	want, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !isProgramOfPostgres(pid) {
			continue
		}
		cwd, err := os.Stat(filepath.Join("/proc", entry.Name(), "cwd"))
		if err == nil && os.SameFile(cwd, want) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// isProgramOfPostgres looks at the program that the process runs. The kernel marks one that an upgrade of the package
// has replaced as deleted; it is still ours.
func isProgramOfPostgres(pid int) bool {
	exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), "exe"))
	if err != nil {
		return false
	}
	name := filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
	return name == "postgres" || name == "initdb"
}
