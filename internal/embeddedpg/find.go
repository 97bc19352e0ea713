package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// oldestMajor is the oldest PostgreSQL that tusq runs on.
const oldestMajor = 14

// installHelp ends every message about a missing PostgreSQL.
const installHelp = `install it with "apt-get install postgresql" (Debian, Ubuntu), "dnf install postgresql-server" (RHEL, Fedora) ` +
	`or "brew install postgresql@17" (macOS), or use a server of your own with --database-url`

// versionedDirs are where the distributions install PostgreSQL, one directory for each major version.
var versionedDirs = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // RHEL, Fedora, from postgresql.org
	"/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew on Apple silicon
	"/usr/local/opt/postgresql@*/bin",                    // Homebrew on Intel
	"/Library/PostgreSQL/*/bin",                          // the macOS installer
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// binaries is a directory with both initdb and postgres, of one major version.
type binaries struct {
	dir   string
	major int
}

func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }
func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }

// finder looks for binaries.
type finder struct {
	binDir    string   // configured directory; empty: search path
	path      string   // like the PATH variable
	versioned []string // patterns, like versionedDirs
	runAs     account  // who must be able to run them
}

func newFinder(binDir string, runAs account) finder {
	return finder{binDir: binDir, path: os.Getenv("PATH"), versioned: versionedDirs, runAs: runAs}
}

// anyVersion finds binaries for a new cluster.
func (f finder) anyVersion(ctx context.Context) (binaries, error) {
	dirs := f.searchDirs()
	if f.binDir == "" {
		dirs = append(dirs, f.versionedDirs()...)
	}
	found, faults := f.inspect(ctx, dirs, func(major int) bool { return major >= oldestMajor })
	if found.dir != "" {
		return found, nil
	}
	where := "in PATH or in the usual directories"
	if f.binDir != "" {
		where = "in " + f.binDir
	}
	return binaries{}, fmt.Errorf("no PostgreSQL %d or newer was found %s%s: %s", oldestMajor, where, note(faults), installHelp)
}

// forCluster finds binaries of the version that made an existing cluster.
func (f finder) forCluster(ctx context.Context, cluster string, major int) (binaries, error) {
	if major < oldestMajor {
		return binaries{}, fmt.Errorf("the cluster %s was made by PostgreSQL %d, and tusq needs %d or newer: convert it with pg_upgrade",
			cluster, major, oldestMajor)
	}
	dirs := append(f.searchDirs(), f.versionedDirs()...)
	found, faults := f.inspect(ctx, dirs, func(m int) bool { return m == major })
	if found.dir != "" {
		return found, nil
	}
	return binaries{}, fmt.Errorf("the cluster %s was made by PostgreSQL %d, which was not found%s: install PostgreSQL %d, "+
		"or convert the cluster to an installed version with pg_upgrade", cluster, major, note(faults), major)
}

// searchDirs are the configured directory, or those in PATH. Relative ones are left out: root must not run what happens
// to lie in the working directory.
func (f finder) searchDirs() []string {
	if f.binDir != "" {
		return []string{f.binDir}
	}
	return slices.DeleteFunc(filepath.SplitList(f.path), func(dir string) bool { return !filepath.IsAbs(dir) })
}

// versionedDirs are the directories of the distributions that exist, newest version first.
func (f finder) versionedDirs() []string {
	var dirs []string
	for _, pattern := range f.versioned {
		matches, _ := filepath.Glob(pattern) // fails for malformed patterns only
		dirs = append(dirs, matches...)
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return versionIn(b) - versionIn(a) })
	return dirs
}

var numbers = regexp.MustCompile(`[0-9]+`)

// versionIn is the last number in a path, the version in all of versionedDirs; 0 when there is none.
func versionIn(dir string) int {
	found := numbers.FindAllString(dir, -1)
	if len(found) == 0 {
		return 0
	}
	major, _ := strconv.Atoi(found[len(found)-1])
	return major
}

// inspect returns the first binaries of a wanted version, or what it found instead.
func (f finder) inspect(ctx context.Context, dirs []string, wanted func(major int) bool) (found binaries, faults []string) {
	var seen []string
	for _, dir := range dirs {
		dir, err := home(dir)
		if err != nil || slices.Contains(seen, dir) {
			continue
		}
		seen = append(seen, dir)
		major, err := f.version(ctx, dir)
		switch {
		case err != nil:
			faults = append(faults, err.Error())
		case wanted(major):
			return binaries{dir: dir, major: major}, nil
		default:
			faults = append(faults, fmt.Sprintf("PostgreSQL %d in %s", major, dir))
		}
	}
	return binaries{}, faults
}

// home follows symbolic links from a directory's initdb and postgres to the directory where both really are.
func home(dir string) (string, error) {
	for _, program := range []string{"postgres", "initdb"} {
		actual, err := filepath.EvalSymlinks(filepath.Join(dir, program))
		if err != nil {
			continue
		}
		if actual = filepath.Dir(actual); hasProgram(actual, "postgres") && hasProgram(actual, "initdb") {
			return filepath.Abs(actual)
		}
	}
	return "", errors.New("no initdb and postgres")
}

func hasProgram(dir, name string) bool {
	info, err := os.Stat(filepath.Join(dir, name))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var versionText = regexp.MustCompile(`^postgres \(.*?\) ([0-9]+)`)

// version asks postgres for its major version, as the user that will run it.
func (f finder) version(ctx context.Context, dir string) (int, error) {
	program := filepath.Join(dir, "postgres")
	out, err := run(f.runAs.command(ctx, syscall.SIGKILL, program, "--version"))
	if err != nil {
		return 0, fmt.Errorf("user %s cannot run %s: %w", f.runAs.name, program, err)
	}
	match := versionText.FindStringSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("%s says that its version is %q", program, out)
	}
	return strconv.Atoi(match[1])
}

// note adds to a message what was found but could not be used.
func note(faults []string) string {
	if len(faults) == 0 {
		return ""
	}
	return " (only: " + strings.Join(faults, "; ") + ")"
}
