// Package client is the Go client of tusq's REST API.
//
//	c, err := client.New("http://127.0.0.1:9324")
//	sent, err := c.Send(ctx, "orders", client.SendMessage{Body: "hello"})
//
// A Client is safe for concurrent use, and should be shared: it keeps connections.
//
// # Repeated calls
//
// A call is repeated, with growing and jittered pauses, when the server says that it
// cannot serve it now (429, 502, 503, 504, after Retry-After where that is given) and
// when no complete answer arrived (no connection, a connection that broke, nothing
// within the call's time). [WithRetry] bounds or ends this. Where the first try was
// carried out and only its answer was lost:
//
//   - Send and SendMany store nothing twice: each call gives its tries one idempotency
//     key. The server knows it for five minutes; see [WithRetry] and [WithIdempotencyKey].
//   - Receive gets other messages; those of the lost answer come back when their
//     visibility timeout ends.
//   - Delete, Extend and their plurals have the same effect once more.
//   - CreateQueue reports that the queue existed; DeleteQueue reports success;
//     PurgeQueue counts what the last try deleted; UpdateQueue sets the same again;
//     StartRedrive reports redrive_running and CancelRedrive perhaps redrive_ended.
//   - RevokeKey reports perhaps key_not_found. CreateKey and RotateKey are never repeated.
//   - All others only read.
//
// # Errors
//
// An answer that is not a success is an [*Error]. Any other error is a failure to get
// an answer, or the context's.
package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultRetry is how long a call is repeated after its first failure.
const DefaultRetry = 30 * time.Second

// Client calls one tusq service.
type Client struct {
	base   string // without a trailing slash
	http   *http.Client
	tls    *tls.Config // nil: the default one
	token  string
	retry  time.Duration
	notice func(call string, err error)
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient makes the calls through h. Its Timeout, if any, must exceed the
// longest wait of a receive. Redirections are never followed: a redirected send could
// end as a read that succeeds.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) { c.http = h }
}

// WithTLS makes connections with config: for a CA that the system does not trust, or a
// client's certificate. Nil: the default one. It has no effect beside WithHTTPClient.
func WithTLS(config *tls.Config) Option {
	return func(c *Client) { c.tls = config }
}

// WithToken sends the token with every call, as "Authorization: Bearer".
func WithToken(token string) Option {
	return func(c *Client) { c.token = token }
}

// WithRetry repeats calls for up to limit after their first failure. Zero: never. Over four
// minutes, a repeated send may store its messages twice.
func WithRetry(limit time.Duration) Option {
	return func(c *Client) { c.retry = limit }
}

// WithRetryNotice calls notice before a call is repeated, with the method's name (such
// as "Receive") and why. It may be called concurrently.
func WithRetryNotice(notice func(call string, err error)) Option {
	return func(c *Client) { c.notice = notice }
}

// New returns a client of the service at baseURL, such as "http://127.0.0.1:9324". A
// path in baseURL is put before the API's own. New does not connect.
func New(baseURL string, opts ...Option) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return nil, errors.New("server URL: it cannot be parsed: want http://host:port or https://host:port") // it may hold a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("server URL %q: want http://host:port or https://host:port", u.Redacted())
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("server URL: must have no query and no fragment")
	}
	c := &Client{
		base:   strings.TrimRight(u.String(), "/"),
		retry:  DefaultRetry,
		notice: func(string, error) {},
	}
	for _, opt := range opts {
		opt(c)
	}
	h := http.Client{Transport: newTransport(c.tls)}
	if c.http != nil {
		h = *c.http
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &h
	return c, nil
}

// newTransport returns a transport for many concurrent calls to one host: the default
// one keeps two idle connections and would open a new one for most calls.
func newTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		TLSClientConfig:     config,
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
}
