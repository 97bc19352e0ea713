//go:build !linux

package embeddedpg

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// sysProcAttr: only Linux can signal a child when its parent dies. Elsewhere the next Start stops what was left running.
func sysProcAttr(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// processesIn lists the PostgreSQL processes that work in the directory, by their program and their working directory.
// Processes of users that this one cannot look at are not listed. dir must exist.
func processesIn(dir string) ([]int, error) {
	want, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	// One record for each process: p<pid>, then n<working directory>. It exits with 1 when there is none.
	out, err := exec.Command("lsof", "-w", "-a", "-c", "/^(postgres|initdb)$/", "-d", "cwd", "-Fpn").Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		return nil, err
	}
	var pids []int
	pid := 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "p"):
			pid, _ = strconv.Atoi(line[1:])
		case strings.HasPrefix(line, "n") && pid != 0:
			if cwd, err := os.Stat(line[1:]); err == nil && os.SameFile(cwd, want) {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}
