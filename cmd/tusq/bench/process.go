package bench

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of CPU times in /proc: USER_HZ, which is 100 on every
// architecture that Go runs on.
const ticksPerSecond = 100

// process is what Linux tells of one in /proc/PID.
type process struct {
	pid, parent int
	name        string  // of its command
	cpu         float64 // seconds, with those of its children that ended
	private     int64   // bytes of memory that no other process has
	file        int64   // bytes of mapped files, mostly shared with others of the same command
	shared      int64   // bytes of shared memory
	highest     int64   // bytes that all three together had at most since its start
}

// processes are some with all their descendants.
type processes []process

// readProcesses reads the named processes, which must exist, and their descendants.
func readProcesses(pids []int) (processes, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	children := map[int][]process{}
	found := processes{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		p, err := readStat(pid)
		switch {
		case err != nil: // it has just ended
		case slices.Contains(pids, pid):
			found = append(found, p)
		default:
			children[p.parent] = append(children[p.parent], p)
		}
	}
	for _, pid := range pids {
		if !slices.ContainsFunc(found, func(p process) bool { return p.pid == pid }) {
			return nil, fmt.Errorf("there is no process %d", pid)
		}
	}
	for i := 0; i < len(found); i++ { // which grows
		found = append(found, children[found[i].pid]...)
		found[i].readMemory()
	}
	return found, nil
}

// readStat reads /proc/PID/stat. The command's name stands in parentheses and may hold
// anything.
func readStat(pid int) (process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("/proc/%d/stat is malformed", pid)
	}
	fields := strings.Fields(string(text[end+1:])) // from the third on
	if len(fields) < 15 {
		return process{}, fmt.Errorf("/proc/%d/stat is malformed", pid)
	}
	p := process{pid: pid, name: string(text[open+1 : end])}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, err
	}
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		ticks, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return process{}, err
		}
		p.cpu += ticks / ticksPerSecond
	}
	return p, nil
}

// readMemory reads /proc/PID/status; of a process that has just ended it leaves zeros.
func (p *process) readMemory() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return
	}
	fields := map[string]*int64{"RssAnon:": &p.private, "RssFile:": &p.file, "RssShmem:": &p.shared, "VmHWM:": &p.highest}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 3 && fields[words[0]] != nil {
			kilobytes, _ := strconv.ParseInt(words[1], 10, 64)
			*fields[words[0]] = kilobytes << 10
		}
	}
}

// ownCPU returns the CPU seconds of this process.
func ownCPU() (float64, error) {
	p, err := readStat(os.Getpid())
	return p.cpu, err
}

// cpu returns the CPU seconds by command. The sum over a tree of processes holds those
// that ended, in their parents.
func (ps processes) cpu() map[string]float64 {
	sums := map[string]float64{}
	for _, p := range ps {
		sums[p.name] += p.cpu
	}
	return sums
}

// memory returns the bytes of memory by command; what processes of one command share is
// counted once.
func (ps processes) memory() map[string]int64 {
	private, file, shared := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, p := range ps {
		private[p.name] += p.private
		file[p.name] = max(file[p.name], p.file)
		shared[p.name] = max(shared[p.name], p.shared)
	}
	for name := range private {
		private[name] += file[name] + shared[name]
	}
	return private
}

// newPeaks returns the highest memory, by command, of processes for which it has grown
// since before: samples can miss a short peak.
func (ps processes) newPeaks(before processes) map[string]int64 {
	was := map[int]int64{}
	for _, p := range before {
		was[p.pid] = p.highest
	}
	peaks := map[string]int64{}
	for _, p := range ps {
		if p.highest > was[p.pid] {
			peaks[p.name] = max(peaks[p.name], p.highest)
		}
	}
	return peaks
}
