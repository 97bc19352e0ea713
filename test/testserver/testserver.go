// Package testserver serves every route over the real service for tests.
package testserver

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"tusq/api"
	"tusq/api/auth"
	"tusq/api/auth/sigv4"
	"tusq/api/sqs"
	"tusq/internal/pgtest"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/canary"
	"tusq/test/testservice"
	"tusq/web"
)

// Region is what the test servers' ARNs name.
const Region = "us-east-1"

// New returns the base URL of a whole HTTP server on a database of its own. Both end
// with the test.
func New(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(Handler(t, testservice.New(t)))
	t.Cleanup(server.Close)
	return server.URL
}

// Secure is a whole HTTP server with authentication.
type Secure struct {
	URL     string
	Service *service.Service
	Admin   service.Credentials // of a key that may do everything
}

// Token is the administrator's, for REST.
func (s *Secure) Token() string { return s.Admin.Token().Reveal() }

// NewSecure is New with authentication.
func NewSecure(t testing.TB) *Secure {
	t.Helper()
	return SecureOn(t, pgtest.New(t), service.Options{})
}

// MasterKey is the master key of test servers.
var MasterKey = service.NewMasterKey()

// SecureOn returns a server with authentication, one of any number, on a migrated database. Only
// the first one has an administrator's credentials.
func SecureOn(t testing.TB, databaseURL string, opts service.Options) *Secure {
	t.Helper()
	if opts.MasterKeys.None() {
		keys, err := service.ParseMasterKeys(MasterKey.Reveal())
		if err != nil {
			t.Fatalf("the master key: %v", err)
		}
		opts.MasterKeys = keys
	}
	opts.Account = testservice.Account
	svc := testservice.On(t, databaseURL, opts)
	admin, _, err := svc.CreateFirstKey(t.Context(), service.Credentials{})
	if err != nil {
		t.Fatalf("make the first key: %v", err)
	}
	server := httptest.NewServer(SecureHandler(t, svc, sigv4.Options{}))
	t.Cleanup(server.Close)
	return &Secure{URL: server.URL, Service: svc, Admin: admin}
}

// SecureHandler is Handler with authentication.
func SecureHandler(t testing.TB, svc *service.Service, signatures sigv4.Options) http.Handler {
	log := canary.Logger(t)
	return api.NewRouter(api.Options{
		Service: svc,
		Logger:  log,
		Metrics: telemetry.New(),
		Auth:    true,
		SQS: sqs.New(svc, sqs.Options{
			Region: Region, Logger: log, Signatures: auth.NewSignatures(svc, signatures),
		}),
		Console: web.New(svc, web.Options{Logger: log, SignIn: &web.SignIn{Account: testservice.Account}}),
	})
}

// Handler returns every route over a service, whose log is watched for secrets.
func Handler(t testing.TB, svc *service.Service) http.Handler {
	log := canary.Logger(t)
	return api.NewRouter(api.Options{
		Service: svc,
		Logger:  log,
		Metrics: telemetry.New(),
		Account: testservice.Account,
		SQS:     sqs.New(svc, sqs.Options{Region: Region, Logger: log}),
		Console: web.New(svc, web.Options{Logger: log}),
	})
}
