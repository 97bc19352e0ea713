package bench

import (
	"math"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
)

// needProc skips where there is no /proc.
func needProc(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("CPU and memory are measured on Linux only")
	}
}

// TestProcesses: a process's children are found, by their names, with those that ended in
// its own times.
func TestProcesses(t *testing.T) {
	t.Parallel()
	needProc(t)
	child := exec.CommandContext(t.Context(), "sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	found, err := readProcesses([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	own, _ := readStat(os.Getpid())
	memory := found.memory()
	if found[0].name != own.name || memory[own.name] < 1<<20 || found[0].highest < found[0].private {
		t.Errorf("memory %v, own %+v", memory, found[0])
	}
	if memory["sleep"] == 0 {
		t.Errorf("the child was not found among %v", memory)
	}
	if _, err := readProcesses([]int{math.MaxInt32}); err == nil {
		t.Error("found a process that does not exist")
	}
}

// TestCPU: what a process burns is counted.
func TestCPU(t *testing.T) {
	needProc(t)
	w := watch(t.Context(), &Options{ServerPIDs: []int{os.Getpid()}, Note: t.Errorf})
	for before, now := *w.own, *w.own; now < before+0.2; { // seconds of CPU
		var err error
		if now, err = ownCPU(); err != nil {
			t.Fatal(err)
		}
	}
	s := w.end(1000, 1)
	own, _ := readStat(os.Getpid())
	if *s.ClientCPUSeconds < 0.1 || math.Abs(*s.ClientCPUPer-*s.ClientCPUSeconds*1000) > 0.01 || s.CPUSeconds[own.name] < 0.1 || s.PeakRSS[own.name] < 1<<20 {
		t.Errorf("%+v", s)
	}
}

// TestMemoryIsSharedOnce among processes of one command; a peak counts if it is new.
func TestMemoryIsSharedOnce(t *testing.T) {
	t.Parallel()
	before := processes{{pid: 1, name: "a", highest: 50}, {pid: 2, name: "b", highest: 60}}
	now := processes{
		{pid: 1, name: "a", private: 1, file: 20, shared: 300, highest: 70},
		{pid: 3, name: "a", private: 2, file: 30, shared: 100, highest: 40},
		{pid: 2, name: "b", private: 5, highest: 60},
	}
	if got := now.memory(); got["a"] != 3+30+300 || got["b"] != 5 {
		t.Errorf("memory %v", got)
	}
	if got := now.newPeaks(before); got["a"] != 70 || got["b"] != 0 {
		t.Errorf("new peaks %v", got)
	}
}

// TestStatistics: transactions and WAL of a database are counted.
func TestStatistics(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	w := watch(t.Context(), &Options{DatabaseURL: url, Note: t.Errorf})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)`); err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context()) // which makes it report
	var s Server
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if now, err := w.database.read(t.Context()); err != nil || now.transactions > w.database.began.transactions {
			break
		}
	}
	s = w.end(1000, 2)
	if s.WALPerMessage == nil || *s.WALPerMessage < 1000 || s.TransactionsSecond == nil || *s.TransactionsSecond < 0.5 || s.FsyncsPerSecond == nil {
		t.Errorf("%+v", s)
	}
}

// TestWhatIsNotMeasured is told, and null.
func TestWhatIsNotMeasured(t *testing.T) {
	t.Parallel()
	needProc(t)
	told := 0
	w := watch(t.Context(), &Options{
		DatabaseURL: "postgres://nobody@127.0.0.1:1/none", ServerPIDs: []int{math.MaxInt32},
		Note: func(string, ...any) { told++ },
	})
	s := w.end(0, 1)
	if told != 2 || s.CPUSeconds != nil || s.PeakRSS != nil || s.TransactionsSecond != nil || s.ClientCPUSeconds == nil || s.ClientCPUPer != nil {
		t.Errorf("told %d things of %+v", told, s)
	}
}
