package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"tusq/bench/peer"
	"tusq/bench/report"
)

const (
	startTimeout = 2 * time.Minute
	slack        = 2 * time.Minute // of a run, over its measured time
	// slowestFill is how many messages per second a backlog is sent with at least.
	slowestFill = 2000
)

// subject is a series that can be measured. Every run has a server of its own, new and empty: Start makes it in a directory, and
// Stop ends it, also after a Start that failed.
type subject interface {
	Series() report.Series
	// Runs tells whether the series takes part in a workload.
	Runs(workload report.Workload) bool
	Start(ctx context.Context, dir string, workload report.Workload) error
	Run(ctx context.Context, workload report.Workload) (json.RawMessage, error)
	Stop()
}

// step is one run of the plan.
type step struct {
	round    int
	workload report.Workload
	subject  subject
}

// plan is every run in its order: all series take turns in a workload, so that a slow minute of the machine meets them all.
func plan(opts options) (steps []step, taking []report.Series, err error) {
	subjects := subjects(opts)
	err = errors.Join(
		known("-only", opts.only, names(report.Workloads, func(w report.Workload) string { return w.Key })),
		known("-series", opts.series, names(subjects, func(s subject) string { return s.Series().Name })))
	if err != nil {
		return nil, nil, err
	}
	subjects = slices.DeleteFunc(subjects, func(s subject) bool { return !chosen(opts.series, s.Series().Name) })
	for round := range opts.rounds {
		for _, w := range report.Workloads {
			if !chosen(opts.only, w.Key) {
				continue
			}
			for _, s := range subjects {
				if s.Runs(w) && (w.Peers || !opts.peers) {
					steps = append(steps, step{round + 1, w, s})
				}
			}
		}
	}
	for _, s := range subjects {
		taking = append(taking, s.Series())
	}
	if len(steps) == 0 {
		err = errors.New("-only and -series leave nothing to run")
	}
	return steps, taking, err
}

// chosen tells whether a list of names, which is empty for all, has a name.
func chosen(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

// known refuses names that do not exist.
func known(flag string, wanted, all []string) error {
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return fmt.Errorf("%s: there is no %s; there are %s", flag, name, strings.Join(all, ", "))
		}
	}
	return nil
}

func names[T any](all []T, name func(T) string) (names []string) {
	for _, one := range all {
		names = append(names, name(one))
	}
	return names
}

// subjects are the series of a mode.
func subjects(opts options) []subject {
	all := []subject{&tusq{opts: opts, series: restSeries}, &tusq{opts: opts, series: sqsSeries, sqs: true}}
	if !opts.peers {
		return append(all, &handler{opts: opts}, &native{opts: opts, System: &peer.Inserts{}, workloads: []string{"W1", "B100"}})
	}
	for _, system := range []peer.System{&peer.RabbitMQ{Type: "classic"}, &peer.RabbitMQ{Type: "quorum"}, &peer.NATS{}, &peer.Redis{}, &peer.River{}} {
		all = append(all, &native{opts: opts, System: system})
	}
	return all
}

// measure runs the plan. When ctx ends it returns what was measured, and an error.
func measure(ctx context.Context, opts options, progress io.Writer) (*report.Set, error) {
	steps, series, err := plan(opts)
	if err != nil {
		return nil, err
	}
	set := &report.Set{Date: time.Now(), Command: opts.command, Commit: commit(ctx), Rounds: opts.rounds, Seconds: opts.duration.Seconds(),
		Backlog: opts.backlog, Series: series}
	if set.Machine, err = machine(ctx, opts.dir); err != nil {
		return nil, err
	}
	for i, s := range steps {
		began := time.Now()
		fmt.Fprintf(progress, "%3d/%d  round %d  %-5s %-17s ", i+1, len(steps), s.round, s.workload.Key, s.subject.Series().Name)
		run := set.Add(s.run(ctx, opts))
		fmt.Fprintf(progress, "%s (%.0f s)\n", outcome(run), time.Since(began).Seconds())
		if ctx.Err() != nil {
			set.Runs = set.Runs[:len(set.Runs)-1] // it was cut short
			return set, errors.New("interrupted: the tables are of what was measured until then")
		}
	}
	return set, nil
}

// run starts the server, runs the workload, and ends the server.
func (s step) run(ctx context.Context, opts options) report.Run {
	run := report.Run{Round: s.round, Series: s.subject.Series().Name, Workload: s.workload.Key}
	raw, err := s.measure(ctx, opts)
	if err != nil {
		run.Error = err.Error()
	}
	run.Raw = raw
	return run
}

func (s step) measure(ctx context.Context, opts options) (json.RawMessage, error) {
	dir, err := workDir(opts.dir)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	defer s.subject.Stop()
	if err := s.subject.Start(starting, dir, s.workload); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	limit := opts.warmUp + opts.duration + slack
	if s.workload.Backlog {
		limit += time.Duration(opts.backlog/slowestFill) * time.Second
	}
	running, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.subject.Run(running, s.workload)
}

// workDir makes a directory that the user of PostgreSQL, if it is another one, can pass through.
func workDir(parent string) (string, error) {
	dir, err := os.MkdirTemp(parent, "tusq-bench-*")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// outcome is a run in a few words.
func outcome(run *report.Run) string {
	switch {
	case run.Report == nil:
		return "failed: " + strings.ReplaceAll(run.Error, "\n", " ")
	case run.Report.EndToEnd != nil:
		return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", run.Report.EndToEnd.P50, run.Report.EndToEnd.P99)
	default:
		rate, _ := run.Report.Rate()
		return fmt.Sprintf("%.0f/s", rate)
	}
}
