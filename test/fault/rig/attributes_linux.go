package rig

import "syscall"

// endWithParent gives a process a group of its own. The kernel kills it when this process is killed.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
