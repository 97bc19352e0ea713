package embeddedpg

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
)

const (
	// logPrefix begins each line that the server logs: process id, kind of process, SQLSTATE.
	logPrefix = "%p|%b|%e|"
	// longestLine is where a log line is cut, in bytes.
	longestLine = 8 << 10
	// tailLines is how many log lines an error shows.
	tailLines = 12
)

var (
	logLine = regexp.MustCompile(`^(?:(\d+)\|([^|]*)\|([0-9A-Z]{5})\|)?([A-Z]+[1-5]?):\s+(.*)$`)

	levels = map[string]slog.Level{
		"DEBUG": slog.LevelDebug, "DEBUG1": slog.LevelDebug, "DEBUG2": slog.LevelDebug, "DEBUG3": slog.LevelDebug,
		"DEBUG4": slog.LevelDebug, "DEBUG5": slog.LevelDebug,
		"LOG": slog.LevelInfo, "INFO": slog.LevelInfo, "NOTICE": slog.LevelInfo,
		"DETAIL": slog.LevelInfo, "HINT": slog.LevelInfo, "CONTEXT": slog.LevelInfo, "STATEMENT": slog.LevelInfo,
		"WARNING": slog.LevelWarn,
		"ERROR":   slog.LevelError, "FATAL": slog.LevelError, "PANIC": slog.LevelError,
	}

	// speakable are the classes of SQLSTATE whose messages speak of the server. The others speak of the statement, and can
	// quote its values: 'invalid input syntax for type integer: "..."'. Whoever sent the statement gets the message.
	speakable = []string{"00", "01", "08", "40", "53", "55", "57", "58", "F0", "XX"}
)

// forwarder passes what the server logs to the logger.
type forwarder struct {
	log  *slog.Logger
	tail *tail
	last record
}

// record is one line of the server's log.
type record struct {
	level    slog.Level
	text     string
	attrs    []slog.Attr
	withheld bool // an ERROR whose text may hold values
}

// forward reads to the end. It must never stop earlier: a server with a full pipe stands still.
func (f *forwarder) forward(from io.Reader) {
	lines := bufio.NewReaderSize(from, longestLine)
	for {
		line, cut, err := lines.ReadLine()
		if err != nil {
			return
		}
		f.pass(string(line))
		for cut && err == nil {
			_, cut, err = lines.ReadLine()
		}
	}
}

// pass logs one line. A line that begins with a tab continues the one before.
func (f *forwarder) pass(line string) {
	r := f.last
	if rest, continues := strings.CutPrefix(line, "\t"); continues {
		if r.withheld {
			return
		}
		r.text = rest
	} else {
		r = parseLine(line)
		f.last = r
	}
	f.tail.add(r.text)
	f.log.LogAttrs(context.Background(), r.level, "postgres: "+r.text, r.attrs...)
}

// parseLine reads a line of the server's log. One that is not in its form comes from before the server had its settings, or from the
// operating system, and is a warning.
func parseLine(line string) record {
	match := logLine.FindStringSubmatch(line)
	if match == nil {
		return record{level: slog.LevelWarn, text: line}
	}
	pid, kind, state, severity, text := match[1], match[2], match[3], match[4], match[5]
	level, known := levels[severity]
	if !known {
		return record{level: slog.LevelWarn, text: line}
	}
	r := record{level: level, text: text}
	if pid != "" {
		r.attrs = []slog.Attr{slog.String("postgres_pid", pid), slog.String("process", kind), slog.String("sqlstate", state)}
	}
	if severity == "ERROR" && !slices.Contains(speakable, state[:min(2, len(state))]) {
		r.level, r.withheld, r.text = slog.LevelWarn, true, "a statement failed; its sender has the message"
	}
	return r
}

// tail keeps the last lines of the server's log, for errors.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
	t.lines = t.lines[max(0, len(t.lines)-tailLines):]
}

// explain adds the last lines to an error.
func (t *tail) explain(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return err
	}
	return fmt.Errorf("%w; its last log lines: %s", err, strings.Join(t.lines, "; "))
}
