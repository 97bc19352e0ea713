package secrets

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// processList is what others could see of the machine's processes while the test ran.
type processList struct {
	mu    sync.Mutex
	lines map[string]bool
}

// watchProcesses looks at them until the test ends.
func watchProcesses(t *testing.T) *processList {
	t.Helper()
	p := &processList{lines: map[string]bool{}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			p.look()
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	return p
}

func (p *processList) look() {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // none where there is no /proc
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil { // or it has just ended
			p.lines[strings.ReplaceAll(string(text), "\x00", " ")] = true
		}
	}
}

// String is all lines.
func (p *processList) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all strings.Builder
	for line := range p.lines {
		all.WriteString(line + "\n")
	}
	return all.String()
}
