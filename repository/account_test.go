package repository

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// ofAccounts are the tables whose rows belong to an account.
var ofAccounts = regexp.MustCompile(`(?i)\b(FROM|JOIN|UPDATE|INTO|USING)\s+(queues|redrives|keys|key_secrets|users|sessions|audit_log|data_keys)\b`)

// byAccount tells whether a statement names the account. byQueue tells whether it names the id of a queue, which nobody but
// the service knows, and which it finds by account and name. Other ids come from callers.
var (
	byAccount = regexp.MustCompile(`\baccount = ([$]|own\.)|INSERT INTO \w+ \([^)]*\baccount\b`)
	byQueue   = regexp.MustCompile(`(?i)\b(FROM|JOIN|UPDATE|INTO|USING)\s+((queues|redrives)\b.*\b(queue_id|source_id)|queues\b.*\bid) = (ANY\()?[$]\d`)
)

// unbound are the statements on these tables that name neither, by their functions or variables, with the reason.
var unbound = map[string]string{
	"audit.go ForgetAudit":         "maintenance",
	"datakey.go ListDataKeys":      "maintenance",
	"datakey.go ResealDataKey":     "maintenance",
	"fsck.go queues":               "a tool of the operator's",
	"fsck.go statesSQL":            "a tool of the operator's",
	"fsck.go orphansSQL":           "a tool of the operator's",
	"inspect.go inspectTables":     "a tool of the operator's",
	"key.go keyColumns":            "a beginning: what follows it has the condition",
	"key.go LoadKeys":              "the ring of all keys, from which callers are recognised",
	"key.go loadSecrets":           "the ring of all keys, from which callers are recognised",
	"key.go CreateFirstKey":        "the deployment's first key, before there are callers",
	"key.go getKey":                "the service compares the key's account with the caller's",
	"key.go insertSecret":          "of a key that was just stored, or that the service has got for the caller",
	"key.go RotateKey":             "of a key that the service has got for the caller",
	"key.go RevokeKey":             "of a key that the service has got for the caller",
	"key.go ResealSecrets":         "maintenance",
	"key.go NoteKeyUses":           "of keys that callers were recognised by",
	"look.go checkSQL":             "of queues that receivers wait on: BETWEEN an id and itself",
	"maintain.go expiredQueuesSQL": "maintenance",
	"maintain.go deletedQueuesSQL": "maintenance",
	"once.go forgottenSQL":         "maintenance",
	"queue.go queueColumns":        "a beginning: what follows it has the condition",
	"redrive.go forgetRedrives":    "maintenance",
	"redrive_step.go StepRedrives": "the job that continues all redrives",
	"redrive_step.go end":          "the job that continues all redrives",
	"redrive_step.go move":         "the job that continues all redrives",
	"session.go GetSession":        "a session is found by the hash of its token, and tells its account",
	"session.go DeleteSession":     "of the hash of its token, which only its holder knows",
	"session.go unusedSessions":    "maintenance",
	"session.go ForgetSessions":    "maintenance",
	"send.go sendHead":             "a beginning: what follows it has the queue's id",
	"send.go handHead":             "a beginning: what follows it has the queue's id",
}

// TestStatementsNameTheAccount: a statement that forgets the account would show one account's rows to another.
func TestStatementsNameTheAccount(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared, trees := texts{}, map[string]*ast.File{}
	for _, file := range files {
		if trees[file], err = parser.ParseFile(token.NewFileSet(), file, nil, 0); err != nil {
			t.Fatal(err)
		}
		declared.declared(trees[file])
	}
	statements := 0
	used := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, declaration := range trees[file].Decls {
			for name, text := range declared.of(declaration) {
				place := file + " " + name
				for _, statement := range text {
					if !ofAccounts.MatchString(statement) {
						continue
					}
					statements++
					if line := strings.ReplaceAll(statement, "\n", " "); byAccount.MatchString(line) || byQueue.MatchString(line) {
						continue
					}
					used[place] = true
					if unbound[place] == "" {
						t.Errorf("%s: this names neither an account nor a row that was found by one:\n%s", place, statement)
					}
				}
			}
		}
	}
	for place := range unbound {
		if !used[place] {
			t.Errorf("%s is excepted, and need not be", place)
		}
	}
	if statements < 40 {
		t.Errorf("%d statements were seen: the search is broken", statements)
	}
}

// package-level texts by their names, for what is added together.
type texts map[string]ast.Expr

// declared adds the texts that a file declares.
func (d texts) declared(tree *ast.File) {
	for _, declaration := range tree.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			if value, ok := spec.(*ast.ValueSpec); ok && len(value.Values) == len(value.Names) {
				for i, name := range value.Names {
					d[name.Name] = value.Values[i]
				}
			}
		}
	}
}

// of returns the statements that a declaration has, whole, by the name of what declares them.
func (d texts) of(declaration ast.Decl) map[string][]string {
	found := map[string][]string{}
	name := ""
	ast.Inspect(declaration, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			name = n.Name.Name
		case *ast.ValueSpec:
			if _, isFunc := declaration.(*ast.FuncDecl); !isFunc {
				name = n.Names[0].Name
			}
		case *ast.BinaryExpr, *ast.BasicLit:
			if text := d.join(n.(ast.Expr)); text != "" {
				found[name] = append(found[name], text)
				return false
			}
		}
		return true
	})
	return found
}

// join returns a text and what is added to it. What is made by a function stays out.
func (d texts) join(n ast.Expr) string {
	switch n := n.(type) {
	case *ast.BasicLit:
		if n.Kind == token.STRING {
			text, _ := strconv.Unquote(n.Value)
			return text
		}
	case *ast.Ident:
		if value, known := d[n.Name]; known {
			return d.join(value)
		}
	case *ast.BinaryExpr:
		if n.Op == token.ADD {
			return d.join(n.X) + " " + d.join(n.Y)
		}
	case *ast.ParenExpr:
		return d.join(n.X)
	}
	return ""
}
