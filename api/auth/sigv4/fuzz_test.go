package sigv4_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tusq/api/auth/sigv4"
)

// Whatever a client sends, it gets an answer, and one that is accepted is one that the
// SDK signs the same.
func FuzzWire(f *testing.F) {
	for _, w := range samples() {
		f.Add(w.String())
	}
	v, signer := sigv4.New(sigv4.Options{Now: at(now)}), v4.NewSigner()
	f.Fuzz(func(t *testing.T, wire string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		verified, err := v.Verify(r, body, find)
		if err == nil && !isRightBySDK(signer, r, body) {
			t.Errorf("accepted: %q", wire)
		}
		checkAnswer(t, verified, err)
	})
}

// The parts of a request that no HTTP server has looked at do no harm either.
func FuzzParts(f *testing.F) {
	for _, w := range samples() {
		f.Add(w.method, w.target, w.get("Host"), w.get("Authorization"), w.get("X-Amz-Date"), "X-Amz-Target", w.get("X-Amz-Target"), w.body)
	}
	v := sigv4.New(sigv4.Options{Now: at(now)})
	f.Fuzz(func(t *testing.T, method, target, host, authorization, date, name, value, body string) {
		r := &http.Request{Method: method, RequestURI: target, Host: host, Header: http.Header{name: {value, value[:len(value)/2]}}}
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		verified, err := v.Verify(r, []byte(body), find)
		checkAnswer(t, verified, err)
		if id := sigv4.KeyID(r); err == nil && id != verified.KeyID() {
			t.Errorf("key id %q of a request of %q", id, verified.KeyID())
		}
	})
}

func checkAnswer(t *testing.T, verified sigv4.Verified, err error) {
	t.Helper()
	var refusal *sigv4.Error
	switch {
	case err == nil && verified.KeyID() != keyID:
		t.Errorf("verified for %q", verified.KeyID())
	case err != nil && (verified != sigv4.Verified{} || !errors.As(err, &refusal) || refusal.Reason == "" || refusal.Message == ""):
		t.Errorf("refused as %+v with %v", verified, err)
	case err != nil && strings.Contains(refusal.Message, secret):
		t.Errorf("the refusal has the secret: %v", err)
	}
}
