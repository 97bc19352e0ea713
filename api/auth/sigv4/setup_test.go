package sigv4_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tusq/api/auth/sigv4"
)

const (
	keyID  = "AKIDEXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// now is the time of the test cases that AWS has published.
var now = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

// find knows one key.
func find(id string) []sigv4.Secret {
	if id == keyID {
		return []sigv4.Secret{secret}
	}
	return nil
}

// header is a line of a request's head.
type header struct{ name, value string }

// wire is a request as it is on the wire.
type wire struct {
	method, target string
	headers        []header
	body           string
}

func (w wire) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", w.method, w.target)
	for _, h := range w.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	return b.String() + "\r\n" + w.body
}

// with returns the request with one more header.
func (w wire) with(name, value string) wire {
	w.headers = append(w.headers[:len(w.headers):len(w.headers)], header{name, value})
	return w
}

// without returns the request without a header.
func (w wire) without(name string) wire {
	var rest []header
	for _, h := range w.headers {
		if !strings.EqualFold(h.name, name) {
			rest = append(rest, h)
		}
	}
	w.headers = rest
	return w
}

// set returns the request with a header's value changed.
func (w wire) set(name, value string) wire { return w.without(name).with(name, value) }

func (w wire) get(name string) string {
	for _, h := range w.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// parse reads the request as the server does.
func (w wire) parse() (*http.Request, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(w.String())))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

func (w wire) verify(t *testing.T, v *sigv4.Verifier) (sigv4.Verified, error) {
	t.Helper()
	r, body, err := w.parse()
	if err != nil {
		t.Fatalf("the server reads the request: %v", err)
	}
	return v.Verify(r, body, find)
}

// unsigned returns the request as an SDK makes it, before it is signed.
func unsigned(method, target, body string) wire {
	w := wire{method: method, target: target, body: body}.
		with("Host", "queue.example.com:9324").
		with("User-Agent", "aws-sdk-go-v2/1.47.6").
		with("Amz-Sdk-Invocation-Id", "f5b9c2a4-7a5e-4bb5-9a0f-0d1f4b6b7c11")
	if method == http.MethodPost {
		w = w.with("Content-Type", "application/x-amz-json-1.0").
			with("X-Amz-Target", "AmazonSQS.SendMessage").
			with("X-Amzn-Query-Mode", "true").
			with("Content-Length", fmt.Sprint(len(body)))
	}
	return w
}

// send is an SDK's SendMessage, unsigned.
func send() wire {
	return unsigned("POST", "/", `{"QueueUrl":"http://queue.example.com:9324/000000000000/orders","MessageBody":"hello"}`)
}

// signature says how a request is signed.
type signature struct {
	keyID, secret, token string
	region, service      string
	at                   time.Time
}

func signed(w wire) wire { return signature{}.sign(w) }

func (s signature) orDefault() signature {
	for _, field := range []struct {
		value    *string
		fallback string
	}{{&s.keyID, keyID}, {&s.secret, secret}, {&s.region, "us-east-1"}, {&s.service, "sqs"}} {
		if *field.value == "" {
			*field.value = field.fallback
		}
	}
	if s.at.IsZero() {
		s.at = now
	}
	return s
}

func (s signature) credentials() aws.Credentials {
	return aws.Credentials{AccessKeyID: s.keyID, SecretAccessKey: s.secret, SessionToken: s.token}
}

// sign signs a request by AWS's SDK.
func (s signature) sign(w wire) wire {
	s = s.orDefault()
	r, body, err := w.parse()
	if err != nil {
		panic(err)
	}
	err = v4.NewSigner().SignHTTP(context.Background(), s.credentials(), r, hashOf(body), s.service, s.region, s.at)
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"X-Amz-Date", "X-Amz-Security-Token", "Authorization"} {
		if value := r.Header.Get(name); value != "" {
			w = w.set(name, value)
		}
	}
	w.target = r.URL.RequestURI()
	return w
}

// presign presigns a request by AWS's SDK.
func (s signature) presign(w wire) wire {
	s = s.orDefault()
	r, body, err := w.parse()
	if err != nil {
		panic(err)
	}
	r.URL.Host = r.Host
	uri, _, err := v4.NewSigner().PresignHTTP(context.Background(), s.credentials(), r, hashOf(body), s.service, s.region, s.at)
	if err != nil {
		panic(err)
	}
	w.target = uri[strings.Index(uri, r.Host)+len(r.Host):]
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-") { // they are in the query string now
			w = w.without(name)
		}
	}
	return w
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// reasonOf returns why a request was refused; empty: it was not.
func reasonOf(err error) sigv4.Reason {
	if err == nil {
		return ""
	}
	var refusal *sigv4.Error
	if !errors.As(err, &refusal) {
		return sigv4.Reason("not an *Error: " + err.Error())
	}
	return refusal.Reason
}
