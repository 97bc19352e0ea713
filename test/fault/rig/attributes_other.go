//go:build !linux

package rig

import "syscall"

// endWithParent gives a process a group of its own. Only Linux can end it when this process is killed.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
