package main

import (
	"testing"

	"github.com/alecthomas/kong"
)

// TestEmptyVariablesOfPathsAreAbsent: NAME: ${NAME:-} in a compose file sets a variable to nothing, which is no path.
func TestEmptyVariablesOfPathsAreAbsent(t *testing.T) {
	var c cli
	parser := newParser(t.Context(), &c)
	var paths []*kong.Flag
	_ = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && flag.Tag.Type == "path" {
			paths = append(paths, flag)
			t.Setenv(flag.Envs[0], "")
		}
		return next(nil)
	})
	if len(paths) < 8 {
		t.Errorf("only %d flags are paths", len(paths))
	}
	if _, err := parser.Parse([]string{"serve"}); err != nil {
		t.Fatal(err)
	}
	for _, flag := range paths {
		want := flag.Default
		if want != "" {
			want = kong.ExpandPath(want)
		}
		if path := flag.Target.String(); path != want {
			t.Errorf("%s= is %q, want %q", flag.Envs[0], path, want)
		}
	}
	if config, err := c.config(); config != nil || err != nil {
		t.Errorf("a client's certificates: %v, %v", config, err)
	}
}

func TestPathsOfFlagsAreAbsolute(t *testing.T) {
	t.Chdir("/usr")
	for given, want := range map[string]string{"ca.pem": "/usr/ca.pem", "../ca.pem": "/ca.pem", "/etc/ca.pem": "/etc/ca.pem"} {
		var c cli
		if _, err := newParser(t.Context(), &c).Parse([]string{"queue", "list", "--ca-file", given}); err != nil || c.CAFile != want {
			t.Errorf("%s is %q, %v; want %s", given, c.CAFile, err, want)
		}
	}
}
