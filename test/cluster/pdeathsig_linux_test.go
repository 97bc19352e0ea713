package cluster

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends a command when the test is killed.
func dieWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
