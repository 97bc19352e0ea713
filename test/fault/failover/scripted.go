package failover

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
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

// Result is what became of it.
type Result struct {
	Report *check.Report
	Gaps   []time.Duration // without an acknowledged send, around each failover, in their order of length
}

// String is one line with the figures.
func (r Result) String() string {
	return fmt.Sprintf("%d failovers: %d messages acknowledged, %d sends unknown, %d lost, violations %v; write gap p50 %v, max %v", len(r.Gaps),
		r.Report.Acknowledged, r.Report.Unknown, r.Report.Lost, r.Report.Found,
		r.Gaps[len(r.Gaps)/2].Round(time.Millisecond), r.Gaps[len(r.Gaps)-1].Round(time.Millisecond))
}

// drainLimit is for the drain after the last failover.
const drainLimit = 3 * time.Minute

// Scripted kills the primary of two replicas that are under load, and promotes its synchronous standby: so many times.
// The error is of the rig; what the check finds is in the result.
func Scripted(ctx context.Context, o Options) (result Result, err error) {
	pair, err := newPair(ctx, o.Dir)
	if err != nil {
		return Result{}, err
	}
	defer pair.close()
	urls, stop, err := startReplicas(ctx, o, pair.url(), 2)
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
	killed, err := failUnderLoad(ctx, o, pair, clients)
	events, closing := recorder.Close()
	if err := errors.Join(err, closing); err != nil {
		return Result{}, err
	}
	result.Report = check.Run(events, check.Options{DeadLetters: deadLetters(clients.Queues), Slack: 50 * time.Millisecond})
	for i, at := range killed {
		until := events[len(events)-1].Returned
		if i+1 < len(killed) {
			until = killed[i+1]
		}
		result.Gaps = append(result.Gaps, gap(events, at, until))
	}
	slices.Sort(result.Gaps)
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

// failUnderLoad does so, drains the queues, and tells when the primaries were killed, by the history's time.
func failUnderLoad(ctx context.Context, o Options, pair *pair, clients load.Options) (killed []time.Duration, err error) {
	if err := load.CreateQueues(ctx, clients); err != nil {
		return nil, err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	go func() { loaded <- load.Run(working, clients) }()
	for range o.Times {
		if err = errors.Join(pair.awaitQuorum(ctx), calm(ctx, o.Calm)); err != nil {
			break
		}
		clients.Recorder.Note("failover")
		killed = append(killed, clients.Recorder.Now())
		if err = pair.fail(ctx); err != nil {
			break
		}
		clients.Recorder.Note("failover ends")
		if err = pair.rejoin(ctx); err != nil {
			break
		}
	}
	err = errors.Join(err, calm(ctx, o.Calm))
	stop()
	if err = errors.Join(err, <-loaded); err != nil {
		return killed, err
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	return killed, load.Drain(ctx, clients)
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

// gap is the longest time without an acknowledged send that ends between two moments.
func gap(events []history.Event, from, until time.Duration) (longest time.Duration) {
	var acknowledged []time.Duration
	for i := range events {
		if e := &events[i]; e.Op == history.Send && e.Outcome == history.OK {
			acknowledged = append(acknowledged, e.Returned)
		}
	}
	slices.Sort(acknowledged)
	last := time.Duration(0)
	for _, at := range acknowledged {
		if at > from && at <= until {
			longest = max(longest, at-last)
		}
		last = at
	}
	return longest
}
