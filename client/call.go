package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	callTimeout = 30 * time.Second // for the answer to one try, beside a receive's wait
	firstPause  = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// call is one method's call, to be tried once or more.
type call struct {
	name   string // of the Client's method
	method string // of HTTP
	path   string
	query  url.Values
	body   any           // nil: none
	wait   time.Duration // that the server may take in addition
	key    string        // for the server to know a repeat by
	hasKey bool
	once   bool // it is tried once: a repeat would do more
}

// do makes the call, repeating it as the package's comment says, and decodes the
// answer into out unless that is nil. It returns the answer's status and how many
// tries were needed.
func (c *Client) do(ctx context.Context, call call, out any) (status, tries int, err error) {
	body, err := encode(call.body)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", call.name, err)
	}
	var failed time.Time
	for tries = 1; ; tries++ {
		status, err = c.try(ctx, call, body, out)
		if err == nil || ctx.Err() != nil || call.once || !repeatable(err) {
			return status, tries, err
		}
		if failed.IsZero() {
			failed = time.Now()
		}
		pause := pauseBefore(tries, err)
		if time.Since(failed)+pause > c.retry {
			return status, tries, err
		}
		c.notice(call.name, err)
		select {
		case <-ctx.Done():
			return status, tries, fmt.Errorf("%s: %w", call.name, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// try makes the call once.
func (c *Client) try(ctx context.Context, call call, body []byte, out any) (int, error) {
	limit := callTimeout + call.wait
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	req, err := c.request(ctx, call, body)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", call.name, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// The URL in a url.Error may hold a receipt.
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err
		}
		return 0, fmt.Errorf("%s: %w", call.name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return resp.StatusCode, fmt.Errorf("%s: %w", call.name, answerError(resp))
	}
	if err := decode(resp, out); err != nil {
		return resp.StatusCode, fmt.Errorf("%s: %w", call.name, err)
	}
	return resp.StatusCode, nil
}

func (c *Client) request(ctx context.Context, call call, body []byte) (*http.Request, error) {
	target := c.base + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, call.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if call.hasKey {
		req.Header.Set("Idempotency-Key", call.key)
	}
	req.Header.Set("User-Agent", "tusq-go")
	return req, nil
}

// encode returns v as JSON, or nil for nil.
func encode(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// badAnswerError is a success whose content is not the API's.
type badAnswerError struct{ err error }

func (e badAnswerError) Error() string { return "this is not an answer of tusq: " + e.err.Error() }
func (e badAnswerError) Unwrap() error { return e.err }

// decode reads the whole answer, and its JSON into out unless that is nil.
func decode(resp *http.Response, out any) error {
	const most = 16 << 20 // allocated on the word of a header
	var b bytes.Buffer
	b.Grow(int(min(max(resp.ContentLength, 0), most)) + bytes.MinRead)
	if _, err := b.ReadFrom(resp.Body); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b.Bytes(), out); err != nil {
		return badAnswerError{err}
	}
	return nil
}

// repeatable tells whether a try that failed with err may be made again.
func repeatable(err error) bool {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal.Temporary()
	}
	var bad badAnswerError
	var certificate *tls.CertificateVerificationError
	var alert *net.OpError // by which the server ended the handshake
	refused := errors.As(err, &alert) && alert.Op == "remote error"
	return !errors.As(err, &bad) && !errors.As(err, &certificate) && !refused
}

// pauseBefore returns how long to wait after so many tries: doubling, a random half of
// it taken off so that clients do not come back together, and no less than the server
// asks for.
func pauseBefore(tries int, err error) time.Duration {
	pause := min(firstPause<<min(tries-1, 10), longestWait)
	pause -= rand.N(pause / 2)
	var refusal *Error
	if errors.As(err, &refusal) {
		pause = max(pause, refusal.RetryAfter+pause/4)
	}
	return pause
}
