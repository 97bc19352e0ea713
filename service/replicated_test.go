package service_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/service"
)

// TestChangesThatWaitHoldUpNobody creates a queue that is there again and again while the synchronous standby is away. Queues that
// wait for no standby are served, and whoever creates is answered.
func TestChangesThatWaitHoldUpNobody(t *testing.T) {
	t.Parallel()
	w, see := durableWorld(t, pgtest.Server(t, nil))
	defer see.nameStandbys("")
	w.other = w.Service
	w.queue = "orders"
	w.create(w.queue, service.QueueChange{Durability: new(service.DurabilityLocal)})
	see.nameStandbys("nobody")
	see.awaitStandbys()
	var creators sync.WaitGroup
	for range 20 {
		creators.Go(func() {
			if _, _, err := w.CreateQueue(w.ctx, caller, service.CreateQueue{Name: w.queue}); service.ErrorCode(err) != service.CodeUnavailable {
				t.Errorf("created again: %v", err)
			}
		})
	}
	for range 20 { // longer than the queue's settings are remembered
		time.Sleep(200 * time.Millisecond)
		began := time.Now()
		if w.send("a"); time.Since(began) > 5*time.Second { // changes wait for ten
			t.Errorf("a send took %v", time.Since(began))
		}
	}
	w.wantStats(w.queue, service.Stats{Visible: 20})
	creators.Wait()
}

// TestChangesWaitForTheStandby changes queues and purges while the synchronous standby is away: what the database gives up waiting
// for is not acknowledged, nor when it is done again.
func TestChangesWaitForTheStandby(t *testing.T) {
	t.Parallel()
	w, see := durableWorld(t, pgtest.Server(t, nil))
	defer see.nameStandbys("")
	w.other = w.Service
	w.queue = "orders"
	w.create(w.queue, service.QueueChange{})
	w.send("a")
	for name, change := range map[string]func(context.Context) error{
		"create": func(ctx context.Context) error {
			_, _, err := w.CreateQueue(ctx, caller, service.CreateQueue{Name: "fresh"})
			return err
		},
		"update": func(ctx context.Context) error {
			_, err := w.UpdateQueue(ctx, caller, w.queue, service.QueueChange{VisibilityTimeout: new(time.Hour)})
			return err
		},
		"purge": func(ctx context.Context) error {
			_, err := w.PurgeQueue(ctx, caller, service.PurgeQueue{Name: w.queue})
			return err
		},
	} {
		see.nameStandbys("nobody")
		see.awaitStandbys()
		for range 2 {
			ctx, cancel := context.WithCancel(w.ctx)
			done := make(chan error, 1)
			go func() { done <- change(ctx) }()
			for cancelled := false; !cancelled; {
				err := see.conn.QueryRow(w.ctx, `
SELECT coalesce(bool_or(pg_cancel_backend(pid)), false)
FROM pg_stat_activity
WHERE wait_event = 'SyncRep' AND application_name = 'tusq' AND query ILIKE 'commit'`).Scan(&cancelled)
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := <-done; service.ErrorCode(err) != service.CodeUnavailable {
				t.Errorf("%s: %v, want that it is not known", name, err)
			}
			cancel()
		}
		see.nameStandbys("")
		if err := change(w.ctx); err != nil {
			t.Errorf("%s without a standby: %v", name, err)
		}
	}
	w.wantStats(w.queue, service.Stats{})
}
