// Package maintain runs background jobs: small, bounded, repeatable parts of work
// that any replica may do.
package maintain

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
)

// Job is a piece of work that is done again and again.
type Job struct {
	Name  string
	Every time.Duration // between two runs that found nothing to do
	// Do does a bounded part and returns how much that was. After more than nothing
	// it is called again at once.
	Do func(ctx context.Context) (int64, error)
}

// Run runs all jobs until ctx ends. An error of a job is logged, and the job tried again.
func Run(ctx context.Context, log *slog.Logger, jobs []Job) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, job := range jobs {
		group.Go(func() error { return job.run(ctx, log) })
	}
	return group.Wait()
}

func (j Job) run(ctx context.Context, log *slog.Logger) error {
	for {
		done, err := j.Do(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			log.Warn("maintenance failed", "job", j.Name, "err", err)
		}
		if done > 0 && err == nil {
			log.Debug("maintenance", "job", j.Name, "rows", done)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(jitter(j.Every)):
		}
	}
}

// jitter spreads the replicas' runs: between 0.75 and 1.25 of d.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2)
}
