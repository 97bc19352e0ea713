package process

import "syscall"

// attributes give a process a group of its own. The kernel ends it when this program is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
