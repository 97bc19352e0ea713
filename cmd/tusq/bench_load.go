package main

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"tusq/client"
)

// benchLoad is the workers of a benchmark.
type benchLoad struct {
	cmd      *BenchCmd
	sends    *meter
	receives *meter
	deletes  *meter
	workers  sync.WaitGroup

	// backlog holds a place for every batch that was sent and not received, in a life
	// cycle: without that bound the senders, who do half of a receiver's calls, would
	// only pile messages up.
	backlog chan struct{}
}

func newBenchLoad(cmd *BenchCmd) *benchLoad {
	load := &benchLoad{
		cmd:      cmd,
		sends:    newMeter("send"),
		receives: newMeter("receive"),
		deletes:  newMeter("delete"),
	}
	if cmd.Workload == "lifecycle" {
		load.backlog = make(chan struct{}, 2*cmd.Connections)
	}
	load.last().goal = cmd.Messages
	return load
}

// meters returns the meters of the calls that the workload makes.
func (l *benchLoad) meters() []*meter {
	if l.backlog == nil {
		return []*meter{l.sends}
	}
	return []*meter{l.sends, l.receives, l.deletes}
}

// last returns the meter of the last call in a message's life.
func (l *benchLoad) last() *meter {
	meters := l.meters()
	return meters[len(meters)-1]
}

// start starts the workers, each with a client and so a connection of its own. They
// end with ctx.
func (l *benchLoad) start(ctx context.Context, g *Globals) error {
	clients := make([]*client.Client, l.cmd.Connections)
	for i := range clients {
		c, err := g.client(0)
		if err != nil {
			return err
		}
		clients[i] = c
	}
	for i, c := range clients {
		work := l.produce
		if l.backlog != nil && i%2 == 1 {
			work = l.consume
		}
		l.workers.Go(func() { work(ctx, c) })
	}
	return nil
}

// produce sends batches.
func (l *benchLoad) produce(ctx context.Context, c *client.Client) {
	message := client.SendMessage{Body: randomText(l.cmd.Size)}
	messages := slices.Repeat([]client.SendMessage{message}, l.cmd.Batch)
	for ctx.Err() == nil {
		if l.backlog != nil {
			select {
			case l.backlog <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		if l.send(ctx, c, messages) == 0 {
			l.shrinkBacklog()
			pause(ctx, pollPause)
		}
	}
}

// send sends one batch and returns how many of its messages were stored.
func (l *benchLoad) send(ctx context.Context, c *client.Client, messages []client.SendMessage) int {
	began := time.Now()
	if len(messages) == 1 {
		_, err := c.Send(ctx, l.cmd.Queue, messages[0])
		return l.sends.record(ctx, began, 1, err)
	}
	results, err := c.SendMany(ctx, l.cmd.Queue, messages)
	errs := []error{err}
	for _, result := range results {
		errs = append(errs, result.Err)
	}
	return l.sends.record(ctx, began, len(messages), errs...)
}

// consume receives and deletes.
func (l *benchLoad) consume(ctx context.Context, c *client.Client) {
	received := 0 // since the backlog shrank
	for ctx.Err() == nil {
		began := time.Now()
		messages, err := c.Receive(ctx, l.cmd.Queue, client.Receive{Max: l.cmd.Batch, WaitSeconds: new(1)})
		if err != nil {
			l.receives.record(ctx, began, 1, err)
			pause(ctx, pollPause)
			continue
		}
		if len(messages) == 0 {
			continue
		}
		l.receives.record(ctx, began, len(messages))
		for received += len(messages); received >= l.cmd.Batch; received -= l.cmd.Batch {
			l.shrinkBacklog()
		}
		l.delete(ctx, c, receipts(messages))
	}
}

func (l *benchLoad) delete(ctx context.Context, c *client.Client, receipts []string) {
	began := time.Now()
	if len(receipts) == 1 {
		l.deletes.record(ctx, began, 1, c.Delete(ctx, l.cmd.Queue, receipts[0]))
		return
	}
	errs, err := c.DeleteMany(ctx, l.cmd.Queue, receipts)
	l.deletes.record(ctx, began, len(receipts), append(errs, err)...)
}

// shrinkBacklog makes room for a batch. None may be taken: a queue that existed can
// hold messages of others.
func (l *benchLoad) shrinkBacklog() {
	select {
	case <-l.backlog:
	default:
	}
}

// randomText returns text that compresses as badly as it can.
func randomText(size int) string {
	random := make([]byte, size)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	return base64.StdEncoding.EncodeToString(random)[:size]
}
