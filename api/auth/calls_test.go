package auth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Who may ask the service for secrets, and for callers without their secrets: only what has
// verified a signature or a session.
var askers = map[string][]string{
	"SecretsOf":      {"api/auth/signatures.go"},
	"CallerOfSecret": {"api/auth/signatures.go"},
	"CallerOfKey":    {"service/session.go"},
}

func TestWhoAsksForCallers(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	found := map[string]int{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			allowed, guarded := askers[selector.Sel.Name]
			if !guarded {
				return true
			}
			found[selector.Sel.Name]++
			for _, file := range allowed {
				if filepath.ToSlash(name) == file {
					return true
				}
			}
			t.Errorf("%s asks for %s", name, selector.Sel.Name)
			return true
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range askers {
		if found[name] != len(files) {
			t.Errorf("%s is asked for %d times, want %d", name, found[name], len(files))
		}
	}
}
