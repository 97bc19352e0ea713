// Package strain keeps PostgreSQL from cleaning up, and makes it clean up much: what a queue in a database suffers from after
// weeks, within minutes.
package strain

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
	"tusq/test/fault/replica"
)

var caller = replica.Caller

// queue is the one that the loads use.
const queue = "orders"

// parts is in how many parts the time under strain is measured: a rate that falls shows.
const parts = 4

// Strains keep dead rows from being removed. The names are for Endure.
var strains = map[string]struct{ begin, end string }{
	// A transaction that has written something, and sees the database as it was then.
	"horizon": {
		begin: `SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()`,
		end:   `COMMIT`,
	},
	"autovacuum": {begin: tables("SET (autovacuum_enabled = false)"), end: tables("RESET (autovacuum_enabled)")},
}

// tables changes all tables that messages pass through.
func tables(change string) string {
	var sql strings.Builder
	for _, table := range []string{"messages", "message_groups", "once_keys", "queue_counters"} {
		fmt.Fprintf(&sql, "ALTER TABLE %s %s;", table, change)
	}
	return sql.String()
}

// Kept is the least share of the rate without a strain that must be left under it, and be back after it.
const Kept = 0.7

// Report is what a strain did. Rates are life cycles a second: sent, received and deleted.
type Report struct {
	Strain  string
	Queue   string         // its name
	Without [parts]float64 // in each part of the time before
	With    [parts]float64 // under the strain
	After   [parts]float64
	Cycles  int64 // under the strain
	Dead    int64 // rows of the messages' table at the strain's end
	Cleared int64 // by how many there are fewer at the end of the time after
	Size    int64 // of the table and its indexes at the strain's end, in bytes
}

func (r Report) String() string {
	return fmt.Sprintf("%s, %s: %.0f life cycles a second without (median of %.0f), %.0f under it (%.0f), %.0f after it (%.0f); %d dead rows after %d life cycles, %d MB; %d cleared",
		r.Strain, r.Queue, median(r.Without), r.Without, median(r.With), r.With, median(r.After), r.After, r.Dead, r.Cycles, r.Size>>20, r.Cleared)
}

// Broken says what is wrong; "": nothing.
func (r Report) Broken() string {
	least := Kept * median(r.Without)
	switch {
	case median(r.With) < least:
		return fmt.Sprintf("%.0f life cycles a second are left of %.0f", median(r.With), median(r.Without))
	case median(r.After) < least:
		return fmt.Sprintf("%.0f life cycles a second are back of %.0f", median(r.After), median(r.Without))
	case r.Cleared <= 0:
		return fmt.Sprintf("of %d dead rows none was removed when that was possible again", r.Dead)
	}
	return ""
}

// median of an even number of rates.
func median(rates [parts]float64) float64 {
	sorted := slices.Sorted(slices.Values(rates[:]))
	return (sorted[parts/2-1] + sorted[parts/2]) / 2
}

// Endure measures life cycles of a standard queue, or of so many groups of a FIFO queue, under a strain, "horizon" or "autovacuum", of
// so long, and for half of that before it and after it. databaseURL is that of a migrated database without load.
func Endure(ctx context.Context, strain string, groups int, databaseURL string, long time.Duration) (report Report, err error) {
	if _, ok := strains[strain]; !ok {
		return report, fmt.Errorf("there is no strain %s", strain)
	}
	db, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return report, err
	}
	defer db.Close(context.WithoutCancel(ctx))
	r, err := replica.Start(ctx, replica.Options{URL: databaseURL})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, r.Stop()) }()
	report.Strain, report.Queue = strain, queue
	if groups > 0 {
		report.Queue += service.FIFOSuffix
	}
	if _, _, err := r.CreateQueue(ctx, caller, service.CreateQueue{Name: report.Queue}); err != nil {
		return report, err
	}
	load := startCycles(r, report.Queue, groups)
	err = report.measure(ctx, db, databaseURL, load, long)
	return report, errors.Join(err, load.stop())
}

// measure fills in the report. The load goes on from the beginning to the end.
func (r *Report) measure(ctx context.Context, db *pgx.Conn, databaseURL string, load *cycles, long time.Duration) error {
	load.rate(ctx, long/16) // what is new is slow
	load.rates(ctx, &r.Without, long/2)
	if _, err := db.Exec(ctx, strains[r.Strain].begin); err != nil {
		return err
	}
	before := load.cycles.Load()
	load.rates(ctx, &r.With, long)
	r.Cycles = load.cycles.Load() - before
	var err error
	r.Dead, r.Size, err = litter(ctx, databaseURL)
	if _, endErr := db.Exec(ctx, strains[r.Strain].end); err != nil || endErr != nil {
		return errors.Join(err, endErr)
	}
	load.rates(ctx, &r.After, long/2)
	left, _, err := litter(ctx, databaseURL)
	r.Cleared = r.Dead - left
	return err
}

// litter counts the dead rows that a vacuum leaves now, and the bytes of the table.
func litter(ctx context.Context, databaseURL string) (dead, size int64, err error) {
	db, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close(context.WithoutCancel(ctx))
	// The statistics of this session's own reads are the newest.
	err = db.QueryRow(ctx, `
SELECT (SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'messages'), pg_total_relation_size('messages')`).Scan(&dead, &size)
	return dead, size, err
}

// cycles is a load of producers and consumers.
type cycles struct {
	replica *replica.Replica
	queue   string
	groups  int // 0: it is a standard queue
	clients sync.WaitGroup
	cancel  context.CancelFunc
	cycles  atomic.Int64
	failed  atomic.Pointer[error] // the first
}

func startCycles(r *replica.Replica, queue string, groups int) *cycles {
	ctx, cancel := context.WithCancel(context.Background())
	c := &cycles{replica: r, queue: queue, groups: groups, cancel: cancel}
	for range 4 {
		c.clients.Go(func() { c.each(ctx, c.send) })
		c.clients.Go(func() { c.each(ctx, c.consume) })
	}
	return c
}

func (c *cycles) each(ctx context.Context, do func(context.Context) error) {
	for ctx.Err() == nil {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			c.failed.CompareAndSwap(nil, &err)
			return
		}
	}
}

func (c *cycles) send(ctx context.Context) error {
	messages := make([]service.SendMessage, 10)
	for i := range messages {
		messages[i].Body = filler
		if c.groups > 0 {
			messages[i].GroupID, messages[i].DeduplicationID = fmt.Sprint("group-", rand.IntN(c.groups)), crand.Text()
		}
	}
	sent, err := c.replica.SendMessages(ctx, caller, c.queue, service.SendMessages{Messages: messages})
	for _, s := range sent {
		err = errors.Join(err, s.Err)
	}
	return err
}

func (c *cycles) consume(ctx context.Context) error {
	messages, err := c.replica.ReceiveMessages(ctx, caller, c.queue, service.ReceiveMessages{Max: 10, Wait: new(time.Second)})
	if err != nil || len(messages) == 0 {
		return err
	}
	receipts := make([]string, len(messages))
	for i, m := range messages {
		receipts[i] = m.Receipt
	}
	answers, err := c.replica.DeleteMessages(ctx, caller, c.queue, receipts)
	if err = errors.Join(append(answers, err)...); err == nil {
		c.cycles.Add(int64(len(messages)))
	}
	return err
}

// filler is a message's body.
var filler = strings.Repeat("x", 256)

// rate counts life cycles for so long.
func (c *cycles) rate(ctx context.Context, long time.Duration) float64 {
	began, before := time.Now(), c.cycles.Load()
	select {
	case <-time.After(long):
	case <-ctx.Done():
	}
	return float64(c.cycles.Load()-before) / time.Since(began).Seconds()
}

// rates measures parts of a time.
func (c *cycles) rates(ctx context.Context, rates *[parts]float64, long time.Duration) {
	for i := range rates {
		rates[i] = c.rate(ctx, long/parts)
	}
}

// stop ends the load and returns the first error of a call.
func (c *cycles) stop() error {
	c.cancel()
	c.clients.Wait()
	if err := c.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Clear empties a migrated database that no replica uses.
func Clear(ctx context.Context, databaseURL string) error {
	db, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	_, err = db.Exec(ctx, `TRUNCATE messages, message_groups, once_keys, queue_counters, queues, receive_attempts, redrives`)
	return err
}
