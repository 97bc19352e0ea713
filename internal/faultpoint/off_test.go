//go:build !fault

package faultpoint

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"tusq/internal/faultpoint/catalogue"
)

// TestPointsCostNothing: what a normal build calls at a point neither allocates nor takes time.
func TestPointsCostNothing(t *testing.T) {
	allocated := testing.AllocsPerRun(1000, func() {
		Pass("repository.commit.before")
		if Hit("repository.commit.before") != nil || Bug("ack-before-commit") || Planned() {
			t.Error("something is wrong in a normal build")
		}
		if SQL("SELECT 1") != "SELECT 1" {
			t.Error("a statement is changed in a normal build")
		}
	})
	if allocated != 0 {
		t.Errorf("%v allocations at a point", allocated)
	}
}

// TestNormalBinaryHasNothingOfIt looks for the names of points and bugs, and for the
// package's code, in the binary that is shipped and in that of the fault suite.
func TestNormalBinaryHasNothingOfIt(t *testing.T) {
	normal, fault := build(t), build(t, "-tags", "fault")
	var names []string
	for _, p := range catalogue.Points {
		names = append(names, p.Name)
	}
	for _, b := range catalogue.Bugs {
		names = append(names, b.Name)
	}
	for _, name := range append(names, "TUSQ_BUG", "TUSQ_FAULT") {
		if bytes.Contains(normal, []byte(name)) {
			t.Errorf("%s is in the normal binary", name)
		}
		if !bytes.Contains(fault, []byte(name)) {
			t.Errorf("%s is not in the fault suite's binary", name)
		}
	}
	if call := regexp.MustCompile(`tusq/internal/faultpoint\.\w+`).Find(normal); call != nil {
		t.Errorf("the normal binary has a function %s", call)
	}
}

func build(t *testing.T, flags ...string) []byte {
	t.Helper()
	for _, source := range []string{"api", "client", "cmd", "internal", "migrations", "openapi", "repository", "service", "web"} {
		// go test keeps the result until something changes that the test has looked at itself.
		if err := filepath.WalkDir("../../"+source, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "tusq")
	args := append([]string{"build", "-ldflags=-w", "-o", path}, append(flags, "tusq/cmd/tusq")...)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}
