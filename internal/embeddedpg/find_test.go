package embeddedpg

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeProgram writes an executable file and the directories above it.
func writeProgram(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o755))
}

// install makes a fake PostgreSQL that knows its version and nothing else.
func install(t *testing.T, dir, version string) {
	t.Helper()
	writeProgram(t, filepath.Join(dir, "postgres"), "#!/bin/sh\necho 'postgres (PostgreSQL) "+version+"'\n")
	writeProgram(t, filepath.Join(dir, "initdb"), "#!/bin/sh\n")
}

// machine is a directory tree with several versions installed, and a finder that looks there and nowhere else.
func machine(t *testing.T) (finder, string) {
	t.Helper()
	root := filepath.Dir(newDataDir(t))
	owner, err := accountForNew()
	must(t, err)
	return finder{path: root + "/bin:.::" + root + "/other", versioned: []string{root + "/pg/*/bin"}, runAs: owner}, root
}

func TestFindPrefersThePathAndThenTheNewest(t *testing.T) {
	t.Parallel()
	f, root := machine(t)
	for _, version := range []string{"9.6", "13.4", "15.2 (Debian 15.2-1)", "16beta1", "18devel"} {
		major, _, _ := strings.Cut(version, ".")
		install(t, filepath.Join(root, "pg", strings.TrimRight(major, "betadvl1")+"x"+major, "bin"), version)
	}
	got, err := f.anyVersion(testContext(t))
	must(t, err)
	if got.major != 18 {
		t.Errorf("without PATH: %+v", got)
	}
	install(t, filepath.Join(root, "other"), "14.1")
	if got, err = f.anyVersion(testContext(t)); err != nil || got.major != 14 {
		t.Errorf("with PATH: %+v %v", got, err)
	}
	if got, err = f.forCluster(testContext(t), "/c", 15); err != nil || got.major != 15 {
		t.Errorf("for a cluster of 15: %+v %v", got, err)
	}
	f.binDir = filepath.Join(root, "other")
	if got, err = f.forCluster(testContext(t), "/c", 15); err != nil || got.major != 15 {
		t.Errorf("for a cluster of 15, with another version configured: %+v %v", got, err)
	}
}

func TestFindFollowsLinksToTheRealDirectory(t *testing.T) {
	t.Parallel()
	f, root := machine(t)
	actual := filepath.Join(root, "somewhere", "bin")
	install(t, actual, "15.2")
	must(t, os.Mkdir(filepath.Join(root, "bin"), 0o755))
	must(t, os.Symlink(filepath.Join(actual, "postgres"), filepath.Join(root, "bin", "postgres")))
	got, err := f.anyVersion(testContext(t))
	must(t, err)
	if want, _ := filepath.EvalSymlinks(actual); got.dir != want {
		t.Errorf("found %s, want %s", got.dir, want)
	}
}

func TestFindSaysWhatToInstall(t *testing.T) {
	t.Parallel()
	f, root := machine(t)
	help := []string{"apt-get install postgresql", "dnf install postgresql-server", "brew install postgresql@", "--database-url"}
	_, err := f.anyVersion(testContext(t))
	checkWords(t, err.Error(), append(help, "no PostgreSQL 14 or newer was found in PATH")...)

	install(t, filepath.Join(root, "pg", "12", "bin"), "12.1")
	writeProgram(t, filepath.Join(root, "bin", "postgres"), "#!/bin/sh\nexit 3\n")
	writeProgram(t, filepath.Join(root, "bin", "initdb"), "#!/bin/sh\n")
	_, err = f.anyVersion(testContext(t))
	checkWords(t, err.Error(), append(help, "PostgreSQL 12 in "+root, "cannot run "+root)...)

	startFails(t, Options{DataDir: filepath.Join(root, "data"), BinDir: root}, append(help, "was found in "+root)...)
}
