package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tusq/client"
)

const (
	benchWarmUp = time.Second            // before measuring: connections, plans, caches
	benchDrain  = 30 * time.Second       // for deleting the queue at the end
	benchShow   = 500 * time.Millisecond // between two updates of the progress
)

// BenchCmd measures a server.
type BenchCmd struct {
	Queue       string        `placeholder:"NAME" help:"Queue to use. Default: a new one. A queue that was created is deleted at the end; in one that existed, messages remain."`
	Workload    string        `enum:"send,lifecycle" default:"lifecycle" help:"send: all connections send. lifecycle: half of them send, half receive and delete."`
	Duration    time.Duration `default:"10s" help:"How long to measure."`
	Messages    int64         `placeholder:"N" help:"Measure until so many messages were sent (or, in a life cycle, deleted), however long it takes."`
	Connections int           `default:"64" help:"Connections, each with one call at a time."`
	Batch       int           `default:"1" help:"Messages in one call."`
	Size        int           `default:"256" help:"Bytes of a message's body."`
}

// Help adds to the usage.
func (cmd *BenchCmd) Help() string {
	return `Measuring begins after a second of warm-up. Failed calls are counted, not repeated. In a life cycle the senders wait while many messages are unreceived, so that the rates are those of a steady state; a receive's latency includes its wait for a message.`
}

// Run measures and reports.
func (cmd *BenchCmd) Run(ctx context.Context, g *Globals) (err error) {
	if err := cmd.check(); err != nil {
		return err
	}
	c, err := g.client(adminRetry)
	if err != nil {
		return err
	}
	if cmd.Queue == "" {
		cmd.Queue = fmt.Sprintf("bench-%08x", rand.Uint32())
	}
	_, created, err := c.CreateQueue(ctx, client.CreateQueue{Name: cmd.Queue})
	if err != nil {
		return err
	}
	if created {
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchDrain)
			defer cancel()
			err = errors.Join(err, c.DeleteQueue(ctx, cmd.Queue))
		}()
	}
	report, err := cmd.measure(ctx, g)
	if err != nil {
		return err
	}
	if g.JSON {
		err = g.printJSON(report)
	} else {
		err = report.print(g.Stdout)
	}
	if err == nil && report.idle() {
		err = errors.New("no message went through")
	}
	return err
}

func (cmd *BenchCmd) check() error {
	least := 1
	if cmd.Workload == "lifecycle" {
		least = 2
	}
	switch {
	case cmd.Connections < least:
		return fmt.Errorf("--connections: at least %d for this workload", least)
	case cmd.Batch < 1 || cmd.Batch > client.MaxBatch:
		return fmt.Errorf("--batch: 1 to %d", client.MaxBatch)
	case cmd.Size < 1 || cmd.Size > client.MaxMessage:
		return fmt.Errorf("--size: 1 to %d", client.MaxMessage)
	case cmd.Messages < 0 || cmd.Duration <= 0:
		return errors.New("--messages and --duration must be positive")
	}
	return nil
}

// measure runs the load. When ctx ends early, the report is of what was measured.
func (cmd *BenchCmd) measure(ctx context.Context, g *Globals) (benchReport, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	load := newBenchLoad(cmd)
	if err := load.start(ctx, g); err != nil {
		return benchReport{}, err
	}
	pause(ctx, benchWarmUp)
	begin := time.Now()
	for _, m := range load.meters() {
		m.open()
	}
	cmd.wait(ctx, load, &notes{out: g.Stderr}, begin)
	for _, m := range load.meters() {
		m.close()
	}
	seconds := time.Since(begin).Seconds()
	stop()
	load.workers.Wait()
	return newBenchReport(cmd, load, seconds), nil
}

// wait returns when enough was measured, and shows the progress until then.
func (cmd *BenchCmd) wait(ctx context.Context, load *benchLoad, notes *notes, begin time.Time) {
	goal, counted := int64(cmd.Duration/time.Millisecond), load.last()
	var end <-chan time.Time
	if cmd.Messages > 0 {
		goal = cmd.Messages
	} else {
		end = time.After(cmd.Duration)
	}
	notes.startProgress(goal, false)
	defer notes.done()
	show := time.NewTicker(benchShow)
	defer show.Stop()
	for {
		select {
		case <-show.C:
			at, messages := time.Since(begin), counted.count()
			rate := float64(messages) / at.Seconds()
			if cmd.Messages == 0 {
				messages = at.Milliseconds()
			}
			notes.progress(min(messages, goal-1), fmt.Sprintf("%s %.0f/s", counted.name, rate))
		case <-end:
			return
		case <-counted.reached:
			return
		case <-ctx.Done():
			return
		}
	}
}
