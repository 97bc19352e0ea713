package peer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tusq/bench/report"
)

const (
	// backlogPerWorker bounds, in batches, what a life cycle has sent and not received, as `tusq bench` does.
	backlogPerWorker = 2
	fillBatch        = 500
	fillWorkers      = 8
	failPause        = 50 * time.Millisecond
)

// Options of a run.
type Options struct {
	WarmUp, Duration time.Duration
	Backlog          int64 // messages sent before a workload that wants them
}

// load is one run of a workload against a system.
type load struct {
	system   System
	workload report.Workload
	opts     Options
	bodies   []string

	sends, receives, settles, latency *meter
	places                            chan struct{} // a place for every batch sent and not received
	measuring                         atomic.Bool
	settled                           int64 // of a Settler, while measuring
}

// Run runs a workload against a started system, and reports in the shape of `tusq bench`.
func Run(ctx context.Context, system System, workload report.Workload, opts Options) (json.RawMessage, error) {
	l := &load{system: system, workload: workload, opts: opts,
		sends: newMeter("send"), receives: newMeter("receive"), settles: newMeter("delete"), latency: newMeter("latency"),
		places: make(chan struct{}, backlogPerWorker*workload.Connections)}
	random := make([]byte, report.Size)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	body := base64.RawURLEncoding.EncodeToString(random)[:report.Size]
	l.bodies = slices.Repeat([]string{body}, workload.Batch)
	if workload.Backlog {
		if err := l.fill(ctx, body); err != nil {
			return nil, fmt.Errorf("send the backlog: %w", err)
		}
	}
	return l.run(ctx)
}

// fill sends the backlog in big batches.
func (l *load) fill(ctx context.Context, body string) error {
	var taken atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range fillWorkers {
		group.Go(func() error {
			s, err := l.system.Connect(ctx, Kind{Sends: true, Batch: fillBatch})
			if err != nil {
				return err
			}
			defer s.Close()
			for {
				n := min(fillBatch, l.opts.Backlog-taken.Add(fillBatch)+fillBatch)
				if n <= 0 {
					return nil
				}
				if err := s.Send(ctx, slices.Repeat([]string{body}, int(n))); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// run runs the workers through warm-up and measurement.
func (l *load) run(ctx context.Context) (json.RawMessage, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	sessions, err := l.connect(ctx)
	defer func() {
		for _, s := range sessions {
			s.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	var workers sync.WaitGroup
	for i, s := range sessions {
		workers.Go(func() { l.worker(i)(ctx, s) })
	}
	wait(ctx, l.opts.WarmUp)
	settled, began := l.settledSoFar(), time.Now()
	l.measuring.Store(true)
	wait(ctx, l.opts.Duration)
	l.measuring.Store(false)
	seconds := time.Since(began).Seconds()
	l.settled = l.settledSoFar() - settled
	interrupted := ctx.Err()
	stop()
	if err := ended(&workers); err != nil {
		return nil, err
	}
	if interrupted != nil {
		return nil, interrupted
	}
	return l.report(seconds)
}

// connect opens a session for each worker. On an error, those that were opened are returned too.
func (l *load) connect(ctx context.Context) (sessions []Session, err error) {
	for i := range l.workload.Connections {
		receives := l.receiving(i)
		s, err := l.system.Connect(ctx, Kind{Sends: !receives, Receives: receives, Batch: l.workload.Batch})
		if err != nil {
			return sessions, fmt.Errorf("connect: %w", err)
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

// ended waits for the workers: a client that does not return must not hang the whole benchmark.
func ended(workers *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { workers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("a call has not returned 30 seconds after the end")
	}
}

// settledSoFar is how many messages a Settler has settled so far.
func (l *load) settledSoFar() int64 {
	if s, ok := l.system.(Settler); ok {
		return s.Settled()
	}
	return 0
}

// receiving tells whether a worker receives: every other one, unless all send.
func (l *load) receiving(i int) bool { return l.workload.Kind != "send" && i%2 == 1 }

func (l *load) worker(i int) func(context.Context, Session) {
	switch {
	case l.receiving(i):
		return l.consume
	case l.workload.Rate > 0:
		return func(ctx context.Context, s Session) { l.pace(ctx, s, i/2) }
	default:
		return l.produce
	}
}

// produce sends as fast as the answers come. In a life cycle it waits while many messages are unreceived.
func (l *load) produce(ctx context.Context, s Session) {
	for ctx.Err() == nil {
		if l.workload.Kind == "lifecycle" {
			select {
			case l.places <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		began := time.Now()
		err := s.Send(ctx, l.bodies)
		l.record(ctx, l.sends, began, len(l.bodies), err)
		if err != nil {
			l.free()
		}
	}
}

// pace sends one message at each of a sender's ticks of an open loop, stamped with the time at which it was due. The senders' ticks
// alternate.
func (l *load) pace(ctx context.Context, s Session, sender int) {
	tick := time.Second / time.Duration(l.workload.Rate)
	every := tick * time.Duration((l.workload.Connections+1)/2)
	for due := time.Now().Add(tick * time.Duration(sender)); ctx.Err() == nil; due = due.Add(every) {
		wait(ctx, time.Until(due))
		if ctx.Err() != nil {
			return
		}
		stamp := strconv.FormatInt(due.UnixNano(), 10) + " "
		err := s.Send(ctx, []string{stamp + l.bodies[0][len(stamp):]})
		l.record(ctx, l.sends, due, 1, err)
	}
}

// consume receives and settles.
func (l *load) consume(ctx context.Context, s Session) {
	received := 0 // since the backlog shrank
	for ctx.Err() == nil {
		began := time.Now()
		deliveries, err := s.Receive(ctx, l.workload.Batch)
		now := time.Now()
		if err == nil && len(deliveries) == 0 {
			continue
		}
		l.record(ctx, l.receives, began, len(deliveries), err)
		if err != nil {
			continue
		}
		if l.workload.Kind == "latency" {
			l.stamped(deliveries, now)
		}
		for received += len(deliveries); received >= l.workload.Batch; received -= l.workload.Batch {
			l.free()
		}
		began = time.Now()
		l.record(ctx, l.settles, began, len(deliveries), s.Settle(ctx, deliveries))
	}
}

// stamped records the time from a message's due time to its arrival.
func (l *load) stamped(deliveries []Delivery, now time.Time) {
	for _, d := range deliveries {
		stamp, _, _ := strings.Cut(d.Body, " ")
		due, err := strconv.ParseInt(stamp, 10, 64)
		if l.measuring.Load() {
			l.latency.record(now.Sub(time.Unix(0, due)), 1, err)
		}
	}
}

// free makes room for a batch. None may be taken: a backlog is received too.
func (l *load) free() {
	select {
	case <-l.places:
	default:
	}
}

// record counts a call that ends now. What ctx ended does not count. After a failure there is a pause.
func (l *load) record(ctx context.Context, m *meter, began time.Time, messages int, err error) {
	if ctx.Err() != nil {
		return
	}
	if l.measuring.Load() {
		m.record(time.Since(began), messages, err)
	}
	if err != nil {
		wait(ctx, failPause)
	}
}

// wait returns after a time, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
