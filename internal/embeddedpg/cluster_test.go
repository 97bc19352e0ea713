package embeddedpg

import (
	"io"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// fakeCluster makes a directory that looks like a cluster of some version.
func fakeCluster(t *testing.T, major string) (dataDir string) {
	t.Helper()
	dataDir = newDataDir(t)
	dir := filepath.Join(dataDir, clusterName)
	must(t, os.MkdirAll(dir, 0o711))
	must(t, os.Chmod(dataDir, 0o711))
	must(t, os.WriteFile(filepath.Join(dir, "PG_VERSION"), []byte(major+"\n"), 0o644))
	owner, err := accountForNew()
	must(t, err)
	must(t, owner.give(dir))
	return dataDir
}

func TestClusterOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for major, words := range map[string][]string{
		"99":  {"made by PostgreSQL 99", "install PostgreSQL 99", "pg_upgrade", "only: PostgreSQL "},
		"13":  {"made by PostgreSQL 13", "needs 14 or newer", "pg_upgrade"},
		"9.6": {"made by PostgreSQL 9", "needs 14 or newer"},
		"new": {`holds "new`},
	} {
		dataDir := fakeCluster(t, major)
		startFails(t, Options{DataDir: dataDir}, append(words, dataDir)...)
		entries, err := os.ReadDir(filepath.Join(dataDir, clusterName))
		must(t, err)
		if len(entries) != 1 {
			t.Errorf("the cluster was touched: %v", entries)
		}
	}
}

func TestDirectoryThatIsNoCluster(t *testing.T) {
	t.Parallel()
	dataDir := fakeCluster(t, "15")
	dir := filepath.Join(dataDir, clusterName)
	must(t, os.Rename(filepath.Join(dir, "PG_VERSION"), filepath.Join(dir, "letters")))
	startFails(t, Options{DataDir: dataDir}, "is not a PostgreSQL cluster")
	must(t, os.RemoveAll(dir))
	must(t, os.Symlink("/nonexistent/cluster", dir))
	startFails(t, Options{DataDir: dataDir}, "link to a cluster that cannot be found")
	must(t, os.Remove(dir))
	must(t, os.Mkdir(dir, 0o755)) // an empty one is as good as none
	insert(t, start(t, dataDir).URL())
}

func TestUnfinishedLinkToStrangersIsKept(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	must(t, os.MkdirAll(dataDir, 0o711))
	precious := filepath.Join(filepath.Dir(dataDir), "precious")
	must(t, os.Mkdir(precious, 0o755))
	must(t, os.Symlink(precious, filepath.Join(dataDir, unfinishedName)))
	startFails(t, Options{DataDir: dataDir}, "which tusq did not make")
	if !exists(precious) {
		t.Error("it was removed")
	}
}

func TestUnreachableDataDirectory(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dataDir := newDataDir(t)
	must(t, os.Chmod(filepath.Dir(dataDir), 0o700))
	log := &journal{}
	s, err := Start(testContext(t), Options{DataDir: dataDir, Settings: quick, Logger: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	t.Cleanup(func() { stop(t, s) })
	insert(t, s.URL())
	target, err := os.Readlink(filepath.Join(dataDir, clusterName))
	must(t, err)
	if !strings.HasPrefix(target, filepath.Join(farHome, farPrefix)) {
		t.Errorf("the cluster is in %s", target)
	}
	if got := strings.Count(log.String(), "placed elsewhere"); got != 1 {
		t.Errorf("%d lines say so", got)
	}
	stop(t, s)
	checkRows(t, start(t, dataDir).URL(), 1)
}

func TestUnreachableInitdbKilledWithItsParent(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dataDir := killInitdb(t, func(dataDir string) { must(t, os.Chmod(filepath.Dir(dataDir), 0o700)) })
	target, err := os.Readlink(filepath.Join(dataDir, unfinishedName))
	must(t, err)
	start(t, dataDir)
	if exists(target) {
		t.Errorf("%s was left behind", target)
	}
}

func TestRootRunsAnotherUsersCluster(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dataDir, program, nobody := asNobody(t)
	h := startHelper(t, dataDir, program, nobody)
	insert(t, h.url(t))
	if got := ownerID(t, filepath.Join(dataDir, clusterName, "postmaster.pid")); got != nobody.Uid {
		t.Errorf("PostgreSQL runs as user %d", got)
	}
	must(t, h.stdin.Close())
	must(t, h.cmd.Wait())

	s := start(t, dataDir)
	checkRows(t, s.URL(), 1)
	if got := ownerID(t, filepath.Join(dataDir, clusterName, "postmaster.pid")); got != nobody.Uid {
		t.Errorf("as root, PostgreSQL runs as user %d", got)
	}
	stop(t, s)

	word, _ := startHelper(t, dataDir, program, nobody).answer(t)
	if word != "url" {
		t.Error("root's turn has locked the owner out")
	}
}

func TestOrdinaryUserCannotRunRootsCluster(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dataDir, program, nobody := asNobody(t)
	must(t, os.Chown(dataDir, 0, 0))
	stop(t, start(t, dataDir))
	_, text := startHelper(t, dataDir, program, nobody).answer(t)
	checkWords(t, text, "belongs to another user")

	must(t, os.Chmod(filepath.Join(dataDir, lockName), 0o666)) // the cluster itself is guarded too
	_, text = startHelper(t, dataDir, program, nobody).answer(t)
	checkWords(t, text, "is owned by user")
}

func ownerID(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	uid, _ := ownerOf(info)
	return uint32(uid)
}

// asNobody makes a data directory of the user nobody, and a copy of the test binary that nobody can run.
func asNobody(t *testing.T) (dataDir, program string, nobody *syscall.Credential) {
	t.Helper()
	found, err := user.Lookup("nobody")
	must(t, err)
	uid, err := strconv.Atoi(found.Uid)
	must(t, err)
	gid, err := strconv.Atoi(found.Gid)
	must(t, err)
	dataDir = newDataDir(t)
	must(t, os.Mkdir(dataDir, 0o711))
	must(t, os.Chown(dataDir, uid, gid))
	program = filepath.Join(filepath.Dir(dataDir), "helper")
	copyProgram(t, self(t), program)
	return dataDir, program, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	must(t, err)
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	must(t, err)
	_, err = io.Copy(target, source)
	must(t, err)
	must(t, target.Close())
}
