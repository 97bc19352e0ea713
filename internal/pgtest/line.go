package pgtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Line carries connections to a database, until it is cut.
type Line struct {
	URL      string // of the database, by this line
	network  string
	address  string
	listener net.Listener

	mu   sync.Mutex
	down bool
	open []net.Conn
}

// NewLine returns a line to a database.
func NewLine(t testing.TB, databaseURL string) *Line {
	t.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{}
	l.network, l.address = pgconn.NetworkAddress(config.Host, config.Port)
	if l.listener, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	l.URL = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable",
		url.UserPassword(config.User, config.Password), l.listener.Addr(), config.Database)
	go l.serve()
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.Cut()
	})
	return l
}

func (l *Line) serve() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.carry(client)
	}
}

func (l *Line) carry(client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(context.Background(), l.network, l.address)
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

func (l *Line) admit(both ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, both...)
	return !l.down
}

// Cut ends all connections and refuses new ones until Mend is called.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, conn := range l.open {
		_ = conn.Close()
	}
	l.open = nil
}

// Mend lets connections through again.
func (l *Line) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
