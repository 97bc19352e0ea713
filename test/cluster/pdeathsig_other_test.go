//go:build !linux

package cluster

import "os/exec"

// dieWithParent does nothing: only Linux can end a command when its parent is killed.
func dieWithParent(*exec.Cmd) {}
