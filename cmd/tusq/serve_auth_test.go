package main

import (
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"tusq/test/testserver"
)

// TestWhoNeedsAKey: everybody, but on a server that is for its own machine, or where somebody says so.
func TestWhoNeedsAKey(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flags string
		on    bool
		hosts []string // nil: any
	}{
		{"", false, []string{"localhost"}},
		{"--listen localhost:1", false, []string{"localhost"}},
		{"--listen [::1]:1 --public-url http://localhost:80", false, []string{"localhost", "localhost"}},
		{"--listen 0.0.0.0:1", true, nil},
		{"--listen 192.0.2.1:1", true, nil},
		{"--trusted-proxies 127.0.0.1/32", true, nil},
		{"--public-url https://queue.example", true, nil},
		{"--public-url https://queue.example --auth off", false, []string{"localhost", "queue.example"}},
		{"--trusted-proxies 127.0.0.1/32 --auth off", false, []string{"localhost"}},
		{"--listen 0.0.0.0:1 --auth off --insecure", false, nil},
		{"--auth on", true, nil},
	} {
		var flags struct {
			Serve serveCmd `cmd:""`
		}
		parser, err := kong.New(&flags)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(append([]string{"serve"}, strings.Fields(test.flags)...)); err != nil {
			t.Fatalf("%s: %v", test.flags, err)
		}
		if on, hosts := flags.Serve.on(), flags.Serve.hosts(); on != test.on || !slices.Equal(hosts, test.hosts) {
			t.Errorf("%q: on %v, hosts %q; want %v, %q", test.flags, on, hosts, test.on, test.hosts)
		}
	}
}

// TestBootstrapKeyThatWasRevoked: where no key works, it is not made again, and the error says what to do.
func TestBootstrapKeyThatWasRevoked(t *testing.T) {
	server := testserver.NewSecure(t)
	t.Setenv(envBootstrapKey, server.Token())
	c := serveCmd{authFlags: authFlags{Auth: "on"}}
	start := func() error {
		return c.bootstrap(t.Context(), server.Service, io.Discard, slog.New(slog.DiscardHandler))
	}
	if err := start(); err != nil {
		t.Errorf("a start while the key works: %v", err)
	}
	if _, err := runAs(t.Context(), server.URL, server.Token(), nil, "key", "revoke", server.Admin.KeyID); err != nil {
		t.Fatal(err)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), envBootstrapKey) || !strings.Contains(err.Error(), "tusq key token") {
		t.Errorf("a start after it was revoked: %v", err)
	}
}

// TestPublicURL: what queue URLs begin with is a URL that clients can call.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	for url, works := range map[string]bool{
		"":                                true,
		"http://localhost:9324":           true,
		"https://tusq.example.com":        true,
		"HTTPS://tusq.example.com/":       true,
		"https://[2001:db8::1]:443":       true,
		"https://example.com/queues":      false,
		"tusq.example.com":                false,
		"tusq.example.com:9324":           false,
		"//tusq.example.com":              false,
		"http:tusq.example.com":           false,
		"%%":                              false,
		"http://":                         false,
		"http://:9324":                    false,
		"https://tusq example.com":        false,
		"https://example.com/a b":         false,
		"https://example.com:port":        false,
		"ftp://x":                         false,
		"https://user:s3cret@example.com": false,
		"https://user:s3cret%zz@x":        false,
		"https://s3cret@example.com":      false,
		"https://example.com?a=b":         false,
		"https://example.com/?":           false,
		"https://example.com/#":           false,
	} {
		_, err := newParser(t.Context(), new(cli)).Parse([]string{"serve", "--public-url", url})
		if (err == nil) != works {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "--public-url") || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%q: the error does not name the flag, or shows the password: %v", url, err)
		}
	}
}
