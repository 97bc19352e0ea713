package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tusq/api/auth"
	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

func TestTheConsoleOutlivesAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	line := newLine(t, pgtest.New(t))
	f := &fixture{t: t, svc: testservice.On(t, line.url, service.Options{}), caller: testservice.Caller}
	f.handler = auth.Off(testservice.Account)(New(f.svc, Options{}))
	f.createQueue("orders", service.QueueChange{})

	line.cut()
	for _, path := range []string{"/console/queues", "/console/queues/orders", "/console/live/queues", "/console/queues/orders/delete"} {
		got := f.get(path)
		got.want(t, http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" || len(refreshes(got)) != 1 {
			t.Errorf("%s: the page does not recover by itself", path)
		}
	}
	for path, field := range map[string]string{"/console/queues": "name", "/console/queues/orders/send": "body"} {
		form := f.post(path, field, "precious")
		form.want(t, http.StatusServiceUnavailable)
		if typed := form.input(t, field); typed != "precious" {
			t.Errorf("the form has the %s %q, want what was typed", field, typed)
		}
	}

	line.mend()
	f.get("/console/queues/orders").want(t, http.StatusOK, "The queue is empty")
}

// line carries connections to a database, until it is cut.
type line struct {
	url      string // of the database, by this line
	network  string
	address  string
	listener net.Listener

	mu   sync.Mutex
	down bool
	open []net.Conn
}

func newLine(t *testing.T, databaseURL string) *line {
	t.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{}
	l.network, l.address = pgconn.NetworkAddress(config.Host, config.Port)
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.url = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable",
		url.UserPassword(config.User, config.Password), l.listener.Addr(), config.Database)
	go l.serve()
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.cut()
	})
	return l
}

func (l *line) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(client)
	}
}

func (l *line) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(l.network, l.address)
	if err != nil {
		return
	}
	defer server.Close()
	if !l.admit(client, server) {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	_, _ = io.Copy(client, server)
}

func (l *line) admit(both ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, both...)
	return !l.down
}

// cut ends all connections and refuses new ones until mend is called.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, conn := range l.open {
		_ = conn.Close()
	}
	l.open = nil
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
