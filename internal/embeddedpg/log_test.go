package embeddedpg

import (
	"log/slog"
	"strings"
	"testing"
)

func TestParseLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]record{
		"7|postmaster|00000|LOG:  database system is ready":           {level: slog.LevelInfo, text: "database system is ready"},
		"7|checkpointer|58030|PANIC:  could not write":                {level: slog.LevelError, text: "could not write"},
		"7|client backend|53100|ERROR:  could not extend file":        {level: slog.LevelError, text: "could not extend file"},
		"7|client backend|57P01|FATAL:  terminating connection":       {level: slog.LevelError, text: "terminating connection"},
		"7|client backend|01000|WARNING:  there is no transaction":    {level: slog.LevelWarn, text: "there is no transaction"},
		`7|client backend|22P02|ERROR:  invalid input syntax: "hush"`: {level: slog.LevelWarn, text: "a statement failed; its sender has the message", withheld: true},
		"FATAL:  could not load a library":                            {level: slog.LevelError, text: "could not load a library"},
		"postgres: could not find itself":                             {level: slog.LevelWarn, text: "postgres: could not find itself"},
		"ODD:  thing":                                                 {level: slog.LevelWarn, text: "ODD:  thing"},
		"":                                                            {level: slog.LevelWarn},
	} {
		got := parseLine(line)
		if got.level != want.level || got.text != want.text || got.withheld != want.withheld {
			t.Errorf("%q: %+v, want %+v", line, got, want)
		}
	}
}

// TestForwardReadsOn checks that neither long lines nor withheld ones stop the forwarder, and that its tail is bounded.
func TestForwardReadsOn(t *testing.T) {
	t.Parallel()
	log := &journal{}
	f := &forwarder{log: slog.New(slog.NewTextHandler(log, nil)), tail: &tail{}}
	f.forward(strings.NewReader("1|x|00000|LOG:  " + strings.Repeat("a", 3*longestLine) + "\n" +
		"1|x|42601|ERROR:  hush\n\thush\n1|x|00000|LOG:  two\n\tlines\n" + strings.Repeat("1|x|00000|LOG:  more\n", 99) + "unended"))
	checkWords(t, log.String(), "postgres: two", "postgres: lines", "postgres: unended", "process=x")
	if strings.Contains(log.String(), "hush") {
		t.Error("a withheld line was logged")
	}
	if len(f.tail.lines) != tailLines {
		t.Errorf("the tail has %d lines", len(f.tail.lines))
	}
}
