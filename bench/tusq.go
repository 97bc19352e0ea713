package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"

	"tusq/bench/report"
	"tusq/internal/process"
)

var (
	restSeries = report.Series{Name: report.REST, Title: "**tusq**, REST", Send: "committed", Settle: "committed"}
	sqsSeries  = report.Series{Name: report.SQS, Title: "**tusq**, SQS JSON", Send: "committed", Settle: "committed"}
)

// tusq is one or two replicas over a PostgreSQL of their own, loaded by `tusq bench`.
type tusq struct {
	opts   options
	series report.Series
	sqs    bool

	postgres  *process.Postgres
	replicas  []*process.Process
	addresses []string
}

// Series names it.
func (t *tusq) Series() report.Series { return t.series }

// Runs: SQS has batches of ten at most.
func (t *tusq) Runs(w report.Workload) bool { return !t.sqs || !w.Beyond }

// Start starts PostgreSQL, and then the replicas, one after the other: the first makes the tables.
func (t *tusq) Start(ctx context.Context, dir string, w report.Workload) (err error) {
	if t.postgres, err = process.StartPostgres(ctx, dir); err != nil {
		return err
	}
	replicas := 1
	if w.Replicas {
		replicas = 2
	}
	if t.addresses, err = process.FreeAddresses(ctx, replicas); err != nil {
		return err
	}
	for _, address := range t.addresses {
		replica, err := process.Start(dir, exec.CommandContext(context.WithoutCancel(ctx), t.opts.tusq, "serve",
			"--listen", address, "--database-url", t.postgres.URL()))
		if err != nil {
			return err
		}
		t.replicas = append(t.replicas, replica)
		if err := replica.WaitFor(ctx, startTimeout, func(ctx context.Context) error { return ready(ctx, address) }); err != nil {
			return err
		}
	}
	return nil
}

// ready asks a replica whether it serves.
func ready(ctx context.Context, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz: %s", response.Status)
	}
	return nil
}

// Run runs `tusq bench`.
func (t *tusq) Run(ctx context.Context, w report.Workload) (json.RawMessage, error) {
	postgres, err := t.postgres.ID()
	if err != nil {
		return nil, err
	}
	args := append(benchArguments(t.opts, w), "--database-url", t.postgres.URL(), "--server-pid", strconv.Itoa(postgres))
	for _, replica := range t.replicas {
		args = append(args, "--server-pid", strconv.Itoa(replica.ID()))
	}
	target := "--url"
	if t.sqs {
		target = "--sqs"
	}
	args = append(args, target, "http://"+t.addresses[0])
	if w.Replicas {
		args = append(args, "--receive-url", "http://"+t.addresses[1])
	}
	return process.Output(exec.CommandContext(ctx, t.opts.tusq, args...))
}

// benchArguments are what a workload is for `tusq bench`, whatever its target.
func benchArguments(opts options, w report.Workload) []string {
	args := []string{"bench", "--json", "--workload", w.Kind, "--connections", strconv.Itoa(w.Connections), "--batch", strconv.Itoa(w.Batch),
		"--size", strconv.Itoa(report.Size), "--duration", opts.duration.String(), "--warm-up", opts.warmUp.String()}
	if w.Rate > 0 {
		args = append(args, "--rate", strconv.Itoa(w.Rate))
	}
	if w.Groups > 0 {
		args = append(args, "--fifo", "--groups", strconv.Itoa(w.Groups))
	}
	if w.Backlog {
		args = append(args, "--backlog", strconv.FormatInt(opts.backlog, 10))
	}
	return args
}

// Stop ends the replicas, then PostgreSQL.
func (t *tusq) Stop() {
	for _, replica := range t.replicas {
		replica.Stop()
	}
	if t.postgres != nil {
		t.postgres.Stop()
	}
	t.replicas, t.postgres = nil, nil
}
