// Package testserver serves every route over the real service for tests.
package testserver

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"tusq/api"
	"tusq/api/sqs"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/testservice"
	"tusq/web"
)

// Region is what the test servers' ARNs name.
const Region = "us-east-1"

// New returns the base URL of a whole HTTP server on a database of its own. Both end
// with the test.
func New(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(Handler(testservice.New(t)))
	t.Cleanup(server.Close)
	return server.URL
}

// Handler returns every route over a service.
func Handler(svc *service.Service) http.Handler {
	log := slog.New(slog.DiscardHandler)
	return api.NewRouter(api.Options{
		Service: svc,
		Logger:  log,
		Metrics: telemetry.New(),
		Account: testservice.Account,
		SQS:     sqs.New(svc, sqs.Options{Region: Region, Logger: log}),
		Console: web.New(svc, web.Options{Logger: log}),
	})
}
