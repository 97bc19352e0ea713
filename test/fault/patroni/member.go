package patroni

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
	"tusq/internal/process"
)

// member is a Patroni and the PostgreSQL that it keeps.
type member struct {
	name     string
	tools    tools
	dir      string
	postgres string // where PostgreSQL listens
	api      string // where Patroni does
	patroni  *process.Process
	silent   bool // it has been killed or halted: it answers nothing
}

// newMember prepares a member that is not started.
func newMember(ctx context.Context, c *Cluster, name, etcd string) (m *member, err error) {
	m = &member{name: name, tools: c.tools, dir: filepath.Join(c.dir, name), silent: true}
	if err := errors.Join(os.Mkdir(m.dir, 0o700), c.tools.postgres.Give(m.dir)); err != nil {
		return nil, err
	}
	if m.postgres, err = process.FreeAddress(ctx); err != nil {
		return nil, err
	}
	if m.api, err = process.FreeAddress(ctx); err != nil {
		return nil, err
	}
	return m, m.configure(etcd)
}

func (m *member) data() string   { return filepath.Join(m.dir, "data") }
func (m *member) config() string { return filepath.Join(m.dir, "patroni.json") }

// start starts Patroni, which starts PostgreSQL as what it is to be, and returns when Patroni answers.
func (m *member) start(ctx context.Context) (err error) {
	command := m.tools.postgres.CommandAt(context.WithoutCancel(ctx), syscall.SIGTERM, m.tools.patroni, m.config())
	if m.patroni, err = process.Start(filepath.Dir(m.dir), command); err != nil {
		return err
	}
	m.silent = false
	return m.patroni.WaitFor(ctx, startTimeout, func(ctx context.Context) error { return get(ctx, "http://"+m.api+"/patroni", nil, 503) })
}

// kill ends Patroni and every process of PostgreSQL by SIGKILL, as when the machine dies.
func (m *member) kill() {
	m.silent = true
	if m.patroni != nil {
		m.patroni.Kill()
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		running, err := embeddedpg.ProcessesIn(m.data())
		if err != nil || len(running) == 0 {
			return
		}
		for _, pid := range running {
			_ = syscall.Kill(pid, syscall.SIGKILL) // ended meanwhile, perhaps
		}
		<-tick.C
	}
}

// halt stops Patroni alone: PostgreSQL goes on, and the lease ends.
func (m *member) halt() error {
	m.silent = true
	return syscall.Kill(-m.patroni.ID(), syscall.SIGSTOP)
}

// goOn ends halt.
func (m *member) goOn() error {
	m.silent = false
	return syscall.Kill(-m.patroni.ID(), syscall.SIGCONT)
}

func (m *member) exec(ctx context.Context, sql string) error {
	conn, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

func (m *member) queryRow(ctx context.Context, dest any, sql string) error {
	conn, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return conn.QueryRow(ctx, sql).Scan(dest)
}

func (m *member) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, "postgres://postgres@"+m.postgres+"/postgres?sslmode=disable")
}

// leads is nil when Patroni holds the lease and PostgreSQL takes changes.
func (m *member) leads(ctx context.Context) error {
	if err := get(ctx, "http://"+m.api+"/primary", nil); err != nil {
		return err
	}
	var standby bool
	err := m.queryRow(ctx, &standby, "SELECT pg_is_in_recovery()")
	if err == nil && standby {
		err = errors.New(m.name + " is a standby")
	}
	return err
}
