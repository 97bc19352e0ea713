package readme

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile(`\bTest[A-Z][A-Za-z]*`)
	aTest     = regexp.MustCompile(`(?m)^func (Test[A-Z][A-Za-z]*)\(`)
)

// Each claim of docs/security.md names tests, which must exist.
func TestSecurityClaimsHaveTests(t *testing.T) {
	exist := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range aTest.FindAllStringSubmatch(string(text), -1) {
			exist[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindAllString(string(text), -1)
	if len(named) < 40 {
		t.Errorf("the document names %d tests", len(named))
	}
	for _, name := range named {
		if !exist[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
