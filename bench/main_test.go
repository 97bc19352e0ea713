package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// parsed reads flags. The program under test is this directory: it must exist, no more.
func parsed(t *testing.T, args ...string) options {
	t.Helper()
	opts, err := parse(append(args, "-tusq", "."), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return opts
}

// keys are the plan's runs in order.
func keys(t *testing.T, opts options) (keys []string) {
	t.Helper()
	steps, _, err := plan(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		keys = append(keys, s.workload.Key+" "+s.subject.Series().Name)
	}
	return keys
}

func TestSeriesTakeTurns(t *testing.T) {
	t.Parallel()
	once := []string{"W1 tusq-rest", "W1 tusq-sqs", "W1 noop", "W1 sql", "B100 tusq-rest", "B100 sql"}
	got := keys(t, parsed(t, "-only", "W1,B100", "-rounds", "2"))
	if want := append(once, once...); !slices.Equal(got, want) {
		t.Errorf("the plan is %q, want %q", got, want)
	}
}

func TestPeersRunWhatTusqRunsBesideThem(t *testing.T) {
	t.Parallel()
	got := keys(t, parsed(t, "-peers", "-rounds", "1"))
	if len(got) != 5*7 || slices.Contains(got, "F1 tusq-rest") || !slices.Contains(got, "W5 rabbitmq-quorum") {
		t.Errorf("the plan is %q", got)
	}
}

func TestOnlyACompleteRunIsDocumented(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                       "docs/performance.md",
		"-rounds 5":              "docs/performance.md",
		"-quick":                 "",
		"-only W1":               "",
		"-series noop":           "",
		"-quick -docs README.md": "README.md",
	} {
		if got := parsed(t, strings.Fields(args)...).docs; got != want {
			t.Errorf("%q rewrites %q, want %q", args, got, want)
		}
	}
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-rounds 0", "-duration 0s", "-backlog 0", "-tusq /nonexistent", "W1", "-unknown"} {
		if _, err := parse(append([]string{"-tusq", "."}, strings.Fields(args)...), io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	for _, only := range []string{"W9", "W1,W9"} {
		if _, _, err := plan(parsed(t, "-only", only)); err == nil {
			t.Errorf("-only %s was accepted", only)
		}
	}
}

func TestCommandSaysHowToMeasureAgain(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                              "make bench",
		"-peers":                        "make bench-peers",
		"-quick -only W1":               `make bench BENCH="-only=W1 -quick"`,
		"-out results -peers -rounds 5": `make bench-peers BENCH="-rounds=5"`,
	} {
		if got := parsed(t, strings.Fields(args)...).command; got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}
