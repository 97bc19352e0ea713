package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tusq/test/fault/history"
)

// rollingLimit bounds all rolling restarts together.
const rollingLimit = time.Hour

// rolling restarts every replica by SIGTERM, one after another, so many times, while clients are at work. No request may fail: each is
// answered, and by no error of the service.
func (s *service) rolling(ctx context.Context, times int) error {
	began, restarts := time.Now(), 0
	s.faultFree = true
	r, err := s.play(ctx, 1, rollingLimit, func(ctx context.Context, m *mischief) error {
		for range times {
			m.recorder.Note("inject rolling restart")
			err := s.cluster.RollingRestart(ctx)
			m.recorder.Note("heal rolling restart")
			if err != nil {
				return err
			}
			restarts += len(s.cluster.Replicas)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.tell(r)
	requests, failed := failures(r.events)
	fmt.Fprintf(s.print, "rolling: %d rounds, %d restarts in %v, %d requests, %d failed\n",
		times, restarts, time.Since(began).Round(time.Second), requests, len(failed))
	s.tellFailed(failed)
	if err := s.conclude(ctx, time.Since(began)); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("%w: %d requests failed in rolling restarts", errViolations, len(failed))
	}
	return nil
}

// tellFailed prints the first of the failed requests.
func (s *service) tellFailed(failed []history.Event) {
	for _, e := range failed[:min(len(failed), 20)] {
		fmt.Fprintf(s.print, "  %s by client %d on %s %s at %v: status %d %s", e.Op, e.Client, e.Surface, e.Queue, e.Invoked, e.Status, e.Error)
		if i := slices.IndexFunc(e.Messages, failedItem(e.Op)); i >= 0 {
			fmt.Fprintf(s.print, " %s", e.Messages[i].Error)
		}
		fmt.Fprintln(s.print)
	}
}

// failures are the calls that were not answered, or by an error of the service, be it of one item of a batch; and those of which a
// receipt was not recognised, for the clients use none but those that they were given.
func failures(events []history.Event) (requests int, failed []history.Event) {
	for _, e := range events {
		if e.Op == history.Fault || e.Op == history.Drained {
			continue
		}
		requests++
		if e.Status == 0 || e.Status >= 500 || slices.ContainsFunc(e.Messages, failedItem(e.Op)) {
			failed = append(failed, e)
		}
	}
	return requests, failed
}

// failedItem tells an item's failures from those that clients bring about: SQS has one name for receipts of extensions that are none and
// for those that are stale.
func failedItem(op history.Op) func(history.Message) bool {
	return func(m history.Message) bool {
		return m.Outcome == history.Unknown || m.Error == "receipt_invalid" || op == history.Delete && m.Error == "ReceiptHandleIsInvalid"
	}
}
