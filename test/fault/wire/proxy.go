// Package wire cuts connections between a replica and PostgreSQL at chosen bytes. Its proxy knows
// so much of PostgreSQL's protocol that it can tell a flush from all else and see its end.
package wire

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Direction is which way bytes go.
type Direction int

// The directions.
const (
	ToServer Direction = iota // what a replica asks for
	ToClient                  // what PostgreSQL answers
)

func (d Direction) String() string { return [...]string{"to the server", "to the client"}[d] }

// Cut is where a flush's exchange is cut: so many of its bytes go through in that direction,
// and then the connection ends.
type Cut struct {
	Direction Direction
	After     int
	// Abrupt ends the connection to PostgreSQL by a reset, which discards what PostgreSQL has not read yet.
	// Otherwise it gets all that was let through, and then sees the end.
	Abrupt bool
}

// Proxy carries connections to a database.
type Proxy struct {
	network  string
	address  string
	config   *pgx.ConnConfig
	listener net.Listener
	carrying sync.WaitGroup

	mu     sync.Mutex
	closed bool
	links  map[*link]bool
	armed  *shot
}

// shot is a cut that waits for its exchange.
type shot struct {
	cut   Cut
	taken *link  // whose exchange it is; nil: it waits
	bytes [2]int // that went through in the exchange so far
	fired bool
	over  bool // the exchange has ended, cut or not
}

// NewProxy listens on a loopback address for connections to a database.
func NewProxy(ctx context.Context, databaseURL string) (*Proxy, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("parse the database's URL: %w", err)
	}
	p := &Proxy{config: config, links: map[*link]bool{}}
	p.network, p.address = pgconn.NetworkAddress(config.Host, config.Port)
	if p.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	p.carrying.Go(p.serve)
	return p, nil
}

// URL is that of the database, through the proxy.
func (p *Proxy) URL() string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable",
		url.UserPassword(p.config.User, p.config.Password), p.listener.Addr(), p.config.Database)
}

// Close ends all connections and returns when nothing runs any more.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.close()
	}
	p.mu.Unlock()
	p.carrying.Wait()
}

// Arm has the next flush cut. Flushes that are under way are left alone.
func (p *Proxy) Arm(cut Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = &shot{cut: cut}
}

// Disarm calls the last Arm off. It tells whether the cut was made and, where it was not, how many bytes the exchange
// had in the direction; 0: there was no exchange.
func (p *Proxy) Disarm() (fired bool, length int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.armed
	p.armed = nil
	return s.fired, s.bytes[s.cut.Direction]
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.carrying.Go(func() { p.carry(client) })
	}
}

// carry carries one connection to its end.
func (p *Proxy) carry(client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).Dial(p.network, p.address)
	if err != nil {
		return
	}
	defer server.Close()
	l := &link{proxy: p, client: client, server: server}
	if !p.enter(l) {
		return
	}
	defer p.leave(l)
	var both sync.WaitGroup
	both.Go(l.ask)
	both.Go(l.answer)
	both.Wait()
}

func (p *Proxy) enter(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = true
	return !p.closed
}

func (p *Proxy) leave(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// begin gives the shot that is armed, if one is, to an exchange that begins.
func (p *Proxy) begin(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed != nil && p.armed.taken == nil {
		p.armed.taken = l
	}
}

// end says that a link's exchange is over.
func (p *Proxy) end(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.armed != nil && p.armed.taken == l {
		p.armed.over = true
	}
}

// admit tells how many of n bytes may pass, and whether the connection is to be cut after them.
func (p *Proxy) admit(l *link, d Direction, n int) (pass int, cut *Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.armed
	if s == nil || s.taken != l || s.over {
		return n, nil
	}
	if s.cut.Direction != d || s.bytes[d]+n < s.cut.After {
		s.bytes[d] += n
		return n, nil
	}
	pass = s.cut.After - s.bytes[d]
	s.bytes[d] = s.cut.After
	s.fired, s.over = true, true
	return pass, &s.cut
}
