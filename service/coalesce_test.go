package service_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// TestConcurrentSendsShareCommits counts transactions: with 64 senders a flush carries
// many sends, and without merging each send has its own. Counts, not times: the machine
// that runs this may be busy.
func TestConcurrentSendsShareCommits(t *testing.T) {
	t.Parallel()
	const senders, each = 64, 20
	inserted := map[bool]float64{}
	for _, alone := range []bool{false, true} {
		url := pgtest.New(t)
		w := &world{t: t, ctx: t.Context(), queue: "orders"}
		w.Service = testservice.On(t, url, service.Options{NoCoalesce: alone})
		w.other = w.Service
		w.create(w.queue, service.QueueChange{})
		var all sync.WaitGroup
		for s := range senders {
			all.Go(func() {
				for i := range each {
					if _, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: fmt.Sprint(s, i)}}}); err != nil {
						t.Errorf("send: %v", err)
					}
				}
			})
		}
		all.Wait()
		w.wantStats(w.queue, service.Stats{Visible: senders * each})
		inserted[alone] = senders * each / float64(transactions(t, url))
	}
	t.Logf("messages per transaction: %.1f merged, %.1f alone", inserted[false], inserted[true])
	if inserted[false] < 4 || inserted[true] > 1 {
		t.Errorf("messages per transaction: %.1f merged, %.1f alone; want many and one", inserted[false], inserted[true])
	}
}

// transactions is how many transactions wrote messages: each has its own xmin.
func transactions(t *testing.T, url string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), `SELECT count(DISTINCT xmin::text) FROM messages`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
