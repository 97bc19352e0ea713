package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"tusq/bench/report"
	"tusq/internal/process"
)

// machine says what the figures were measured on. A PostgreSQL is started for its version, which also shows that there is one.
func machine(ctx context.Context, parent string) (report.Machine, error) {
	m := report.Machine{Cores: runtime.NumCPU(), Memory: memory(), Kernel: kernel()}
	dir, err := workDir(parent)
	if err != nil {
		return m, err
	}
	defer os.RemoveAll(dir)
	postgres, err := process.StartPostgres(ctx, dir)
	if err != nil {
		return m, err
	}
	defer postgres.Stop()
	m.PostgreSQL, err = postgres.Version(ctx)
	return m, err
}

// memory is the machine's, where Linux tells it.
func memory() string {
	text, _ := os.ReadFile("/proc/meminfo")
	var kilobytes int64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kilobytes); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%d GiB", (kilobytes+1<<19)>>20)
}

// kernel is its family: name and first two numbers.
func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	numbers := strings.Split(string(release), ".")
	if err != nil || len(numbers) < 2 {
		return runtime.GOOS
	}
	return "Linux " + numbers[0] + "." + numbers[1]
}

// commit names the version of the tree.
func commit(ctx context.Context) string {
	text, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
