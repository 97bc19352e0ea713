package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"tusq/internal/telemetry"
)

// limitFlags bound what a process takes on.
type limitFlags struct {
	MaxConnections int `help:"Most client connections; more are answered 503." env:"TUSQ_MAX_CONNECTIONS" default:"25000" placeholder:"N"`
	MaxLongPolls   int `help:"Most receives that wait at a time; more get what is there, or 503." env:"TUSQ_MAX_LONG_POLLS" default:"20000" placeholder:"N"`
}

func (f *limitFlags) validate() error {
	if f.MaxConnections < 1 || f.MaxLongPolls < 1 {
		return errors.New("--max-connections and --max-long-polls must be at least 1")
	}
	return nil
}

const (
	// ownFiles are files that the process opens beside clients' connections: the
	// database's, and what comes up.
	ownFiles = 200
	// refusals are refused connections that are told so at a time. More are just closed.
	refusals       = 128
	refusalTimeout = time.Second
	refusalRead    = 64 << 10 // bytes of a refused request that are waited for
)

// refusal is what a client is told whose connection is one too many.
const refusal = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n" +
	"Content-Type: text/plain\r\nContent-Length: 41\r\n\r\nThe server has too many connections now.\n"

// door is where clients come in: a listener that bounds how many there are.
//
// One too many is answered 503 instead of being left in the system's queue. There the
// client is connected and waits, for it cannot know for what, as long as it waits for any
// answer; and a load balancer takes the replica for a slow one. A 503 sends both elsewhere
// at once. With TLS, where an answer would take a handshake, the connection is closed.
type door struct {
	net.Listener
	tls      *certificates // nil: no TLS
	limit    int64
	log      *slog.Logger
	open     atomic.Int64
	refused  atomic.Int64
	refusing chan struct{}
}

func newDoor(listener net.Listener, f limitFlags, tls *certificates, log *slog.Logger) *door {
	d := &door{
		Listener: listener, tls: tls, log: log, limit: int64(cmp.Or(f.MaxConnections, 1)), refusing: make(chan struct{}, refusals),
	}
	if most := openFiles() - ownFiles; most < d.limit {
		d.limit = max(most, 1)
		log.Warn("the limit of open files allows fewer connections than --max-connections", "connections", d.limit)
	}
	return d
}

// openFiles is how many files the process may open, which Go's runtime has raised as far
// as it can.
func openFiles() int64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<30 {
		return 1 << 30
	}
	return int64(limit.Cur)
}

// Accept returns the next connection within the limit.
func (d *door) Accept() (net.Conn, error) {
	for {
		accepted, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if d.open.Add(1) <= d.limit {
			return &visit{Conn: accepted, open: &d.open}, nil
		}
		d.open.Add(-1)
		if d.refused.Add(1)%1000 == 1 {
			d.log.Warn("too many connections: some are refused", "connections", d.limit)
		}
		d.refuse(accepted)
	}
}

// refuse tells a client that there is no room. It keeps the connection until the client
// has closed its side or a moment has passed, since closing with its request unread would
// take the answer away from it.
func (d *door) refuse(c net.Conn) {
	select {
	case d.refusing <- struct{}{}:
	default:
		c.Close()
		return
	}
	go func() {
		defer func() { <-d.refusing }()
		defer c.Close()
		if d.tls != nil || c.SetDeadline(time.Now().Add(refusalTimeout)) != nil {
			return
		}
		// Clients expect no answer before they have asked.
		if _, err := c.Read(make([]byte, 1)); err != nil {
			return
		}
		if _, err := io.WriteString(c, refusal); err != nil {
			return
		}
		if half, ok := c.(*net.TCPConn); ok && half.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, c, refusalRead)
		}
	}()
}

// visit is a connection that is counted while it is open.
type visit struct {
	net.Conn
	open   *atomic.Int64
	closed atomic.Bool
}

// Close closes the connection.
func (v *visit) Close() error {
	if v.closed.CompareAndSwap(false, true) {
		v.open.Add(-1)
	}
	return v.Conn.Close()
}

// openDoor prepares what comes in by the listener.
func (c *serveCmd) openDoor(listener net.Listener, log *slog.Logger) (*door, error) {
	tls, err := c.loadCertificates(log)
	if err != nil {
		return nil, err
	}
	return newDoor(listener, c.limitFlags, tls, log), nil
}

// serve has the server answer what comes in, until it is shut down.
func (d *door) serve(server *http.Server) error {
	var err error
	if d.tls != nil {
		server.TLSConfig = d.tls.config()
		err = server.ServeTLS(d, "", "")
	} else {
		err = server.Serve(d)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// watch follows changes of the certificates, until ctx ends.
func (d *door) watch(ctx context.Context) error {
	if d.tls == nil {
		return nil
	}
	return d.tls.watch(ctx)
}

func (d *door) scheme() string {
	if d.tls != nil {
		return "https"
	}
	return "http"
}

// url is an address of the server for who tries it on its own machine, where the console lets people sign in without
// TLS: by no address that stands for all of them.
func (d *door) url() string {
	address := d.Addr().String()
	if at, err := netip.ParseAddrPort(address); err == nil && at.Addr().IsUnspecified() {
		address = fmt.Sprintf("localhost:%d", at.Port())
	}
	return d.scheme() + "://" + address
}

// show adds the door's counts to the metrics.
func (d *door) show(m *telemetry.Metrics) { m.ShowConnections(d.open.Load, d.refused.Load) }
