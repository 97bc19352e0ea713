package canary

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	t.Parallel()
	const secret = "s3cret/with+all kinds?"
	cage := &Cage{}
	cage.Add("it", secret)
	for name, text := range map[string]string{
		"plain":         "a " + secret + " b",
		"hexadecimal":   fmt.Sprintf("%x", "before "+secret+" after"),
		"upper":         fmt.Sprintf("%X", "before "+secret+" after"),
		"query":         url.Values{"a": {secret}}.Encode(),
		"path":          "/v1/" + url.PathEscape(secret),
		"bytes":         fmt.Sprintf("%d", []byte(secret)),
		"base64":        base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 from 1": base64.StdEncoding.EncodeToString([]byte("u" + secret + "after")),
		"base64 from 2": base64.URLEncoding.EncodeToString([]byte("u:" + secret + "a")),
		"base64 from 3": base64.RawURLEncoding.EncodeToString([]byte("us:" + secret)),
	} {
		if seen := cage.Find(text); len(seen) != 1 || seen[0].Secret != "it" {
			t.Errorf("%s: found %v in %q", name, seen, text)
		}
	}
	if seen := cage.Find("s3cret without all kinds"); len(seen) != 0 {
		t.Errorf("found %v", seen)
	}
}

func TestFindShapes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a token":             "no tusq_TQABCDEFGHIJKLMNOPQR_0123456789abcdefghijABCDEFGHIJ0123456789abc_AAAAAA",
		"a receipt":           "/orders/messages/ASGCI9w8Q4KKAaIir2" + strings.Repeat("a", 48),
		"a signature":         "X-Amz-Signature=" + strings.Repeat("0f", 32),
		"a password's hash":   "$argon2id$v=19$m=19456,t=2,p=1$",
		"a private key":       "-----BEGIN EC PRIVATE KEY-----",
		"an Authorization":    "authorization: basic dXNlcjpwYXNzd29yZA==",
		"a password of a URL": "postgres://tusq:hunter2@db/tusq",
	} {
		if seen := FindShapes(text); len(seen) != 1 || seen[0].Secret != name {
			t.Errorf("%s: found %v", name, seen)
		}
	}
	for _, text := range []string{"postgres://tusq:xxxxx@db/tusq", "postgres://db:5432/tusq", "http://127.0.0.1:9324/v1", "tusq_TQ"} {
		if seen := FindShapes(text); len(seen) != 0 {
			t.Errorf("found %v in %q", seen, text)
		}
	}
}

// recorder is a test that may fail.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(*slog.Logger){
		"message":   func(l *slog.Logger) { l.Debug(Text) },
		"attribute": func(l *slog.Logger) { l.Info("x", "body", "a "+Text+" b") },
		"error":     func(l *slog.Logger) { l.Warn("x", "err", errors.New(Text)) },
		"group":     func(l *slog.Logger) { l.WithGroup("g").With("a", Text).Error("x") },
		"bytes":     func(l *slog.Logger) { l.Debug("x", "body", fmt.Sprintf("%d", []byte(Text))) },
	} {
		r := &recorder{}
		log := Logger(r)
		if log.Info("fine", "queue", "orders"); len(r.failures) != 0 {
			t.Errorf("%s: %v", name, r.failures)
		}
		if write(log); len(r.failures) != 1 {
			t.Errorf("%s: %d failures", name, len(r.failures))
		}
	}
	var passed strings.Builder
	log := slog.New(Watch(&recorder{}, slog.NewTextHandler(&passed, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Info("not this")
	log.With("a", 1).Warn("this")
	if !strings.Contains(passed.String(), "msg=this a=1") || strings.Contains(passed.String(), "not") {
		t.Errorf("passed on: %q", passed.String())
	}
}
