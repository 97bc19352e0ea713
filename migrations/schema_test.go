package migrations_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tusq/internal/pgtest"
)

var update = flag.Bool("update", false, "write schema.sql")

// dumpMajor is the PostgreSQL whose pg_dump writes schema.sql: others write some things otherwise.
const dumpMajor = "15"

// TestSchemaDump checks that schema.sql is what the migrations lead to.
func TestSchemaDump(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	var major string
	if err := connect(t, url).QueryRow(t.Context(), `SELECT current_setting('server_version_num')::int / 10000 || ''`).Scan(&major); err != nil {
		t.Fatal(err)
	}
	if major != dumpMajor {
		t.Skipf("SKIPPED: schema.sql is compared on PostgreSQL %s, this is %s", dumpMajor, major)
	}
	got := dump(t, url)
	if *update {
		if err := os.WriteFile("schema.sql", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("schema.sql is out of date: run make generate; it should be\n%s", got)
	}
}

var noise = regexp.MustCompile(`(?m)^(--.*|SET .*;|SELECT pg_catalog\..*;|\\(un)?restrict .*)\n`)

// dump is the database's schema as pg_dump writes it, without what differs between runs.
func dump(t *testing.T, url string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), pgDump(t), "--schema-only", "--no-owner", "--no-privileges",
		"--exclude-table=schema_migrations", "--dbname="+url)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	text := noise.ReplaceAllString(string(out), "")
	text = regexp.MustCompile(`\n{3,}`).ReplaceAllString(text, "\n\n")
	return fmt.Appendf(nil, "-- The schema that all migrations lead to, for readers: written by make generate.\n\n%s\n", strings.TrimSpace(text))
}

// pgDump finds the newest pg_dump.
func pgDump(t *testing.T) string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/pg_dump", "/usr/pgsql-*/bin/pg_dump",
		"/opt/homebrew/opt/postgresql@*/bin/pg_dump", "/usr/local/opt/postgresql@*/bin/pg_dump"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, matches...)
	}
	if len(found) > 0 {
		return slices.Max(found)
	}
	path, err := exec.LookPath("pg_dump")
	if err != nil {
		t.Fatal(err)
	}
	return path
}
