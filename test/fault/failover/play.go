package failover

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"tusq/test/fault/check"
	"tusq/test/fault/history"
	"tusq/test/fault/load"
	"tusq/test/fault/rig"
)

// Options say how a service is to lose its primary.
type Options struct {
	Dir    string // for data, logs and the history; the user that runs PostgreSQL can enter it
	Binary string // the tusq to test
	Seed   uint64
	Times  int           // failovers
	Calm   time.Duration // between a failover's end and the next
}

// Database is a primary and its synchronous standbys.
type Database interface {
	// URL leads to the primary, whichever it is.
	URL() string
	// AwaitQuorum returns when commits wait for a standby that can take over.
	AwaitQuorum(ctx context.Context) error
}

// Change is a way to get another primary.
type Change struct {
	Name string
	// Fail returns when another server is the primary; Rejoin, when the old one follows it.
	Fail, Rejoin func(context.Context) error
}

// drainLimit is for the drain after the last failover.
const drainLimit = 3 * time.Minute

// Play makes the changes, one after the other, of the database of two replicas that are under load. The error is of
// the rig; what the check finds is in the result.
func Play(ctx context.Context, o Options, database Database, changes []Change) (result Result, err error) {
	urls, stop, err := startReplicas(ctx, o, database.URL(), 2)
	if err != nil {
		return Result{}, err
	}
	defer stop()
	recorder, err := history.NewRecorder(filepath.Join(o.Dir, "failovers.jsonl.gz"))
	if err != nil {
		return Result{}, err
	}
	clients := load.Defaults()
	clients.URLs, clients.Recorder, clients.Seed, clients.Queues = urls, recorder, o.Seed, load.Mix()
	clients.Producers, clients.Consumers, clients.Rate = 4, 8, 300
	failed, err := failUnderLoad(ctx, o.Calm, database, changes, clients)
	events, closing := recorder.Close()
	if err := errors.Join(err, closing); err != nil {
		return Result{}, err
	}
	result.Report = check.Run(events, check.Options{DeadLetters: deadLetters(clients.Queues), Slack: 50 * time.Millisecond})
	for i, at := range failed {
		until := events[len(events)-1].Returned
		if i+1 < len(failed) {
			until = failed[i+1]
		}
		result.Gaps = append(result.Gaps, Gap{changes[i].Name, gap(events, at, until)})
	}
	return result, nil
}

// startReplicas starts replicas on a database; stop ends them.
func startReplicas(ctx context.Context, o Options, database string, n int) (urls []string, stop func(), err error) {
	var replicas []*rig.Replica
	stop = func() {
		for _, r := range replicas {
			r.Kill()
		}
	}
	for i := range n {
		name := fmt.Sprintf("replica-%d", i+1)
		r, err := rig.NewReplica(ctx, name, filepath.Join(o.Dir, name+".log"), o.Binary, "--database-url", database)
		if err == nil {
			replicas = append(replicas, r)
			err = r.Start(ctx)
		}
		if err != nil {
			stop()
			return nil, nil, err
		}
		urls = append(urls, r.URL())
	}
	return urls, stop, nil
}

// failUnderLoad does so, drains the queues, and tells when each change began, by the history's time.
func failUnderLoad(ctx context.Context, pause time.Duration, database Database, changes []Change, clients load.Options) (failed []time.Duration, err error) {
	if err := load.CreateQueues(ctx, clients); err != nil {
		return nil, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	go func() { loaded <- load.Run(working, clients) }()
	for _, change := range changes {
		if err = errors.Join(database.AwaitQuorum(ctx), calm(ctx, pause)); err != nil {
			break
		}
		clients.Recorder.Note("failover: " + change.Name)
		failed = append(failed, clients.Recorder.Now())
		if err = change.Fail(ctx); err != nil {
			break
		}
		clients.Recorder.Note("failover ends")
		if err = change.Rejoin(ctx); err != nil {
			break
		}
	}
	err = errors.Join(err, calm(ctx, pause))
	stop()
	if err = errors.Join(err, <-loaded); err != nil {
		return failed, err
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	return failed, load.Drain(ctx, clients)
}

// calm waits.
func calm(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func deadLetters(queues []load.Queue) map[string]check.DeadLetter {
	dead := map[string]check.DeadLetter{}
	for _, q := range queues {
		if q.DeadLetter() != "" {
			dead[q.Name] = check.DeadLetter{Target: q.DeadLetter(), MaxReceives: q.MaxReceives}
		}
	}
	return dead
}
