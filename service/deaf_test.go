package service_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// TestReplicaThatIsCutOffFromHintsChecks has a receiver wait where the connection on which other
// replicas are heard is terminated again and again and, later, cannot be made anew at all. What
// another replica sends meanwhile waits for the periodic check, and no longer.
func TestReplicaThatIsCutOffFromHintsChecks(t *testing.T) {
	t.Parallel()
	const check = 300 * time.Millisecond
	const margin = 700 * time.Millisecond // for a check, a claim and a slow machine, which may also pause at one or two messages of four
	url := pgtest.New(t)
	w := &world{t: t, url: url, queue: "orders"}
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w.Service = testservice.On(t, url, service.Options{CheckInterval: time.Hour})
	<-w.Listening()
	sender := w.listeners()
	line := pgtest.NewLine(t, url)
	w.other = testservice.OnBoth(t, url, line.URL, service.Options{CheckInterval: check})
	<-w.other.Listening()
	w.create(w.queue, service.QueueChange{})

	send := func() time.Duration {
		got := w.wait(w.ctx, w.other, 1)
		sent := time.Now()
		w.send("job")
		(<-got).mustHave(t, 1)
		return time.Since(sent)
	}
	four := func(when string, prepare func()) {
		var took []time.Duration
		for range 4 {
			prepare()
			took = append(took, send())
		}
		if slices.Sort(took); took[1] > check+margin {
			t.Errorf("%s, messages waited for %v, want %v at most", when, took, check+margin)
		}
	}
	four("after the listener was terminated", func() {
		for w.terminateListeners(sender) == 0 { // it is made anew after half a second
			time.Sleep(10 * time.Millisecond)
		}
	})
	line.Cut()
	w.terminateListeners(sender)
	four("without a listener", func() {})
	line.Mend()
	for len(w.listeners()) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	send() // now that the listener is back
}

// listeners are the backends that listen for replicas.
func (w *world) listeners() (pids []int32) {
	w.t.Helper()
	w.query(func(conn *pgx.Conn) (err error) {
		rows, _ := conn.Query(w.ctx, `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^LISTEN'`)
		pids, err = pgx.CollectRows(rows, pgx.RowTo[int32])
		return err
	})
	return pids
}

// terminateListeners ends all of them but the spared ones, and tells how many there were.
func (w *world) terminateListeners(spared []int32) (n int) {
	w.t.Helper()
	w.query(func(conn *pgx.Conn) error {
		return conn.QueryRow(w.ctx, `
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000))
FROM pg_stat_activity
WHERE datname = current_database() AND query ~ '^LISTEN' AND pid <> ALL($1)`, spared).Scan(&n)
	})
	return n
}

// query runs something on a connection beside the service's.
func (w *world) query(run func(*pgx.Conn) error) {
	w.t.Helper()
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(w.ctx)
	if err := run(conn); err != nil {
		w.t.Fatal(err)
	}
}
