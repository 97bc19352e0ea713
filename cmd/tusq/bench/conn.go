package bench

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	dialTimeout = 5 * time.Second
	callTimeout = 30 * time.Second // for an answer, beside the wait that was asked for
	longAnswer  = 64 << 20         // bytes; a longer one is refused
)

// endpoint is where calls go.
type endpoint struct {
	address string      // host:port to connect to
	host    string      // as requests name it
	whole   string      // path of the URL as it was given, or "/"
	path    string      // the same, to be put before the API's own: without a slash at its end
	tls     *tls.Config // nil: plain HTTP
}

// newEndpoint returns the endpoint of a URL. To one of https, connections are made with
// config, or the default one where that is nil.
func newEndpoint(raw string, config *tls.Config) (*endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("server URL: %w", err)
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	if port == "" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("server URL %q: want http://host:port or https://host:port", u.Redacted())
	}
	if u.Port() != "" {
		port = u.Port()
	}
	e := &endpoint{
		address: net.JoinHostPort(u.Hostname(), port), host: u.Host,
		whole: cmp.Or(u.EscapedPath(), "/"), path: strings.TrimRight(u.EscapedPath(), "/"),
	}
	if u.Scheme == "https" {
		e.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if config != nil {
			e.tls = config.Clone()
		}
		e.tls.ServerName = u.Hostname()
	}
	return e, nil
}

// conn is one connection, made when it is needed, with one call at a time. It holds the
// call's request and answer, which the next one overwrites. It is for one goroutine.
//
// fasthttp's own clients would add a pool, a lock and a goroutine to each connection.
type conn struct {
	endpoint *endpoint
	request  fasthttp.Request
	response fasthttp.Response

	buffer int      // bytes of each buffer
	net    net.Conn // nil: not connected
	in     *bufio.Reader
	out    *bufio.Writer
	forget func() bool // leaves net open when the context ends
}

func newConn(e *endpoint, buffer int) *conn {
	c := &conn{endpoint: e, buffer: buffer}
	c.request.Header.SetNoDefaultContentType(true)
	return c
}

// do sends the request and reads the answer, which may take wait longer than usual. The
// connection is closed after an error, and when ctx ends.
func (c *conn) do(ctx context.Context, wait time.Duration) error {
	if c.net == nil {
		if err := c.dial(ctx); err != nil {
			return err
		}
	}
	err := c.exchange(wait)
	if err != nil || c.response.ConnectionClose() {
		c.close()
	}
	return err
}

func (c *conn) exchange(wait time.Duration) error {
	if err := c.net.SetDeadline(time.Now().Add(callTimeout + wait)); err != nil {
		return err
	}
	if err := c.request.Write(c.out); err != nil {
		return err
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	return c.response.ReadLimitBody(c.in, longAnswer)
}

func (c *conn) dial(ctx context.Context) (err error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if c.endpoint.tls != nil {
		c.net, err = (&tls.Dialer{NetDialer: dialer, Config: c.endpoint.tls}).DialContext(ctx, "tcp", c.endpoint.address)
	} else {
		c.net, err = dialer.DialContext(ctx, "tcp", c.endpoint.address)
	}
	if err != nil {
		c.net = nil // an interface that holds a nil pointer is not nil
		return err
	}
	opened := c.net
	c.forget = context.AfterFunc(ctx, func() { opened.Close() })
	c.in, c.out = bufio.NewReaderSize(opened, c.buffer), bufio.NewWriterSize(opened, c.buffer)
	return nil
}

func (c *conn) close() {
	if c.net != nil {
		c.forget()
		c.net.Close()
		c.net = nil
	}
}

// transportError names why there was no answer.
func transportError(err error) string {
	var dial *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "no connection"
	}
	return "no answer"
}
