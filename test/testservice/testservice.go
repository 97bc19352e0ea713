// Package testservice runs the real service on a real database for tests.
package testservice

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"tusq/internal/pgtest"
	"tusq/repository"
	"tusq/service"
	"tusq/test/canary"
)

// Account is the account whose queues the tests use.
const Account = "000000000000"

// Caller is the caller that the tests call as.
var Caller = service.Owner(Account)

// Main is the body of the TestMain of a package that uses New.
func Main(m *testing.M) { pgtest.Main(m) }

// replicas numbers the services of a test, each of which is a replica.
var replicas atomic.Int64

// New returns a running service on a database of its own. Both end with the test.
func New(t testing.TB) *service.Service {
	t.Helper()
	return On(t, pgtest.New(t), service.Options{})
}

// On returns a running service, one of any number, on a migrated database.
func On(t testing.TB, databaseURL string, opts service.Options) *service.Service {
	t.Helper()
	return OnBoth(t, databaseURL, "", opts)
}

// OnBoth is On, whose log is watched for secrets, for a database that is reached by way of a pooler and, if directURL is not
// empty, directly too.
func OnBoth(t testing.TB, databaseURL, directURL string, opts service.Options) *service.Service {
	t.Helper()
	log := slog.Handler(slog.NewTextHandler(t.Output(), nil))
	if opts.Logger != nil {
		log = opts.Logger.Handler()
	}
	if opts.Account == "" {
		opts.Account = Account
	}
	opts.Logger = slog.New(canary.Watch(t, log))
	ctx, cancel := context.WithCancel(context.Background())
	store, err := repository.Open(ctx, repository.Options{
		URL: databaseURL, DirectURL: directURL, Replica: fmt.Sprint(t.Name(), replicas.Add(1)), HotConnections: 16, Logger: opts.Logger,
	})
	if err != nil {
		cancel()
		t.Fatalf("open the database: %v", err)
	}
	svc, err := service.New(ctx, store, opts)
	if err != nil {
		store.Close()
		cancel()
		t.Fatalf("make the service: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	t.Cleanup(func() {
		svc.Drain()
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the service ended with: %v", err)
		}
		store.Close()
	})
	return svc
}
