// Package clock sets the clock of a replica wrong. Programs in Go ask the kernel for the time by themselves, so that no library can
// come between; the replica is built with a changed package time instead.
package clock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Of the environment of a program that Build has made: how many seconds its clock is off, and after how many of
// its life.
const (
	offsetVariable = "TUSQ_FAULT_CLOCK_OFFSET"
	afterVariable  = "TUSQ_FAULT_CLOCK_AFTER"
)

// Wrong is the environment of a program whose clock jumps by offset, so long after its start.
func Wrong(offset, after time.Duration) []string {
	return []string{
		fmt.Sprintf("%s=%d", offsetVariable, int64(offset/time.Second)),
		fmt.Sprintf("%s=%d", afterVariable, int64(after/time.Second)),
	}
}

// Of package time: what Now asks, and what it asks instead.
const (
	asked   = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n\t\treturn Time{uint64(nsec), sec + unixToInternal, Local}\n"
	instead = "\tsec, nsec, mono := faultNow()\n\tif mono == 0 {\n\t\treturn Time{uint64(nsec), sec + unixToInternal, Local}\n"
)

// faultSource is added to package time. The monotonic clock is right, as on machines whose wall clock is set.
const faultSource = `package time

import "syscall"

var faultOffset, faultAfter = faultSetting("` + offsetVariable + `"), faultSetting("` + afterVariable + `") * int64(Second)

func faultSetting(name string) (value int64) {
	text, _ := syscall.Getenv(name)
	negative := text != "" && text[0] == '-'
	if negative {
		text = text[1:]
	}
	for _, digit := range text {
		value = value*10 + int64(digit-'0')
	}
	if negative {
		return -value
	}
	return value
}

func faultNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	if mono-startNano >= faultAfter {
		sec += faultOffset
	}
	return sec, nsec, mono
}
`

// Build builds a program of a module with the changed package time: see Wrong. It compiles all of the standard library that the
// program has, which takes minutes once.
func Build(ctx context.Context, module, pkg, output string) error {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return err
	}
	if strings.Count(string(text), asked) != 1 {
		return errors.New("this release of Go has another time.Now: see package clock")
	}
	dir, err := os.MkdirTemp("", "tusq-clock-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	changed, added := filepath.Join(dir, "time.go"), filepath.Join(dir, "fault.go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		original: changed,
		filepath.Join(filepath.Dir(original), "fault.go"): added,
	}})
	err = errors.Join(err,
		os.WriteFile(changed, []byte(strings.Replace(string(text), asked, instead, 1)), 0o644),
		os.WriteFile(added, []byte(faultSource), 0o644),
		os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644))
	if err != nil {
		return err
	}
	if output, err = filepath.Abs(output); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-C", module, "-overlay", filepath.Join(dir, "overlay.json"), "-o", output, pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return nil
}
