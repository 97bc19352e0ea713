// Package readme runs what README.md shows.
package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tusq/test/testserver"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

const root = "../.."

var block = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```")

// forReal is the heading from which on the README has a server that asks for keys.
const forReal = "\n## Run it for real\n"

// parts are the README before and after forReal.
func parts(t *testing.T) (keyFree, withKeys string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	keyFree, withKeys, found := strings.Cut(string(text), forReal)
	if !found {
		t.Fatalf("the README has no %q", forReal)
	}
	return keyFree, withKeys
}

// blocks are the code blocks of a language in a part of the README, with another server's address.
func blocks(t *testing.T, part, language, url string) (found []string) {
	t.Helper()
	for _, match := range block.FindAllStringSubmatch(part, -1) {
		if match[1] == language {
			found = append(found, strings.ReplaceAll(match[2], "http://127.0.0.1:9324", url))
		}
	}
	if len(found) == 0 {
		t.Fatalf("the README has no block of %s", language)
	}
	return found
}

func TestShellExamples(t *testing.T) {
	t.Parallel()
	keyFree, _ := parts(t)
	url := testserver.New(t)
	dir := t.TempDir()
	binary := build(t, dir)
	repository, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	var out string
	for _, script := range blocks(t, keyFree, "sh", url) {
		script = strings.ReplaceAll(script, "bin/tusq", binary)
		script = strings.ReplaceAll(script, "git log", "git -C "+repository+" log -3")
		script = strings.ReplaceAll(script, "curl ", "curl --fail-with-body -sS ")
		command := exec.CommandContext(t.Context(), "sh", "-ec", script)
		command.Dir = dir
		command.Env = append(os.Environ(), "TUSQ_URL="+url)
		out += run(t, command)
	}
	log := run(t, exec.CommandContext(t.Context(), "git", "-C", repository, "log", "-3", "-p"))
	for line := range strings.Lines(log) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && len(line) < 1<<20 && !strings.Contains(out, line) {
			t.Fatalf("the line %q did not come back", line)
		}
	}
	if !strings.Contains(out, `"body":"hello"`) {
		t.Errorf("the first message did not come back:\n%.2000s", out)
	}
}

// TestExamplesWithKeys runs what is shown for a server that asks for keys.
func TestExamplesWithKeys(t *testing.T) {
	t.Parallel()
	_, withKeys := parts(t)
	server := testserver.NewSecure(t)
	dir := t.TempDir()
	binary := build(t, dir)
	var out string
	for _, script := range blocks(t, withKeys, "sh", server.URL) {
		script = strings.ReplaceAll(script, "bin/tusq", binary)
		script = strings.ReplaceAll(script, "curl ", "curl --fail-with-body -sS ")
		command := exec.CommandContext(t.Context(), "sh", "-ec", script)
		command.Dir = dir
		command.Env = append(os.Environ(), "TUSQ_URL="+server.URL, "TUSQ_TOKEN="+server.Token())
		out += run(t, command)
	}
	if !strings.Contains(out, "created key shop") || !strings.Contains(out, `"name":"orders"`) {
		t.Errorf("the examples printed\n%s", out)
	}
}

func build(t *testing.T, dir string) (binary string) {
	t.Helper()
	binary = filepath.Join(dir, "tusq")
	run(t, exec.CommandContext(t.Context(), "go", "build", "-o", binary, "tusq/cmd/tusq"))
	return binary
}

func TestGoExample(t *testing.T) {
	t.Parallel()
	keyFree, _ := parts(t)
	url := testserver.New(t)
	dir, err := os.MkdirTemp(".", ".example-") // inside the module, hidden from ./...
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, source := range blocks(t, keyFree, "go", url) {
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := run(t, exec.CommandContext(t.Context(), "go", "run", "./"+dir)); !strings.Contains(out, "hello from the SDK") {
			t.Errorf("the example printed %q", out)
		}
	}
}

// run returns a command's standard output.
func run(t *testing.T, command *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%.2000s\n%.2000s", command.Args, err, out, stderr.String())
	}
	return string(out)
}
