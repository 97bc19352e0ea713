package main

import (
	"context"
	"errors"
	"io"
	"time"

	"tusq/cmd/tusq/bench"
)

// BenchCmd measures a server.
type BenchCmd struct {
	Workload    string        `enum:"send,lifecycle,latency,idle,noop" default:"lifecycle" help:"send: all connections send. lifecycle: half of them send, half receive and delete. latency: the same at a rate, to measure how long messages take. idle: all poll and nothing is sent. noop: post to a server that only answers, for comparison."`
	Duration    time.Duration `default:"10s" help:"How long to measure."`
	Messages    int64         `placeholder:"N" help:"Measure until so many messages were sent (or, in a life cycle, deleted), however long it takes."`
	WarmUp      time.Duration `default:"1s" help:"How long to run before measuring."`
	Connections int           `default:"64" help:"Connections, each with one call at a time."`
	Batch       int           `default:"1" help:"Messages in one call."`
	Size        int           `default:"256" help:"Bytes of a message's body."`
	Rate        float64       `placeholder:"N" help:"Messages to send per second. Latencies then count from the moment at which a call should have begun. Default: as fast as answers come; of latency, 100."`
	Backlog     int64         `placeholder:"N" help:"Messages to send before a life cycle begins; they wait in the queue until it ends."`

	Queue  string `placeholder:"NAME" help:"Queue to use. Default: a new one. Queues that were created are deleted at the end; in those that existed, messages remain."`
	Queues int    `default:"1" help:"Queues over which the load is spread."`
	FIFO   bool   `name:"fifo" help:"Use FIFO queues, with a deduplication id for each message."`
	Groups int    `default:"1000" help:"Message groups, with --fifo."`

	SQS          string `name:"sqs" placeholder:"URL" help:"Measure this SQS endpoint instead of the REST API."`
	ReceiveURL   string `name:"receive-url" placeholder:"URL" help:"Receive from this address, such as another replica's."`
	AccessKey    string `env:"AWS_ACCESS_KEY_ID" placeholder:"ID" help:"Sign calls of --sqs with this key, whose secret is in AWS_SECRET_ACCESS_KEY. Default: no signature."`
	SecretKey    string `kong:"-"` // from AWS_SECRET_ACCESS_KEY, as whoever lists processes sees flags
	SessionToken string `kong:"-"` // from AWS_SESSION_TOKEN
	Region       string `env:"AWS_REGION" default:"us-east-1" help:"Region to sign for."`

	ServerPID   []int  `name:"server-pid" placeholder:"PID" help:"Measure the CPU and the memory of this process and its descendants (Linux only)."`
	DatabaseURL string `name:"database-url" placeholder:"URL" help:"Measure this PostgreSQL's transactions, fsyncs and WAL."`
}

// Help adds to the usage.
func (cmd *BenchCmd) Help() string {
	return `Failed calls are counted, not repeated. In a life cycle without --rate the senders wait while many messages are unreceived, so that the rates are those of a steady state; a receive's latency includes its wait for a message. Noop posts what send would to the --url itself.`
}

// Run measures and reports.
func (cmd *BenchCmd) Run(ctx context.Context, g *Globals) error {
	options := cmd.options(g)
	var err error
	if options.TLS, err = g.config(); err != nil {
		return err
	}
	report, err := bench.Run(ctx, options)
	if err != nil && report.Calls == nil {
		return err
	}
	print := report.Print
	if g.JSON {
		print = func(io.Writer) error { return g.printJSON(report) }
	}
	return errors.Join(print(g.Stdout), err)
}

func (cmd *BenchCmd) options(g *Globals) bench.Options {
	notes := &notes{out: g.Stderr}
	return bench.Options{
		Workload: cmd.Workload,
		URL:      g.URL, SQS: cmd.SQS, ReceiveURL: cmd.ReceiveURL, Token: g.Token,
		Signing: bench.Signing{
			AccessKey: cmd.AccessKey, SecretKey: cmd.SecretKey, SessionToken: cmd.SessionToken, Region: cmd.Region,
		},
		Queue: cmd.Queue, Queues: cmd.Queues, FIFO: cmd.FIFO, Groups: cmd.Groups,
		Connections: cmd.Connections, Batch: cmd.Batch, Size: cmd.Size, Backlog: cmd.Backlog, Rate: cmd.Rate,
		WarmUp: cmd.WarmUp, Duration: cmd.Duration, Messages: cmd.Messages,
		ServerPIDs: cmd.ServerPID, DatabaseURL: cmd.DatabaseURL,
		Progress: benchProgress{notes}, Note: notes.printf,
	}
}

// benchProgress shows a benchmark's progress on the standard error.
type benchProgress struct{ notes *notes }

// Begin fits bench.Progress.
func (p benchProgress) Begin(total int64) { p.notes.startProgress(total, false) }

// At fits bench.Progress.
func (p benchProgress) At(done int64, text string) { p.notes.progress(done, text) }

// End fits bench.Progress.
func (p benchProgress) End() { p.notes.done() }
