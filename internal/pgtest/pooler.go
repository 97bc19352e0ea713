package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/process"
)

// PoolerSize is how many servers the pooler has for each database.
const PoolerSize = 20

// pooler is the test binary's PgBouncer, which is started when it is first needed.
var pooler struct {
	once    sync.Once
	process *process.Process
	dir     string
	address string
	err     error
}

// Pooled returns the URL of a database by way of a PgBouncer in transaction mode. Where none is
// installed the test is skipped: test/install-tools.sh installs it.
func Pooled(t testing.TB, databaseURL string) string {
	t.Helper()
	path, err := process.Find("pgbouncer")
	if err != nil {
		t.Skipf("NOT TESTED: %v; test/install-tools.sh installs it", err)
	}
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	pooler.once.Do(func() { pooler.err = startPooler(path, config) })
	if pooler.err != nil {
		t.Fatalf("start PgBouncer: %v", pooler.err)
	}
	return (&url.URL{Scheme: "postgres", User: url.User(config.User), Host: pooler.address,
		Path: "/" + config.Database, RawQuery: "sslmode=disable"}).String()
}

// startPooler starts a PgBouncer in front of all of a server's databases.
func startPooler(path string, server *pgx.ConnConfig) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	if pooler.dir, err = os.MkdirTemp("", fmt.Sprintf("tusq-pgtest-%d-", os.Getpid())); err != nil {
		return err
	}
	if err := os.Chmod(pooler.dir, 0o755); err != nil { // PgBouncer may run as another user
		return err
	}
	if pooler.address, err = process.FreeAddress(ctx); err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(pooler.address)
	file := filepath.Join(pooler.dir, "pgbouncer.ini")
	password := ""
	if server.Password != "" {
		password = fmt.Sprintf(" password='%s'", server.Password)
	}
	text := fmt.Sprintf(`[databases]
* = host='%s' port=%d user='%s'%s
[pgbouncer]
listen_addr = %s
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = %d
max_client_conn = 1000
server_idle_timeout = 5
`, server.Host, server.Port, server.User, password, host, port, PoolerSize)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	command := exec.CommandContext(context.WithoutCancel(ctx), path, file)
	if os.Geteuid() == 0 { // which it refuses to run as; its own change of the user would forget that it ends with this process
		if command.SysProcAttr, err = asPostgres(); err != nil {
			return err
		}
	}
	if pooler.process, err = process.Start(pooler.dir, command); err != nil {
		return err
	}
	return pooler.process.WaitFor(ctx, 20*time.Second, func(ctx context.Context) error {
		return process.Listening(ctx, pooler.address)
	})
}

// asPostgres has a process run as the user that PostgreSQL runs as.
func asPostgres() (*syscall.SysProcAttr, error) {
	owner, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(owner.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(owner.Gid, 10, 32)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, errors.Join(err1, err2)
}

// stopPooler ends it, if it was started.
func stopPooler() error {
	if pooler.process != nil {
		pooler.process.Stop()
	}
	if pooler.dir != "" {
		return os.RemoveAll(pooler.dir)
	}
	return nil
}
