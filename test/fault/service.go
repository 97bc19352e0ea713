package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"time"

	"tusq/client"
	"tusq/test/fault/check"
	"tusq/test/fault/history"
	"tusq/test/fault/load"
	"tusq/test/fault/rig"
)

const (
	drainLimit = 3 * time.Minute // of a round's drain
	idle       = time.Second     // of load before the first fault and after the last
)

// service is the cluster under test and what has become of it.
type service struct {
	cluster *rig.Cluster
	dir     string
	module  string // the source of tusq
	seed    uint64
	size    loadSize
	print   io.Writer
	sum     summary

	drainFor time.Duration       // a round's drain may take
	tune     func(*load.Options) // changes a round's load; nil: not
	honest   bool                // no forger comes before a round with a bug
	// faultFree: no answer is lost in what is done to the cluster, so that receive counts have no gaps.
	faultFree bool
	conflict  conflicts
}

// startService starts the cluster, which the end of ctx does not end: it is looked at when an interrupt has ended the load.
func startService(ctx context.Context, c config) (*service, error) {
	cluster, err := rig.StartCluster(context.WithoutCancel(ctx), rig.Options{
		Dir: filepath.Join(c.out, "cluster"), Binary: c.binary, Balancer: c.balancer, Replicas: c.replicas,
	})
	if err != nil {
		return nil, err
	}
	return &service{cluster: cluster, dir: c.out, module: c.module, seed: c.seed, size: c.load, print: io.Discard, sum: newSummary(), drainFor: drainLimit}, nil
}

// harm is what is done to the cluster while clients are at work. It returns when all has healed.
type harm func(ctx context.Context, m *mischief) error

// round is one load with its faults, its drain and its check, on queues of its own.
type round struct {
	number   int
	options  load.Options
	progress *load.Progress
	mischief *mischief
	report   *check.Report
	events   []history.Event
	took     time.Duration
}

// play plays a round for a time and adds it to the sum. The error is of the rig or of a service that does not heal; what the check finds
// is in the report.
func (s *service) play(ctx context.Context, number int, length time.Duration, do harm) (*round, error) {
	began := time.Now()
	recorder, err := history.NewRecorder(filepath.Join(s.dir, fmt.Sprintf("round-%04d.jsonl.gz", number)))
	if err != nil {
		return nil, err
	}
	r := &round{number: number, progress: &load.Progress{}}
	r.options = s.options(number, recorder, r.progress)
	r.mischief = &mischief{cluster: s.cluster, recorder: recorder, progress: r.progress, random: s.random(number)}
	err = s.work(ctx, r, length, do)
	tables := map[string]check.Rows{}
	if err == nil {
		tables, err = s.tables(ctx, number)
	}
	deadlocks, counting := s.conflict.since(ctx, s.cluster)
	var closing error
	r.events, closing = recorder.Close()
	if err = errors.Join(err, closing, counting); err != nil {
		return r, fmt.Errorf("round %d: %w", number, err)
	}
	r.report = check.Run(r.events, check.Options{
		DeadLetters: deadLetters(r.options.Queues), Tables: tables, Slack: 50 * time.Millisecond, MaxGap: aloneLimit, FaultFree: s.faultFree,
	})
	r.report.Add(&check.Report{Violations: append(r.mischief.wrong, deadlocks...)})
	r.took = time.Since(began)
	s.sum.add(r)
	return r, s.removeQueues(ctx, r.options.Queues)
}

// work makes the queues, lets the clients work on them under harm, and drains them.
func (s *service) work(ctx context.Context, r *round, length time.Duration, do harm) error {
	if err := load.CreateQueues(ctx, r.options); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	loaded := make(chan error, 1)
	go func() { loaded <- load.Run(working, r.options) }()
	err := s.harm(ctx, r, length, do)
	stop()
	if err = errors.Join(err, <-loaded); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.drainFor)
	defer cancel()
	return load.Drain(ctx, r.options)
}

// harm is over when the service is well again.
func (s *service) harm(ctx context.Context, r *round, length time.Duration, do harm) error {
	pause(ctx, idle)
	harming, cancel := context.WithTimeout(ctx, length-2*idle)
	defer cancel()
	err := do(harming, r.mischief)
	if err == nil {
		err = s.cluster.Ready(ctx)
	}
	pause(ctx, idle)
	return errors.Join(err, ctx.Err())
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// random is a round's own chance.
func (s *service) random(number int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(number))) }

// options are a round's: half of the clients begin behind the front proxy, half at the load balancer.
func (s *service) options(number int, recorder *history.Recorder, progress *load.Progress) load.Options {
	o := load.Defaults()
	o.URLs = []string{s.cluster.URL(), s.cluster.BalancerURL()}
	o.Recorder, o.Progress, o.Seed = recorder, progress, s.seed*10_000+uint64(number)
	o.Producers, o.Consumers, o.Rate = s.size.producers, s.size.consumers, s.size.rate
	o.Queues = append(load.Mix(), load.Queue{Name: "purged", Purge: true}, load.Queue{Name: "redriven", MaxReceives: 3, Redrive: true})
	for i := range o.Queues {
		o.Queues[i].Name = prefix(number) + o.Queues[i].Name
	}
	if s.tune != nil {
		s.tune(&o)
	}
	return o
}

// prefix begins the names of a round's queues.
func prefix(number int) string { return fmt.Sprintf("round%d-", number) }

func deadLetters(queues []load.Queue) map[string]check.DeadLetter {
	all := map[string]check.DeadLetter{}
	for _, q := range queues {
		if q.MaxReceives > 0 {
			all[q.Name] = check.DeadLetter{Target: q.DeadLetter(), MaxReceives: q.MaxReceives}
		}
	}
	return all
}

// tables counts what PostgreSQL holds of a round's queues, which are drained. Its statement names each table once, with what it may hold.
func (s *service) tables(ctx context.Context, number int) (map[string]check.Rows, error) {
	const sql = `
WITH mine AS (
    SELECT id FROM queues WHERE name LIKE $1 || '%' AND deleted_at IS NULL
)
SELECT
    (SELECT count(*) FROM messages WHERE queue_id IN (SELECT id FROM mine)),
    (SELECT count(*) FROM message_groups WHERE queue_id IN (SELECT id FROM mine)),
    (SELECT coalesce(sum(abs(total)), 0)::bigint
     FROM (SELECT sum(messages) AS total FROM queue_counters WHERE queue_id IN (SELECT id FROM mine) GROUP BY queue_id) AS counted),
    (SELECT count(*) FROM redrives WHERE source_id IN (SELECT id FROM mine) AND ended_at IS NULL),
    (SELECT count(*) FROM mine)`
	var messages, groups, counted, redrives, queues int64
	if err := s.cluster.Postgres.QueryRow(ctx, []any{&messages, &groups, &counted, &redrives, &queues}, sql, prefix(number)); err != nil {
		return nil, err
	}
	if queues == 0 {
		return nil, errors.New("the database knows no queue of the round")
	}
	return map[string]check.Rows{
		"messages": {Rows: messages}, "message_groups": {Rows: groups}, "queue_counters, in sum": {Rows: counted}, "redrives, running": {Rows: redrives},
	}, nil
}

// removeQueues keeps the database small.
func (s *service) removeQueues(ctx context.Context, queues []load.Queue) error {
	api, err := client.New(s.cluster.BalancerURL())
	if err != nil {
		return err
	}
	for _, q := range queues {
		if err := api.DeleteQueue(ctx, q.Name); err != nil {
			return err
		}
		if dead := q.DeadLetter(); dead != "" {
			if err := api.DeleteQueue(ctx, dead); err != nil {
				return err
			}
		}
	}
	return nil
}
