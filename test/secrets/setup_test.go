// Package secrets runs real processes whose every secret is known, has them do all that has to do
// with secrets and bodies, well and badly, and then looks for them wherever they must not be.
package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
	"tusq/internal/process"
	"tusq/internal/testcert"
)

// binary is the tusq that the tests run.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tusq-secrets-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tusq")
	if out, err := exec.Command("go", "build", "-o", binary, "tusq/cmd/tusq").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tusq: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// postgres is a server to which a role connects by TCP with its password, and which logs all that it
// is asked, with errors.
type postgres struct {
	url  string // of the database, as tusq is given it
	root *pgx.Conn
	dir  string // of the cluster
}

// settings are those of a server that logs much, as docs/operations.md wants them: terse keeps values out.
func settings(address string) map[string]string {
	return map[string]string{
		"listen_addresses": address, "fsync": "off", "full_page_writes": "off",
		"logging_collector": "on", "log_directory": "log", "log_connections": "on",
		"log_min_duration_statement": "0", "log_min_error_statement": "error", "log_error_verbosity": "terse",
		"log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "-1",
	}
}

func startPostgres(t *testing.T, password string) *postgres {
	t.Helper()
	ctx := t.Context()
	dir, err := os.MkdirTemp("", "tusq-secrets-")
	must(t, err)
	must(t, os.Chmod(dir, 0o755)) // the server may run as another user
	t.Cleanup(func() { os.RemoveAll(dir) })
	// The port is the same for all embedded servers, so each has an address of its own.
	address := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	server, err := embeddedpg.Start(ctx, embeddedpg.Options{
		DataDir: filepath.Join(dir, "data"), Settings: settings(address), Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, server.Stop(ctx))
	})
	p := &postgres{dir: filepath.Join(dir, "data", "postgres")}
	p.root, err = pgx.Connect(ctx, server.URL())
	must(t, err)
	t.Cleanup(func() { p.root.Close(context.Background()) })
	p.demandPasswords(t, password)
	p.url = fmt.Sprintf("postgres://keeper:%s@%s:%d/queue?sslmode=disable", url.QueryEscape(password), address, p.root.Config().Port)
	config := p.root.Config()
	config.Database = "queue"
	must(t, p.root.Close(ctx))
	p.root, err = pgx.ConnectConfig(ctx, config)
	must(t, err)
	return p
}

// demandPasswords makes the role and its database, and lets it in by its password.
func (p *postgres) demandPasswords(t *testing.T, password string) {
	t.Helper()
	info, err := os.Stat(p.dir)
	must(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	access := testcert.Write(t, p.dir, "pg_hba.conf", []byte("local all all trust\nhost all all 127.0.0.0/8 scram-sha-256\n"))
	must(t, os.Chown(access, int(owner.Uid), int(owner.Gid)))
	for _, sql := range []string{
		"SET log_min_duration_statement = -1", // what an administrator types is not tusq's to hide
		"SELECT pg_reload_conf()",
		"CREATE ROLE keeper LOGIN PASSWORD '" + password + "'",
		"CREATE DATABASE queue OWNER keeper",
	} {
		_, err := p.root.Exec(t.Context(), sql)
		must(t, err)
	}
}

func (p *postgres) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := p.root.Exec(t.Context(), sql, args...)
	must(t, err)
}

// log is what the server has logged.
func (p *postgres) log(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "log", "*"))
	must(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		all.Write(text)
	}
	return all.String()
}

// dump is every row of every table.
func (p *postgres) dump(t *testing.T) string {
	t.Helper()
	rows, _ := p.root.Query(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	var all strings.Builder
	for _, table := range tables {
		rows, _ := p.root.Query(t.Context(), `SELECT t::text FROM `+pgx.Identifier{table}.Sanitize()+` t`)
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(t, err)
		fmt.Fprintf(&all, "%s: %d\n%s\n", table, len(texts), strings.Join(texts, "\n"))
	}
	return all.String()
}

// buffer is a log that is written while it is read.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// replica is a tusq serve.
type replica struct {
	command  *exec.Cmd
	url      string
	profiles string
	out, log buffer // standard output and error
	done     chan struct{}
}

// serve starts a replica and waits until it is ready.
func (w *world) serve(scheme, database string, flags ...string) *replica {
	w.t.Helper()
	address, profiles := freeAddress(w.t), freeAddress(w.t)
	r := &replica{url: scheme + "://" + address, profiles: "http://" + profiles, done: make(chan struct{})}
	r.command = exec.Command(binary, append([]string{
		"serve", "--auth", "on", "--log-level", "debug", "--listen", address, "--profile-listen", profiles, "--drain-delay", "0s"}, flags...)...)
	r.command.Env = w.environment("TUSQ_DATABASE_URL=" + database)
	r.command.Stdout, r.command.Stderr = &r.out, &r.log
	r.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(w.t, r.command.Start())
	go func() {
		_ = r.command.Wait()
		close(r.done)
	}()
	w.t.Cleanup(func() { r.end(syscall.SIGKILL) })
	deadline := time.Now().Add(time.Minute)
	for {
		if w.status(r.url+"/readyz") == 200 {
			return r
		}
		select {
		case <-r.done:
			w.t.Fatalf("the replica ended:\n%s", r.log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the replica is not ready:\n%s", r.log.String())
		}
	}
}

// end sends a signal, and returns when the process has ended.
func (r *replica) end(signal syscall.Signal) {
	_ = r.command.Process.Signal(signal)
	<-r.done
}

// freeAddress is a loopback address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := process.FreeAddress(t.Context())
	must(t, err)
	return address
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
