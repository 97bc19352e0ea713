// Package replica runs replicas inside this process: the service on its repository, without HTTP. Faults of the disk and of
// the connection to PostgreSQL need no more, and thousands of them can be tried in a minute.
package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"tusq/repository"
	"tusq/service"
)

// Caller is the caller on whose account the queues are.
var Caller = service.Owner("000000000000")

// Options of Start.
type Options struct {
	// URL is that of a migrated database.
	URL string
	// Flushes is how many may run at a time. 0: 16.
	Flushes int
	Service service.Options // a nil Logger discards what is logged
}

// Replica is a running service.
type Replica struct {
	*service.Service
	store  *repository.Repository
	cancel context.CancelFunc
	ended  chan error
}

// started numbers the replicas of this process.
var started atomic.Int64

// Start runs a replica until Stop.
func Start(ctx context.Context, opts Options) (*Replica, error) {
	if opts.Service.Logger == nil {
		opts.Service.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Flushes == 0 {
		opts.Flushes = 16
	}
	store, err := repository.Open(ctx, repository.Options{
		URL: opts.URL, Replica: fmt.Sprint("replica ", started.Add(1)), HotConnections: opts.Flushes, Logger: opts.Service.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	svc, err := service.New(ctx, store, opts.Service)
	if err != nil {
		store.Close()
		return nil, fmt.Errorf("make the service: %w", err)
	}
	r := &Replica{Service: svc, store: store, ended: make(chan error, 1)}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() { r.ended <- svc.Run(ctx) }()
	return r, nil
}

// Stop ends it as a signal would, and returns what it ended with.
func (r *Replica) Stop() error {
	r.Drain()
	r.cancel()
	err := <-r.ended
	r.store.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
