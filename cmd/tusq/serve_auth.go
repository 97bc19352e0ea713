package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tusq/api/auth"
	"tusq/api/auth/sigv4"
	"tusq/api/sqs"
	"tusq/service"
	"tusq/web"
)

// Secrets come from the environment or from files, never from the command line, which others can see.
const (
	envMasterKey    = "TUSQ_MASTER_KEY"
	envBootstrapKey = "TUSQ_BOOTSTRAP_KEY"
)

// masterKeyFile is the master key of a private PostgreSQL, in its data directory.
const masterKeyFile = "master.key"

// authFlags say who may call.
type authFlags struct {
	Auth            string        `help:"on: callers need keys (see tusq key). off: everybody may do everything. Default: off on a loopback address without --trusted-proxies and --public-url, on elsewhere." env:"TUSQ_AUTH" enum:"on,off,default" default:"default" placeholder:"on|off"`
	Insecure        bool          `help:"Serve an address that others can reach, by any name, although authentication is off." env:"TUSQ_INSECURE"`
	MasterKeyFile   string        `help:"File with the master key that seals the secrets of keys (see tusq key master), or several: the first seals, all open. Or in TUSQ_MASTER_KEY. Absent: with a private PostgreSQL, one is made in the data directory." env:"TUSQ_MASTER_KEY_FILE" placeholder:"FILE" type:"path"`
	RatePerKey      float64       `help:"Requests per second of one key, on this replica; for a moment twice as many. 0: as many as come." env:"TUSQ_RATE_PER_KEY" default:"0" placeholder:"N"`
	RatePerAccount  float64       `help:"The same for all keys of one account." env:"TUSQ_RATE_PER_ACCOUNT" default:"0" placeholder:"N"`
	SignatureWindow time.Duration `help:"How far the clock of a client that signs its requests may be off: up to 15m." env:"TUSQ_SIGNATURE_WINDOW" default:"5m"`
	MetricsPublic   bool          `help:"Serve /metrics without a token although authentication is on." env:"TUSQ_METRICS_PUBLIC"`
}

// validate checks the flags for an address to listen on.
func (f *authFlags) validate(listen string) error {
	if f.RatePerKey < 0 || f.RatePerAccount < 0 {
		return errors.New("--rate-per-key and --rate-per-account must not be negative")
	}
	if f.SignatureWindow <= 0 || f.SignatureWindow > sigv4.MaxWindow {
		return fmt.Errorf("--signature-window must be positive, and %v at most", sigv4.MaxWindow)
	}
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if f.Auth == "off" && !isLoopback(host) && !f.Insecure {
		return fmt.Errorf("--listen %s can be reached by others, who may do everything without authentication: "+
			"leave out --auth off or, if a private network protects it, say --insecure too", listen)
	}
	return nil
}

// on tells whether callers need keys.
func (c *serveCmd) on() bool {
	if c.Auth != "default" {
		return c.Auth == "on"
	}
	return !c.isLocal()
}

// isLocal tells whether the server is meant for its own machine alone.
func (c *serveCmd) isLocal() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && isLoopback(host) && len(c.Proxies) == 0 && (c.PublicURL == "" || isLoopback(c.publicHost()))
}

// showsKeys tells whether keys come from other machines in clear text, as far as the flags tell.
func (c *serveCmd) showsKeys() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	return err == nil && c.on() && c.Cert == "" && !isLoopback(host) && len(c.Proxies) == 0
}

// publicHost is the name in --public-url; empty: there is none.
func (c *serveCmd) publicHost() string {
	public, err := url.Parse(c.PublicURL)
	if err != nil {
		return ""
	}
	return public.Hostname()
}

// checkPublicURL fails where clients could not call a URL that begins so. It shows nothing of the text, which may
// hold a password.
func checkPublicURL(text string) error {
	if text == "" {
		return nil
	}
	public, err := url.Parse(text)
	if err != nil || public.Scheme != "http" && public.Scheme != "https" || public.Hostname() == "" ||
		public.User != nil || strings.Trim(public.Path, "/") != "" || strings.ContainsAny(text, "?# ") {
		return errors.New("--public-url must be http:// or https:// and a host, without a user, a path, a query or a fragment, such as https://queue.example.com")
	}
	return nil
}

// hosts are the names by which the server may be asked for where nobody needs a key: see api.Options.
func (c *serveCmd) hosts() []string {
	if c.on() || c.Insecure {
		return nil
	}
	hosts := []string{"localhost"}
	if public := c.publicHost(); public != "" {
		hosts = append(hosts, public)
	}
	return hosts
}

// givenMasterKeys returns the master keys that are given, if any. It fails where they have to be.
func (c *serveCmd) givenMasterKeys() (service.MasterKeys, error) {
	given := os.Getenv(envMasterKey)
	switch {
	case given != "" && c.MasterKeyFile != "":
		return service.MasterKeys{}, fmt.Errorf("%s and --master-key-file exclude each other", envMasterKey)
	case given != "":
		keys, err := service.ParseMasterKeys(given)
		if err != nil {
			return keys, fmt.Errorf("%s: %w", envMasterKey, err)
		}
		return keys, nil
	case c.MasterKeyFile != "":
		return readMasterKeys(c.MasterKeyFile)
	case c.DatabaseURL != "" && c.on():
		return service.MasterKeys{}, errors.New("with --database-url, authentication needs a master key, the same on all replicas: make one by " +
			"`(umask 077; tusq key master > master.key)`, keep a copy, for without it the secrets of keys are lost, and say --master-key-file master.key")
	}
	return service.MasterKeys{}, nil
}

func readMasterKeys(path string) (service.MasterKeys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return service.MasterKeys{}, err
	}
	keys, err := service.ParseMasterKeys(string(text))
	if err != nil {
		return keys, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// ownMasterKey reads a file's master key, which is made where there is no file. It is the business of
// the one process that has the data directory.
func ownMasterKey(path string, log *slog.Logger) (service.MasterKeys, error) {
	keys, err := readMasterKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := writeDurably(path, service.NewMasterKey().Reveal()+"\n"); err != nil {
		return service.MasterKeys{}, fmt.Errorf("make a master key: %w", err)
	}
	log.Info("made a master key, which seals the secrets of keys", "file", path)
	return readMasterKeys(path)
}

// writeDurably writes a file that only its owner may read. A crash leaves all of it or none.
func writeDurably(path, text string) error {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// serviceOptions are the service's, with the given master keys or those of a private PostgreSQL.
func (c *serveCmd) serviceOptions(keys service.MasterKeys, log *slog.Logger) (service.Options, error) {
	var err error
	if keys.None() && c.DatabaseURL == "" {
		keys, err = ownMasterKey(filepath.Join(c.DataDir, masterKeyFile), log)
	}
	return service.Options{
		Logger: log, NoCoalesce: c.NoCoalesce, MaxLongPolls: c.MaxLongPolls, Permits: sqs.Permits, TakesFrom: sqs.TakesFrom,
		AuditRetention: c.AuditRetention,
		Account:        c.Account, MasterKeys: keys, Rates: service.Rates{PerKey: c.RatePerKey, PerAccount: c.RatePerAccount},
	}, err
}

// signatures are what authenticates SQS's clients, nil where nobody is authenticated.
func (c *serveCmd) signatures(svc *service.Service) *auth.Signatures {
	if !c.on() {
		return nil
	}
	return auth.NewSignatures(svc, sigv4.Options{Window: c.SignatureWindow})
}

// bootstrap makes a first key where authentication is on and nobody has one, and prints it to out unless
// it is given.
func (c *serveCmd) bootstrap(ctx context.Context, svc *service.Service, out io.Writer, log *slog.Logger) error {
	if !c.on() {
		return nil
	}
	given, known := service.Credentials{}, false
	if text := os.Getenv(envBootstrapKey); text != "" {
		if given, known = service.ParseCredentials(text); !known {
			return fmt.Errorf("%s is not a token, nor an id and a secret with a colon between them: make one by `tusq key token`", envBootstrapKey)
		}
	}
	made, created, err := svc.CreateFirstKey(ctx, given)
	switch {
	case known && service.ErrorCode(err) == service.CodeKeyNotFound:
		return fmt.Errorf("no key works, and the one of %s was revoked or has expired: give another, made by `tusq key token`", envBootstrapKey)
	case err != nil:
		return fmt.Errorf("make the first key: %w", err)
	}
	if !created {
		return nil
	}
	log.Info("there was no key: made one that may do everything", "key", made.KeyID, "given", known)
	if known {
		return nil
	}
	_, err = fmt.Fprintf(out, "\nThere was no key. This one may do everything, and is shown only now:\n%s\n", credentialsText(made))
	return err
}

// credentialsText shows credentials to the one whose they are.
func credentialsText(c service.Credentials) string {
	return fmt.Sprintf("  access key id      %s\n  secret access key  %s\n  token              %s\n",
		c.KeyID, c.Secret.Reveal(), c.Token().Reveal())
}

// signIn says how people sign in to the console; nil: everybody may do everything.
func (c *serveCmd) signIn() *web.SignIn {
	if !c.on() {
		return nil
	}
	return &web.SignIn{Account: c.Account}
}
