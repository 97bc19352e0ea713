package clock

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root is the module of the server.
const root = "../../.."

// wall are the functions and methods that tell the machine's time of day, by which nothing may be decided. What is left of
// package time measures how long something took, by the monotonic clock: that is right whatever the clock says.
var wall = map[string]bool{"Unix": true, "UnixNano": true, "UnixMicro": true, "UnixMilli": true, "Round": true, "UTC": true,
	"Local": true, "In": true, "Format": true, "AppendFormat": true, "Truncate": true, "MarshalJSON": true}

// allowed are the uses of those, by file and function, with the reason.
var allowed = map[string]string{
	"repository/peek.go String UnixMicro":          "a time of the database's, in a cursor",
	"repository/peek.go parsePeekCursor UnixMicro": "a time of the database's, from a cursor",
	"repository/peek.go PeekMessages Unix":         "the beginning of all times",
}

// TestNothingIsDecidedByTheReplicasClock looks for uses of the time of day in the core and in the store, and for times of this
// machine among the parameters of statements.
func TestNothingIsDecidedByTheReplicasClock(t *testing.T) {
	found := map[string]bool{}
	nows := 0
	for _, dir := range []string{"service", "service/engine", "service/wake", "service/maintain", "repository"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				nows += inspect(t, file, found)
			}
		}
	}
	for use := range found {
		if allowed[use] == "" {
			t.Errorf("%s: the machine's time of day; decide by the database's, or measure by time.Since", use)
		}
	}
	for use := range allowed {
		if !found[use] {
			t.Errorf("%s is allowed, and is gone", use)
		}
	}
	if nows < 10 {
		t.Errorf("%d uses of time.Now were seen: the search is broken", nows)
	}
}

// inspect notes the uses of the time of day in a file, and counts those of time.Now.
func inspect(t *testing.T, file string, found map[string]bool) (nows int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	name, err := filepath.Rel(root, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range tree.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		ast.Inspect(function, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			called, ok := call.Fun.(*ast.SelectorExpr)
			switch {
			case !ok:
			case called.Sel.Name == "Now":
				nows++
			case wall[called.Sel.Name]:
				found[name+" "+function.Name.Name+" "+called.Sel.Name] = true
			case strings.HasPrefix(called.Sel.Name, "Query") || called.Sel.Name == "Exec" || called.Sel.Name == "queue":
				for _, argument := range call.Args {
					if now, ok := argument.(*ast.CallExpr); ok && isNow(now) {
						found[name+" "+function.Name.Name+" parameter"] = true
					}
				}
			}
			return true
		})
	}
	return nows
}

func isNow(call *ast.CallExpr) bool {
	called, ok := call.Fun.(*ast.SelectorExpr)
	return ok && called.Sel.Name == "Now"
}
