package rest_test

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

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// Without its database the API answers 503 and when to try again.
func TestOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	way := newGate(t, pgtest.New(t))
	s := serve(t, testservice.On(t, way.url, service.Options{}))
	path := s.createQueue("orders")
	s.sendMessage(path, "a")
	receipt := s.receiveOne(path, "").text("receipt")

	way.shut()
	for _, call := range []struct{ method, path, body string }{
		{"POST", "/v1/queues", `{"name":"more"}`},
		{"GET", "/v1/queues", ""},
		{"PATCH", path, `{"wait_seconds":1}`},
		{"GET", path + "/stats", ""},
		{"GET", path + "/messages", ""},
		{"POST", path + "/messages", `{"body":"b"}`},
		{"POST", path + "/messages", `{"messages":[{"body":"b"},{"body":"c"}]}`},
		{"POST", path + "/messages/receive", `{"wait_seconds":60}`},
		{"DELETE", path + "/messages/" + receipt, ""},
	} {
		answer := s.call(call.method, call.path, call.body)
		answer.wantProblem(http.StatusServiceUnavailable, service.CodeUnavailable)
		if answer.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", call.method, call.path)
		}
	}
}

// gate is a way to a database that can be shut.
type gate struct {
	url      string // of the database, through the gate
	listener net.Listener
	network  string
	address  string

	mu     sync.Mutex
	closed bool
	open   []net.Conn
}

func newGate(t *testing.T, databaseURL string) *gate {
	t.Helper()
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	g := new(gate)
	g.network, g.address = pgconn.NetworkAddress(config.Host, config.Port)
	if g.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	g.url = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable",
		url.UserPassword(config.User, config.Password), g.listener.Addr(), config.Database)
	go g.serve()
	t.Cleanup(g.shut)
	return g
}

func (g *gate) serve() {
	for {
		near, err := g.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial(g.network, g.address)
		if err != nil {
			near.Close()
			continue
		}
		g.keep(near, far)
		go pass(near, far)
		go pass(far, near)
	}
}

// keep remembers connections, or closes them where the gate is shut.
func (g *gate) keep(connections ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = append(g.open, connections...)
	if g.closed {
		for _, connection := range connections {
			connection.Close()
		}
	}
}

func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
}

// shut cuts what is open and lets nothing through any more.
func (g *gate) shut() {
	g.listener.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for _, connection := range g.open {
		connection.Close()
	}
}
