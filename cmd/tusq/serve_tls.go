package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// tlsFlags are the server's certificates.
type tlsFlags struct {
	Cert       string `name:"tls-cert" help:"File of the server's certificate, and those between it and its CA, in PEM: serve HTTPS. It is read again when it changes." env:"TUSQ_TLS_CERT" placeholder:"FILE" type:"path"`
	Key        string `name:"tls-key" help:"File of the certificate's key." env:"TUSQ_TLS_KEY" placeholder:"FILE" type:"path"`
	ClientCA   string `name:"tls-client-ca" help:"File of CAs, in PEM: clients need a certificate of one of them." env:"TUSQ_TLS_CLIENT_CA" placeholder:"FILE" type:"path"`
	ClientAuth string `name:"tls-client-auth" help:"require or off: whether --tls-client-ca holds." env:"TUSQ_TLS_CLIENT_AUTH" enum:"require,off" default:"require"`
}

// certificateCheck is how often the files are looked at.
const certificateCheck = 5 * time.Second

func (f *tlsFlags) validate() error {
	if (f.Cert == "") != (f.Key == "") {
		return errors.New("--tls-cert and --tls-key belong together")
	}
	if f.ClientCA != "" && f.Cert == "" {
		return errors.New("--tls-client-ca needs --tls-cert and --tls-key")
	}
	return nil
}

// loadCertificates reads the certificates, or returns nil where there are none.
func (f *tlsFlags) loadCertificates(log *slog.Logger) (*certificates, error) {
	if f.Cert == "" {
		return nil, nil
	}
	c := &certificates{cert: f.Cert, key: f.Key, log: log}
	if f.ClientAuth == "require" {
		c.clientCA = f.ClientCA
	}
	var err error
	if c.last, err = c.read(); err != nil {
		return nil, err
	}
	loaded, err := c.last.parse()
	if err != nil {
		return nil, err
	}
	c.current.Store(loaded)
	return c, nil
}

// certificates are the server's, as their files last were when they were right.
type certificates struct {
	cert, key, clientCA string // files; clientCA may be empty
	log                 *slog.Logger
	current             atomic.Pointer[tls.Config]
	last                pemFiles // what was read last, right or not; the watcher's
}

// pemFiles are the files' contents.
type pemFiles struct {
	cert, key, clientCA []byte // clientCA is nil where clients need no certificate
}

func (f pemFiles) equal(g pemFiles) bool {
	return bytes.Equal(f.cert, g.cert) && bytes.Equal(f.key, g.key) && bytes.Equal(f.clientCA, g.clientCA)
}

func (c *certificates) read() (files pemFiles, err error) {
	if files.cert, err = os.ReadFile(c.cert); err != nil {
		return files, fmt.Errorf("--tls-cert: %w", err)
	}
	if files.key, err = os.ReadFile(c.key); err != nil {
		return files, fmt.Errorf("--tls-key: %w", err)
	}
	if c.clientCA == "" {
		return files, nil
	}
	if files.clientCA, err = os.ReadFile(c.clientCA); err != nil {
		return files, fmt.Errorf("--tls-client-ca: %w", err)
	}
	return files, nil
}

// parse makes the configuration of one state of the files. Where clients show
// certificates no session is resumed, so that a CA that is taken away is away at once.
func (f pemFiles) parse() (*tls.Config, error) {
	pair, err := tls.X509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	config := serverTLS()
	config.Certificates = []tls.Certificate{pair}
	if f.clientCA == nil {
		return config, nil
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs = x509.NewCertPool()
	config.SessionTicketsDisabled = true
	if !config.ClientCAs.AppendCertsFromPEM(f.clientCA) {
		return nil, errors.New("--tls-client-ca: there is no certificate in the file")
	}
	return config, nil
}

// serverTLS is what holds for every state of the files.
//
// HTTP/2 is left out. Clients gain nothing by it here: SDKs speak HTTP/1.1, and a receive
// that waits costs as much either way. But one connection would carry hundreds of requests,
// which --max-connections does not see; a lost packet would hold up all of them; and the
// floods of resets and header frames that servers of HTTP/2 have had to be mended for are
// no worry of one that does not speak it.
func serverTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// config is a server's, whose handshakes go by the files as they are.
func (c *certificates) config() *tls.Config {
	config := serverTLS()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil }
	return config
}

// watch reads changed files until ctx ends. Connections go on with what they began with;
// where the new files are wrong, new connections do too.
func (c *certificates) watch(ctx context.Context) error {
	tick := time.NewTicker(certificateCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.reload()
		}
	}
}

// reload takes changed files over. A pair that does not fit may be half of a change: it
// is looked at again when the other half comes.
func (c *certificates) reload() {
	files, err := c.read()
	if err == nil && files.equal(c.last) {
		return
	}
	var config *tls.Config
	if err == nil {
		c.last = files
		config, err = files.parse()
	}
	if err != nil {
		c.log.Error("the new certificates are wrong; the old ones stay", "err", err)
		return
	}
	c.current.Store(config)
	c.log.Info("new certificates are in use", "expires", config.Certificates[0].Leaf.NotAfter)
}
