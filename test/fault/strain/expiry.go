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

	// Latencies of sends, one at a time: without expired messages, and while they are deleted.
	Quiet, Meanwhile Latency
}

// Latency is of some calls.
type Latency struct {
	Calls       int
	Median, P99 time.Duration
}

func (l Latency) String() string {
	return fmt.Sprintf("%s (p99 %s, %d calls)", l.Median.Round(10*time.Microsecond), l.P99.Round(10*time.Microsecond), l.Calls)
}

func (r ExpiryReport) String() string {
	return fmt.Sprintf("%d expired messages deleted in %d parts of %d at most within %s, %d early, %d left; a send took %s before and %s meanwhile",
		r.Expired, r.Parts, r.Largest, r.Took.Round(time.Millisecond), r.Early, r.Left, r.Quiet, r.Meanwhile)
}

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

// watchSQL notes how many messages each transaction deletes.
const watchSQL = `
CREATE TABLE deletions (messages bigint NOT NULL);
CREATE FUNCTION note_deletions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO deletions SELECT count(*) FROM gone HAVING count(*) > 0;
	RETURN NULL;
END
$$;
CREATE TRIGGER note_deletions AFTER DELETE ON messages REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_deletions()`

// Expire stores so many messages that have expired and as many as a tenth of them that have not, and has a replica delete them
// while messages are sent. databaseURL is that of a migrated database without load.
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
	quiet, err := sendUntil(ctx, r, time.After(2*time.Second))
	if err != nil {
		return report, err
	}
	report.Expired, report.Quiet = expired, quiet
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
	if report.Meanwhile, err = sendUntil(ctx, r, gone); err != nil {
		return report, err
	}
	report.Took = time.Since(began)
	if err := <-waiting; err != nil {
		return report, err
	}
	stored := quiet.Calls + report.Meanwhile.Calls + kept
	err = db.QueryRow(ctx, `
SELECT (SELECT count(*) FILTER (WHERE sent_at <= now() - $1::interval) FROM messages),
	$2 - (SELECT count(*) FILTER (WHERE sent_at > now() - $1::interval) FROM messages),
	(SELECT count(*) FROM deletions), (SELECT coalesce(max(messages), 0) FROM deletions)`, retention, stored).
		Scan(&report.Left, &report.Early, &report.Parts, &report.Largest)
	if err != nil {
		return report, err
	}
	stats, err := r.GetQueueStats(ctx, caller, queue)
	if err == nil && stats.Visible != int64(stored) {
		err = fmt.Errorf("the queue counts %+v, want %d messages", stats, stored)
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

// sendUntil sends single messages, one after the other.
func sendUntil(ctx context.Context, r *replica.Replica, end <-chan time.Time) (Latency, error) {
	var took []time.Duration
	for {
		select {
		case <-end:
			slices.Sort(took)
			return Latency{Calls: len(took), Median: took[len(took)/2], P99: took[len(took)*99/100]}, nil
		default:
		}
		began := time.Now()
		sent, err := r.SendMessages(ctx, caller, queue, service.SendMessages{Messages: []service.SendMessage{{Body: filler}}})
		if err == nil {
			err = sent[0].Err
		}
		if err != nil {
			return Latency{}, err
		}
		took = append(took, time.Since(began))
	}
}
