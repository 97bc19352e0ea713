package strain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
	"tusq/test/fault/replica"
)

// ExpiryReport is what it took to delete expired messages.
type ExpiryReport struct {
	Expired int
	Early   int           // messages that were not expired and are gone
	Left    int           // expired messages that are there
	Largest int64         // messages that one transaction deleted, at most
	Parts   int64         // transactions that deleted
	Took    time.Duration // from the start of a replica to the last deletion

	Quiet, Meanwhile Latencies // without expired messages, and while they are deleted
}

// Latencies are those of life cycles, one at a time: a message is sent, received and deleted.
type Latencies struct{ Send, Receive Latency }

// Latency is of some calls.
type Latency struct {
	Calls       int
	Median, P99 time.Duration
}

func (l Latency) String() string {
	return fmt.Sprintf("%s (p99 %s, %d calls)", l.Median.Round(10*time.Microsecond), l.P99.Round(10*time.Microsecond), l.Calls)
}

func (r ExpiryReport) String() string {
	return fmt.Sprintf("%d expired messages deleted in %d parts of %d at most within %s, %d early, %d left; a send took %s before and %s meanwhile, a receive %s and %s",
		r.Expired, r.Parts, r.Largest, r.Took.Round(time.Millisecond), r.Early, r.Left,
		r.Quiet.Send, r.Meanwhile.Send, r.Quiet.Receive, r.Meanwhile.Receive)
}

const (
	// disturbed is how many times longer than before a call may take meanwhile.
	disturbed = 2
	// unnoticed is what may be taken for noise: shorter calls are not compared.
	unnoticed = 20 * time.Millisecond
)

// Broken says what is wrong; "": nothing.
func (r ExpiryReport) Broken() string {
	switch {
	case r.Early > 0 || r.Left > 0:
		return "what was deleted is not what had expired"
	case slowed(r.Quiet.Send, r.Meanwhile.Send):
		return fmt.Sprintf("sends took %s before and %s meanwhile", r.Quiet.Send, r.Meanwhile.Send)
	case slowed(r.Quiet.Receive, r.Meanwhile.Receive):
		return fmt.Sprintf("receives took %s before and %s meanwhile", r.Quiet.Receive, r.Meanwhile.Receive)
	}
	return ""
}

func slowed(before, meanwhile Latency) bool {
	return meanwhile.P99 > max(disturbed*before.P99, unnoticed)
}

// quiet is how long calls are measured without expired messages.
const quiet = 5 * time.Second

// retention of the queue; what is kept was sent half of it ago.
const retention = time.Hour

// fillSQL stores messages that were sent long ago, in one statement. Their ids are of that time, as a replica makes them.
const fillSQL = `
WITH stored AS (
	INSERT INTO messages (queue_id, id, visible_at, sent_at, body)
	SELECT q.id, (rpad(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0'), 20, '7') || lpad(to_hex(n), 12, '0'))::uuid, at, at, $3
	FROM queues q, generate_series(1, $1::int) n, LATERAL (SELECT now() - $2::interval - n * interval '1 microsecond' AS at) t
	WHERE q.name = '` + queue + `'
	RETURNING queue_id
)
INSERT INTO queue_counters AS c (queue_id, lane, messages)
SELECT queue_id, 511, count(*) FROM stored GROUP BY 1
ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages`

// watchSQL notes how many messages each transaction deletes, but for those that delete one: consumers do.
const watchSQL = `
CREATE TABLE deletions (messages bigint NOT NULL);
CREATE FUNCTION note_deletions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO deletions SELECT count(*) FROM gone HAVING count(*) > 1;
	RETURN NULL;
END
$$;
CREATE TRIGGER note_deletions AFTER DELETE ON messages REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_deletions()`

// Expire stores so many messages that have expired and as many as a tenth of them that have not, and has a replica delete them
// while messages are sent and received. databaseURL is that of a migrated database without load.
func Expire(ctx context.Context, databaseURL string, expired int) (report ExpiryReport, err error) {
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
	create := service.CreateQueue{Name: queue, QueueChange: service.QueueChange{Retention: new(retention)}}
	if _, _, err := r.CreateQueue(ctx, caller, create); err != nil {
		return report, err
	}
	if report.Quiet, err = cycleUntil(ctx, r, time.After(quiet)); err != nil {
		return report, err
	}
	report.Expired = expired
	kept := expired / 10
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{watchSQL, nil},
		{fillSQL, []any{kept, retention / 2, filler}},
		{fillSQL, []any{expired, 2 * retention, filler}},
	} {
		if _, err := db.Exec(ctx, step.sql, step.args...); err != nil {
			return report, err
		}
	}
	began := time.Now()
	gone := make(chan time.Time)
	waiting := make(chan error, 1)
	go func() { waiting <- awaitExpiry(ctx, databaseURL, gone) }()
	if report.Meanwhile, err = cycleUntil(ctx, r, gone); err != nil {
		return report, err
	}
	report.Took = time.Since(began)
	if err := <-waiting; err != nil {
		return report, err
	}
	err = db.QueryRow(ctx, `
SELECT (SELECT count(*) FILTER (WHERE sent_at <= now() - $1::interval) FROM messages),
	$2 - (SELECT count(*) FILTER (WHERE sent_at > now() - $1::interval) FROM messages),
	(SELECT count(*) FROM deletions), (SELECT coalesce(max(messages), 0) FROM deletions)`, retention, kept).
		Scan(&report.Left, &report.Early, &report.Parts, &report.Largest)
	if err != nil {
		return report, err
	}
	stats, err := r.GetQueueStats(ctx, caller, queue)
	if err == nil && stats.Visible != int64(kept) {
		err = fmt.Errorf("the queue counts %+v, want %d messages", stats, kept)
	}
	return report, err
}

// awaitExpiry closes gone when no message is left that has expired.
func awaitExpiry(ctx context.Context, databaseURL string, gone chan<- time.Time) error {
	defer close(gone)
	db, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer db.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		var left bool
		err := db.QueryRow(ctx, `
SELECT sent_at <= now() - $1::interval
FROM messages
WHERE queue_id = (SELECT id FROM queues)
ORDER BY queue_id, id
LIMIT 1`, retention).Scan(&left)
		if err != nil || !left {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cycleUntil sends a message, receives one and deletes that, again and again.
func cycleUntil(ctx context.Context, r *replica.Replica, end <-chan time.Time) (Latencies, error) {
	var sends, receives []time.Duration
	for {
		select {
		case <-end:
			return Latencies{Send: latency(sends), Receive: latency(receives)}, nil
		default:
		}
		began := time.Now()
		sent, err := r.SendMessages(ctx, caller, queue, service.SendMessages{Messages: []service.SendMessage{{Body: filler}}})
		if err == nil {
			err = sent[0].Err
		}
		if err != nil {
			return Latencies{}, err
		}
		done := time.Now()
		messages, err := r.ReceiveMessages(ctx, caller, queue, service.ReceiveMessages{Max: 1})
		if err == nil && len(messages) != 1 {
			err = fmt.Errorf("%d messages were received", len(messages))
		}
		if err != nil {
			return Latencies{}, err
		}
		sends, receives = append(sends, done.Sub(began)), append(receives, time.Since(done))
		deleted, err := r.DeleteMessages(ctx, caller, queue, []string{messages[0].Receipt})
		if err = errors.Join(append(deleted, err)...); err != nil {
			return Latencies{}, err
		}
	}
}

// latency of one call at least.
func latency(took []time.Duration) Latency {
	slices.Sort(took)
	return Latency{Calls: len(took), Median: took[len(took)/2], P99: took[len(took)*99/100]}
}
