package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tusq/client"
	"tusq/internal/testcert"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

// secured is a server with TLS, as serve makes it, on a service of its own.
type secured struct {
	*door
	dir, url string
	flags    serveCmd
	log      *logLines
}

// logLines is a log that is written while it is read.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

// secure serves with a pair, and asks for clients' certificates of a CA unless it is nil.
func secure(t *testing.T, pair testcert.Pair, clients *testcert.Authority) *secured {
	t.Helper()
	s := &secured{dir: t.TempDir(), log: &logLines{}}
	s.flags.Cert, s.flags.Key = pair.Write(t, s.dir, "server")
	s.flags.ClientAuth, s.flags.MaxConnections = "require", 1000
	if clients != nil {
		s.flags.ClientCA = testcert.Write(t, s.dir, "clients.crt", clients.PEM)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.door, err = s.flags.openDoor(listener, slog.New(slog.NewTextHandler(s.log, nil))); err != nil {
		t.Fatal(err)
	}
	serveDoor(t, s.door, testserver.Handler(t, testservice.New(t)))
	s.url = s.door.url()
	return s
}

// serveDoor serves a handler by a door until the test's end.
func serveDoor(t *testing.T, d *door, handler http.Handler) {
	t.Helper()
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	ended := make(chan error, 1)
	go func() { ended <- d.serve(server) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// get returns the status of /livez, and the certificate that the server showed.
func (s *secured) get(config *tls.Config) (int, *x509.Certificate, error) {
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(s.url + "/livez")
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	return response.StatusCode, response.TLS.PeerCertificates[0], nil
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t, "CA")
	s := secure(t, ca.Issue("127.0.0.1"), nil)
	for version, served := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		config := &tls.Config{RootCAs: ca.Pool(), MinVersion: version, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"}}
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), config)
		if (err == nil) != served {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err != nil {
			continue
		}
		if protocol := conn.ConnectionState().NegotiatedProtocol; protocol != "http/1.1" {
			t.Errorf("%s: negotiated %q", tls.VersionName(version), protocol)
		}
		conn.Close()
	}
	if _, _, err := s.get(&tls.Config{RootCAs: testcert.New(t, "another CA").Pool()}); err == nil {
		t.Error("the client trusts another CA")
	}
	response, err := http.Get(strings.Replace(s.url, "https", "http", 1))
	if err != nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP: %v, %v", response, err)
	}
}

// Only the console over TLS tells browsers to come back by TLS alone.
func TestStrictTransport(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t, "CA")
	s := secure(t, ca.Issue("127.0.0.1"), nil)
	secureClient := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
	defer secureClient.CloseIdleConnections()
	for url, want := range map[string]string{
		s.url + "/console": "max-age=31536000", testserver.New(t) + "/console": "",
	} {
		response, err := secureClient.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := response.Header.Get("Strict-Transport-Security"); got != want || response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d, %q, want %q", url, response.StatusCode, got, want)
		}
	}
}

// New files are used by new connections. Those that are open go on, and files that are
// wrong change nothing.
func TestCertificatesAreReloaded(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t, "CA")
	s := secure(t, ca.Issue("127.0.0.1"), nil)
	trusting := &tls.Config{RootCAs: ca.Pool()}
	_, first, err := s.get(trusting)
	if err != nil {
		t.Fatal(err)
	}
	open := &http.Client{Transport: &http.Transport{TLSClientConfig: trusting, MaxConnsPerHost: 1}}
	defer open.CloseIdleConnections()
	use := func() {
		t.Helper()
		response, err := open.Get(s.url + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if !response.TLS.PeerCertificates[0].Equal(first) {
			t.Error("the open connection was not used again")
		}
	}
	use()
	for what, wrong := range map[string]func(){
		"half of a pair":  func() { testcert.Write(t, s.dir, "server.crt", ca.Issue("127.0.0.1").Cert) },
		"no certificate":  func() { testcert.Write(t, s.dir, "server.crt", []byte("none")) },
		"an empty key":    func() { testcert.Write(t, s.dir, "server.key", nil) },
		"a file is away":  func() { os.Remove(filepath.Join(s.dir, "server.crt")) },
		"another's key":   func() { testcert.Write(t, s.dir, "server.key", ca.Issue("127.0.0.1").Key) },
		"nothing changes": func() {},
	} {
		wrong()
		s.tls.reload()
		if _, now, err := s.get(trusting); err != nil || !now.Equal(first) {
			t.Errorf("%s: %v", what, err)
		}
		use()
	}
	if !s.log.has("the old ones stay") {
		t.Error("what was wrong is not in the log")
	}
	ca.Issue("127.0.0.1").Write(t, s.dir, "server")
	s.tls.reload()
	if _, now, err := s.get(trusting); err != nil || now.Equal(first) {
		t.Errorf("the new certificate is not used: %v", err)
	}
	use()
	if !s.log.has("new certificates are in use") {
		t.Error("the change is not in the log")
	}
}

// The watcher takes changes over by itself.
func TestCertificatesAreWatched(t *testing.T) {
	t.Parallel()
	ca := testcert.New(t, "CA")
	s := secure(t, ca.Issue("127.0.0.1"), nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.watch(ctx) }()
	ca.Issue("127.0.0.1").Write(t, s.dir, "server")
	for end := time.Now().Add(30 * time.Second); !s.log.has("new certificates are in use"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the change was not seen")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Who has to show a certificate and cannot is refused before any request, at once after a
// CA was taken away, and without the client's trying again.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ca, clients, strangers := testcert.New(t, "CA"), testcert.New(t, "clients"), testcert.New(t, "strangers")
	s := secure(t, ca.Issue("127.0.0.1"), clients)
	known := &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{clients.Issue("app").TLS(t)}, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if status, _, err := s.get(known); err != nil || status != http.StatusOK {
		t.Errorf("a known client: %d, %v", status, err)
	}
	for name, config := range map[string]*tls.Config{
		"none":               {RootCAs: ca.Pool()},
		"of another CA":      {RootCAs: ca.Pool(), Certificates: []tls.Certificate{strangers.Issue("app").TLS(t)}},
		"of the server's CA": {RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Issue("app").TLS(t)}},
	} {
		if status, _, err := s.get(config); err == nil {
			t.Errorf("a certificate %s: %d", name, status)
		}
		c, err := client.New(s.url, client.WithTLS(config))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := c.ListQueues(t.Context(), client.ListQueues{}); err == nil || time.Since(began) > client.DefaultRetry/2 {
			t.Errorf("a certificate %s: %v after %v", name, err, time.Since(began))
		}
	}
	testcert.Write(t, s.dir, "clients.crt", strangers.PEM)
	s.tls.reload()
	if status, _, err := s.get(known); err == nil {
		t.Errorf("a client whose CA was taken away, with a session to resume: %d", status)
	}
}

// The commands trust the CA that they are given and show their certificate.
func TestCommandsOverTLS(t *testing.T) {
	t.Parallel()
	ca, clients := testcert.New(t, "CA"), testcert.New(t, "clients")
	s := secure(t, ca.Issue("127.0.0.1"), clients)
	cert, key := clients.Issue("app").Write(t, s.dir, "client")
	flags := []string{"--ca-file", testcert.Write(t, s.dir, "ca.crt", ca.PEM), "--client-cert", cert, "--client-key", key}
	with := func(args ...string) []string { return append(args, flags...) }
	mustRun(t, s.url, nil, with("queue", "create", "orders")...)
	mustRun(t, s.url, nil, with("send", "orders", "hello")...)
	if out := mustRun(t, s.url, nil, with("receive", "orders", "--delete")...); out.stdout != "hello\n" {
		t.Errorf("received %q", out.stdout)
	}
	for _, endpoint := range [][]string{nil, {"--sqs", s.url}} {
		bench := append([]string{"bench", "--workload", "send", "--messages", "10", "--warm-up", "0s", "--connections", "1"}, endpoint...)
		mustRun(t, s.url, nil, with(bench...)...)
	}
	for _, args := range [][]string{
		{"queue", "list"},
		{"queue", "list", "--ca-file", key},
		{"queue", "list", "--ca-file", filepath.Join(s.dir, "none")},
		{"queue", "list", "--client-cert", cert},
		{"bench", "--workload", "send", "--messages", "1"},
	} {
		if out, err := run(t.Context(), s.url, nil, args...); err == nil {
			t.Errorf("%v: %s", args, out.stdout)
		}
	}
}

func TestTLSFlags(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string]tlsFlags{
		"a key is missing": {Cert: "a"}, "a certificate is missing": {Key: "a"}, "a CA without a pair": {ClientCA: "a"},
	} {
		if flags.validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	dir := t.TempDir()
	cert, key := testcert.New(t, "CA").Issue("a").Write(t, dir, "server")
	for name, test := range map[string]struct {
		flags tlsFlags
		fails bool
	}{
		"a pair":                    {tlsFlags{Cert: cert, Key: key}, false},
		"a pair and a CA":           {tlsFlags{Cert: cert, Key: key, ClientCA: cert, ClientAuth: "require"}, false},
		"a CA without certificates": {tlsFlags{Cert: cert, Key: key, ClientCA: key, ClientAuth: "require"}, true},
		"the same, switched off":    {tlsFlags{Cert: cert, Key: key, ClientCA: key, ClientAuth: "off"}, false},
		"the wrong way round":       {tlsFlags{Cert: key, Key: cert}, true},
	} {
		if _, err := test.flags.loadCertificates(slog.New(slog.DiscardHandler)); (err != nil) != test.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
}
