package rig

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
	"tusq/internal/process"
)

const (
	role      = "tusq"     // owns the database, and is no superuser: reserved connections are not for it
	superuser = "postgres" // of the tests
)

// stepTimeout bounds each step that no context of the caller's bounds more tightly.
const stepTimeout = 2 * time.Minute

// settings are those of a new cluster: durable, small, and ready for standbys.
var settings = map[string]string{
	"fsync":                          "on",
	"full_page_writes":               "on",
	"synchronous_commit":             "on",
	"wal_level":                      "replica",
	"wal_keep_size":                  "256MB", // what a standby that was down, and pg_rewind, read
	"hot_standby":                    "on",
	"max_wal_size":                   "1GB",
	"shared_buffers":                 "64MB",
	"max_connections":                "80",
	"autovacuum_naptime":             "5s",
	"jit":                            "off",
	"log_min_error_statement":        "panic",
	"log_checkpoints":                "off",
	"log_line_prefix":                "'%m [%p] '",
	"timezone":                       "UTC",
	"max_parallel_workers":           "0",
	"logging_collector":              "off",
	"unix_socket_directories":        "''",
	"listen_addresses":               "127.0.0.1",
	"wal_receiver_status_interval":   "1s",
	"wal_retrieve_retry_interval":    "200ms",
	"superuser_reserved_connections": "5",
}

// PostgresOptions configure a new cluster.
type PostgresOptions struct {
	// Settings go into postgresql.conf, as they are written there, and win over the rig's own. ALTER SYSTEM wins over them.
	Settings map[string]string
	// Port on 127.0.0.1. 0: one that is free.
	Port int
	// Environment is added to the server's.
	Environment []string
}

// Postgres is a PostgreSQL cluster of its own in a directory, with its server, which listens on a fixed loopback port and
// trusts everybody. It runs as an unprivileged user when this process is root. When this process is killed, the server
// stops at once, like in a crash. Methods that start or end the server must not be called concurrently.
type Postgres struct {
	programs embeddedpg.Programs
	dir      string
	log      string
	port     int
	env      []string
	server   *child
}

// NewPostgres makes a cluster with an empty database "tusq" in a directory that is missing or empty, and whose parents the
// user that runs PostgreSQL can enter. The server is not left running.
func NewPostgres(ctx context.Context, dir string, opts PostgresOptions) (*Postgres, error) {
	p, err := newPostgres(ctx, dir, opts.Port)
	if err != nil {
		return nil, err
	}
	p.env = opts.Environment
	err = p.run(ctx, "", "initdb", "--pgdata="+p.dir, "--username="+superuser, "--auth=trust", "--encoding=UTF8", "--locale=C",
		"--data-checksums", "--no-instructions")
	if err != nil {
		return nil, err
	}
	if err := p.Configure(withDefaults(opts.Settings)); err != nil {
		return nil, err
	}
	create := fmt.Sprintf("CREATE ROLE %s LOGIN\nCREATE DATABASE %[1]s OWNER %[1]s\n", role)
	return p, p.run(ctx, create, "postgres", "--single", "-D", p.dir, "-c", "exit_on_error=on", "template1")
}

// newPostgres prepares the directory.
func newPostgres(ctx context.Context, dir string, port int) (*Postgres, error) {
	programs, err := embeddedpg.FindPrograms(ctx)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if port == 0 {
		address, err := process.FreeAddress(ctx)
		if err != nil {
			return nil, err
		}
		_, text, _ := net.SplitHostPort(address)
		port, _ = strconv.Atoi(text)
	}
	return &Postgres{programs: programs, dir: dir, log: dir + ".log", port: port}, errors.Join(os.Chmod(dir, 0o700), programs.Give(dir))
}

func withDefaults(own map[string]string) map[string]string {
	all := maps.Clone(settings)
	maps.Copy(all, own)
	return all
}

// Check reads every table and index of the running server and fails where any of them is damaged: pg_amcheck.
func (p *Postgres) Check(ctx context.Context) error {
	return p.run(ctx, "", "pg_amcheck", "--host=127.0.0.1", fmt.Sprintf("--port=%d", p.port), "--username="+superuser, "--install-missing",
		"--heapallindexed", role)
}

// Configure appends settings to postgresql.conf: the last of a name wins. A running server must be told by pg_reload_conf or a
// restart.
func (p *Postgres) Configure(settings map[string]string) error {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = %s\n", name, quoteSetting(settings[name]))
	}
	file, err := os.OpenFile(filepath.Join(p.dir, "postgresql.conf"), os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text.String())
	return errors.Join(err, file.Close())
}

// quoteSetting leaves alone what is quoted.
func quoteSetting(value string) string {
	if len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\'' {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", "''") + "'"
}

// run runs a program of PostgreSQL to its end.
func (p *Postgres) run(ctx context.Context, stdin, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	command := p.programs.Command(ctx, syscall.SIGKILL, name, args...)
	command.Stdin = strings.NewReader(stdin)
	c, err := start(command, p.log)
	if err != nil {
		return err
	}
	if <-c.done; c.err != nil {
		return fmt.Errorf("%s: %w: %s", name, c.err, c.tail())
	}
	return nil
}

// Start starts the server and returns when it accepts connections, which may need a recovery first. As a supervisor does, it
// tries again, for 20 seconds, where PostgreSQL finds the memory of one that was killed a moment ago.
func (p *Postgres) Start(ctx context.Context) error {
	for began := time.Now(); ; {
		err := p.startOnce(ctx)
		if err == nil || time.Since(began) > 20*time.Second || !strings.Contains(err.Error(), "pre-existing shared memory block") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (p *Postgres) startOnce(ctx context.Context) error {
	if p.Running() {
		return errors.New("PostgreSQL is running")
	}
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	command := p.programs.Command(context.WithoutCancel(ctx), syscall.SIGQUIT, "postgres", "-D", p.dir, "-p", strconv.Itoa(p.port))
	command.Env = append(command.Environ(), p.env...)
	server, err := start(command, p.log)
	if err != nil {
		return err
	}
	p.server = server
	if err := server.waitFor(ctx, func(ctx context.Context) error { return p.Exec(ctx, "SELECT 1") }); err != nil {
		p.Kill()
		return err
	}
	return nil
}

// Stop shuts the server down: connections are closed and open transactions rolled back at once (fast shutdown).
func (p *Postgres) Stop(ctx context.Context) error {
	if !p.Running() {
		return nil
	}
	return p.server.end(ctx, syscall.SIGINT)
}

// Kill ends the postmaster and every process of the cluster by SIGKILL, as when the machine's memory is out, and returns when
// none is left. The postmaster is held first, so that it starts none meanwhile.
func (p *Postgres) Kill() {
	if !p.Running() {
		return
	}
	p.server.signal(syscall.SIGSTOP)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		running, err := embeddedpg.ProcessesIn(p.dir)
		if err != nil || len(running) == 0 {
			break
		}
		for _, pid := range running {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ended meanwhile, perhaps
		}
		<-tick.C
	}
	p.server.kill()
}

// Running tells whether the server has been started and has not ended.
func (p *Postgres) Running() bool { return p.server.running() }

// PID is the postmaster's process id; 0 when it does not run.
func (p *Postgres) PID() int {
	if !p.Running() {
		return 0
	}
	return p.server.pid()
}

// Log is the end of what the server printed.
func (p *Postgres) Log() string { return tail(p.log) }

// Dir is the cluster's directory.
func (p *Postgres) Dir() string { return p.dir }

// Address is where the server listens.
func (p *Postgres) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// URL is the connection string of the database and its owner, who is no superuser.
func (p *Postgres) URL() string { return URL(p.Address()) }

// URL is the connection string of the database by way of other addresses: a proxy's, or those of a primary and its standbys.
func URL(addresses ...string) string {
	return fmt.Sprintf("postgres://%s@%s/%[1]s?sslmode=disable", role, strings.Join(addresses, ","))
}

// AdminURL is the superuser's connection string.
func (p *Postgres) AdminURL() string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", superuser, p.Address(), role)
}

// Connect opens a connection as superuser. The caller closes it.
func (p *Postgres) Connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, p.AdminURL())
}

// Exec runs a statement as superuser, on a connection of its own.
func (p *Postgres) Exec(ctx context.Context, sql string, args ...any) error {
	connection, err := p.Connect(ctx)
	if err != nil {
		return err
	}
	defer connection.Close(context.WithoutCancel(ctx))
	_, err = connection.Exec(ctx, sql, args...)
	return err
}

// QueryRow reads one row as superuser, on a connection of its own, into dest.
func (p *Postgres) QueryRow(ctx context.Context, dest []any, sql string, args ...any) error {
	connection, err := p.Connect(ctx)
	if err != nil {
		return err
	}
	defer connection.Close(context.WithoutCancel(ctx))
	return connection.QueryRow(ctx, sql, args...).Scan(dest...)
}
