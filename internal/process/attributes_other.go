//go:build !linux

package process

import "syscall"

// attributes give a process a group of its own. Only Linux can end it when this program is killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
