// Package pgtest gives each test a migrated database of its own on a real PostgreSQL:
// a private cluster for each test binary, or the server that TUSQ_TEST_DATABASE_URL
// names, whose user must be allowed to create databases.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
	"tusq/migrations"
)

const bound = time.Minute // of each step

// template is the database that tests clone; it belongs to the test binary.
var template, admin string

// Main runs a package's tests with a server to clone databases on. It is the body of
// TestMain and does not return.
func Main(m *testing.M) {
	os.Exit(Run(m))
}

// Run is Main for a TestMain that has something to end itself: it returns the exit code.
func Run(m *testing.M) (code int) {
	stop, err := prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer func() {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = 1
		}
	}()
	return m.Run()
}

// prepare finds or starts the server and makes the template.
func prepare() (stop func() error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	admin = os.Getenv("TUSQ_TEST_DATABASE_URL")
	stop = func() error { return nil }
	if admin == "" {
		if stop, err = startCluster(ctx); err != nil {
			return nil, err
		}
	}
	if template, err = create(ctx, "template", "template1"); err == nil {
		_, err = migrations.Up(ctx, WithDatabase(admin, template))
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	stopServer := stop
	return func() error { return errors.Join(stopPooler(), drop(template), stopServer()) }, nil
}

// startCluster starts the server of the test binary.
func startCluster(ctx context.Context) (stop func() error, err error) {
	removeLeftovers()
	server, dir, err := startServer(ctx, map[string]string{"max_connections": "300"})
	if err != nil {
		return nil, err
	}
	admin = server.URL()
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		return errors.Join(server.Stop(ctx), os.RemoveAll(dir))
	}, nil
}

// startServer starts a private server in a directory of its own. It is not durable: tests of
// durability start tusq itself.
func startServer(ctx context.Context, settings map[string]string) (server *embeddedpg.Server, dir string, err error) {
	if dir, err = os.MkdirTemp(scratch(), fmt.Sprintf("tusq-pgtest-%d-", os.Getpid())); err != nil {
		return nil, "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the server may run as another user
		return nil, "", err
	}
	if server, err = startIn(ctx, dir, settings); err != nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	return server, dir, nil
}

// startIn starts a private server in a directory, which may have its cluster already.
func startIn(ctx context.Context, dir string, settings map[string]string) (*embeddedpg.Server, error) {
	all := map[string]string{"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
	maps.Copy(all, settings)
	return embeddedpg.Start(ctx, embeddedpg.Options{
		DataDir: filepath.Join(dir, "data"), Settings: all, Logger: slog.New(slog.DiscardHandler),
	})
}

// scratch is where servers' directories are: in memory where there is room for it. A database is
// 300 files, and on a disk their making and removal were half of what the tests cost.
func scratch() string {
	const dir, room = "/dev/shm", 4 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || float64(fs.Bavail)*float64(fs.Bsize) < room {
		return os.TempDir()
	}
	return dir
}

// removeLeftovers removes the directories of test binaries that were killed; their
// servers ended with them.
func removeLeftovers() {
	left, _ := filepath.Glob(filepath.Join(scratch(), "tusq-pgtest-*")) // the pattern is valid
	for _, dir := range left {
		var pid int
		_, err := fmt.Sscanf(filepath.Base(dir), "tusq-pgtest-%d-", &pid)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			os.RemoveAll(dir) // what cannot be removed is another user's
		}
	}
}

// New returns the URL of a migrated database that is dropped at the test's end.
func New(t testing.TB) string { return clone(t, template) }

// Empty returns the URL of a database without tables that is dropped at the test's end.
func Empty(t testing.TB) string { return clone(t, "template1") }

func clone(t testing.TB, from string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	name, err := create(ctx, "test", from)
	if err != nil {
		t.Fatalf("clone a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := drop(name); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return WithDatabase(admin, name)
}

func create(ctx context.Context, kind, from string) (name string, err error) {
	name = fmt.Sprintf("tusq_%s_%d_%d", kind, os.Getpid(), time.Now().UnixNano())
	return name, execute(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s ENCODING 'UTF8'", name, from))
}

// drop removes a database, ending whatever is still connected to it.
func drop(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	return execute(ctx, fmt.Sprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", name))
}

func execute(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// Server returns the URL of a migrated database on a server of its own, whose settings a test
// may change. It ends with the test.
func Server(t testing.TB, settings map[string]string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	server, dir, err := startServer(ctx, settings)
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	return serve(ctx, t, server, dir)
}

// ServerWithoutChecksums is Server for a cluster whose pages have no checksums.
func ServerWithoutChecksums(t testing.TB, settings map[string]string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	server, dir, err := startServer(ctx, nil)
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	err = server.Stop(ctx)
	if err == nil {
		err = disableChecksums(ctx, dir)
	}
	if err == nil {
		server, err = startIn(ctx, dir, settings)
	}
	if err != nil {
		t.Fatalf("start a server without checksums: %v", errors.Join(err, os.RemoveAll(dir)))
	}
	return serve(ctx, t, server, dir)
}

// disableChecksums changes a server's cluster while it does not run.
func disableChecksums(ctx context.Context, dir string) error {
	programs, err := embeddedpg.FindPrograms(ctx)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // whose end would end the program
	defer runtime.UnlockOSThread()
	cluster := filepath.Join(dir, "data", "postgres")
	out, err := programs.Command(ctx, syscall.SIGKILL, "pg_checksums", "--disable", "--no-sync", "--pgdata", cluster).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pg_checksums: %w: %s", err, out)
	}
	return nil
}

// Standby returns the URL of a migrated database on a standby, which has lost its primary. It ends with the test.
func Standby(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	server, dir, err := startServer(ctx, nil)
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	_, err = migrations.Up(ctx, server.URL())
	if err = errors.Join(err, server.Stop(ctx)); err == nil {
		err = os.WriteFile(filepath.Join(dir, "data", "postgres", "standby.signal"), nil, 0o644)
	}
	if err == nil {
		server, err = startIn(ctx, dir, nil)
	}
	if err != nil {
		t.Fatalf("start a standby: %v", errors.Join(err, os.RemoveAll(dir)))
	}
	endWithTest(t, server, dir)
	return server.URL()
}

// serve migrates a server's database and ends the server with the test.
func serve(ctx context.Context, t testing.TB, server *embeddedpg.Server, dir string) (url string) {
	t.Helper()
	endWithTest(t, server, dir)
	if _, err := migrations.Up(ctx, server.URL()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return server.URL()
}

// endWithTest stops a server and removes its directory at the test's end.
func endWithTest(t testing.TB, server *embeddedpg.Server, dir string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), bound)
		defer cancel()
		if err := errors.Join(server.Stop(ctx), os.RemoveAll(dir)); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
}

// WithDatabase is a connection string with another database's name.
func WithDatabase(connString, name string) string {
	if !strings.Contains(connString, "://") {
		return connString + " dbname=" + name
	}
	u, err := url.Parse(connString)
	if err != nil {
		panic("TUSQ_TEST_DATABASE_URL: " + err.Error())
	}
	u.Path = "/" + name
	return u.String()
}
