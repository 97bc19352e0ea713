package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A check of what must hold between the tables, while the service runs. Each fact is looked at by
// one statement, whose snapshot has every transaction whole or not at all: so whatever others
// do meanwhile, what must hold after each transaction holds in it.

// Findings, by what is wrong. Those of which IsNote is true are no faults.
const (
	FindCounter       = "counter"         // a queue's counters and its messages differ
	FindOrphans       = "orphans"         // messages of a queue that does not exist
	FindOrphanCounter = "orphan_counters" // counters of a queue that does not exist
	FindNoGroup       = "no_group"        // messages of a FIFO queue whose group has no row
	FindLateGroup     = "late_group"      // a group that is ready later than its first message is visible
	FindLowSequence   = "low_sequence"    // a group whose next messages would come before those that it has
	FindSameSequence  = "same_sequence"   // messages of a group without an order
	FindKind          = "kind"            // a message without a place in the order of its FIFO queue, or with one elsewhere
	FindState         = "state"           // a message in a state that no call leads to
	FindEmptyGroup    = "empty_group"     // note: groups without messages, which the next claims forget
	FindOrphanKeys    = "orphan_keys"     // note: keys of queues that do not exist, which are forgotten in minutes
)

// AllFindings lists what can be found.
var AllFindings = []string{
	FindCounter, FindOrphans, FindOrphanCounter, FindNoGroup, FindLateGroup, FindLowSequence, FindSameSequence,
	FindKind, FindState, FindEmptyGroup, FindOrphanKeys,
}

// Finding is what a check has found in one queue.
type Finding struct {
	What    string `json:"what"`
	Queue   string `json:"queue"` // its name; empty: there is no such queue
	QueueID int64  `json:"queue_id,string"`
	Count   int64  `json:"count"`   // of rows, or by how many messages a counter is wrong
	Example string `json:"example"` // one of the rows
	Fixed   bool   `json:"fixed"`
}

// IsNote tells whether a finding is only worth knowing: it goes by itself.
func (f Finding) IsNote() bool { return f.What == FindEmptyGroup || f.What == FindOrphanKeys }

// CanFix tells whether Fix can repair the finding.
func (f Finding) CanFix() bool {
	switch f.What {
	case FindCounter, FindOrphanCounter, FindNoGroup, FindLateGroup, FindLowSequence, FindEmptyGroup:
		return true
	}
	return false
}

// Checker checks a database on one connection.
type Checker struct{ conn *pgx.Conn }

// OpenChecker connects to a migrated database.
func OpenChecker(ctx context.Context, url string) (*Checker, error) {
	conn, err := connect(ctx, url, "tusq fsck")
	if err != nil {
		return nil, err
	}
	return &Checker{conn}, nil
}

// Close ends the connection.
func (c *Checker) Close() { _ = c.conn.Close(context.Background()) }

// checkedQueue is a queue that exists, or that was deleted and is not yet collected.
type checkedQueue struct {
	id      int64
	name    string
	fifo    bool
	deleted bool
}

// Check looks at all queues, tells found of each finding, and returns how many queues there are.
func (c *Checker) Check(ctx context.Context, found func(Finding)) (queues int, err error) {
	all, err := c.queues(ctx)
	if err != nil {
		return 0, err
	}
	for _, q := range all {
		if err := c.checkQueue(ctx, q, found); err != nil {
			return 0, fmt.Errorf("check queue %s: %w", q.name, err)
		}
	}
	for _, check := range []struct{ what, sql string }{
		{FindOrphans, orphansSQL("messages", "t.id::text")},
		{FindOrphanCounter, orphansSQL("queue_counters", "'lane ' || t.lane")},
		{FindOrphanKeys, orphansSQL("once_keys", "t.key::text")},
		{FindState, statesSQL},
	} {
		if err := c.find(ctx, check.what, check.sql, found); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

func (c *Checker) queues(ctx context.Context) ([]checkedQueue, error) {
	rows, _ := c.conn.Query(ctx, `SELECT id, name, fifo, deleted_at IS NOT NULL FROM queues ORDER BY account, name, id`)
	queues, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (q checkedQueue, err error) {
		err = row.Scan(&q.id, &q.name, &q.fifo, &q.deleted)
		return q, err
	})
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	return queues, nil
}

// differenceSQL is by how many messages a queue's counters are too low, in one snapshot.
const differenceSQL = `
	(SELECT count(*) FROM messages WHERE queue_id = $1) -
	(SELECT coalesce(sum(messages), 0)::bigint FROM queue_counters WHERE queue_id = $1)`

func (c *Checker) checkQueue(ctx context.Context, q checkedQueue, found func(Finding)) error {
	var difference int64
	if err := c.conn.QueryRow(ctx, `SELECT`+differenceSQL+` WHERE EXISTS (SELECT 1 FROM queues WHERE id = $1)`, q.id).Scan(&difference); err != nil {
		return ignoreNoRows(err) // it was collected since it was listed
	}
	if difference != 0 {
		found(Finding{What: FindCounter, Queue: q.name, QueueID: q.id, Count: difference})
	}
	if q.deleted { // what is left goes table by table
		return nil
	}
	checks := []struct{ what, sql string }{{FindKind, kindsSQL}}
	if q.fifo {
		checks = append(checks, []struct{ what, sql string }{
			{FindNoGroup, noGroupSQL}, {FindLateGroup, lateGroupsSQL}, {FindEmptyGroup, emptyGroupsSQL},
			{FindLowSequence, lowSequencesSQL}, {FindSameSequence, sameSequencesSQL},
		}...)
	}
	for _, check := range checks {
		finding := Finding{What: check.what, Queue: q.name, QueueID: q.id}
		err := c.conn.QueryRow(ctx, `
SELECT count(*), coalesce(min(example), '')
FROM (`+check.sql+`
) AS found
WHERE EXISTS (SELECT 1 FROM queues WHERE id = $1 AND deleted_at IS NULL)`, q.id).Scan(&finding.Count, &finding.Example)
		if err != nil {
			return err
		}
		if finding.Count > 0 {
			found(finding)
		}
	}
	return nil
}

func ignoreNoRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// find reports what a statement finds: queue's id and name, number, example.
func (c *Checker) find(ctx context.Context, what, sql string, found func(Finding)) error {
	rows, _ := c.conn.Query(ctx, sql)
	f := Finding{What: what}
	_, err := pgx.ForEachRow(rows, []any{&f.QueueID, &f.Queue, &f.Count, &f.Example}, func() error {
		found(f)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for %s: %w", what, err)
	}
	return nil
}

// lockFix lets one repair work at a time: two would both add what is missing.
const lockFix = 0x74757371_0004

// Fix repairs a finding as far as it can, and tells whether it is repaired. Others may work meanwhile.
func (c *Checker) Fix(ctx context.Context, f Finding) (fixed bool, err error) {
	switch f.What {
	case FindCounter, FindOrphanCounter:
		err = c.alone(ctx, func(tx pgx.Tx) error { return fixCounters(ctx, tx, f.QueueID) })
	case FindNoGroup, FindLateGroup, FindLowSequence, FindEmptyGroup:
		err = c.fixGroups(ctx, f.QueueID)
	default:
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("repair queue %d: %w", f.QueueID, err)
	}
	return true, nil
}

// alone does something in a transaction that no other repair works beside.
func (c *Checker) alone(ctx context.Context, do func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		// In a statement of its own: the next one sees what the last repair has done.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockFix); err != nil {
			return err
		}
		return do(tx)
	})
}

// fixCounters adds to the counters what they lack, as the statement's snapshot has it. What others
// add and delete meanwhile they count themselves, before this or after, so it needs no lock
// but the queue's row, which must not be forgotten meanwhile.
func fixCounters(ctx context.Context, tx pgx.Tx, queueID int64) error {
	tag, err := tx.Exec(ctx, `SELECT 1 FROM queues WHERE id = $1 FOR KEY SHARE`, queueID)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		_, err = tx.Exec(ctx, `DELETE FROM queue_counters WHERE queue_id = $1`, queueID)
		return err
	}
	_, err = tx.Exec(ctx, `
INSERT INTO queue_counters AS c (queue_id, lane, messages)
SELECT $1, $2, difference
FROM (SELECT`+differenceSQL+` AS difference) AS d
WHERE difference <> 0
ON CONFLICT (queue_id, lane) DO UPDATE SET messages = c.messages + excluded.messages`, queueID, fixLane)
	return err
}

// fixPart is how many groups are repaired in one transaction.
const fixPart = 500

// fixGroups derives the wrong groups of a FIFO queue anew from their messages, under the groups'
// locks, as a flush does that changes them.
func (c *Checker) fixGroups(ctx context.Context, queueID int64) error {
	last := ""
	for {
		rows, _ := c.conn.Query(ctx, `
SELECT DISTINCT group_id COLLATE "C"
FROM (`+noGroupSQL+`
UNION ALL`+lateGroupsSQL+`
UNION ALL`+emptyGroupsSQL+`
UNION ALL`+lowSequencesSQL+`
) AS wrong (group_id)
WHERE group_id COLLATE "C" > $2
ORDER BY 1
LIMIT $3`, queueID, last, fixPart)
		groups, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(groups) == 0 {
			return err
		}
		if err := c.fixGroupsPart(ctx, queueID, groups); err != nil {
			return err
		}
		last = groups[len(groups)-1]
	}
}

func (c *Checker) fixGroupsPart(ctx context.Context, queueID int64, groups []string) error {
	lock := lockOf(groups, noDelay)
	return pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		for _, step := range []struct {
			sql    string
			params []any
		}{
			{lockGroupsSQL, []any{queueID, lock.groups, lock.after}},
			{raiseSequencesSQL, []any{queueID, lock.groups}},
			{refreshGroupsSQL, []any{queueID, lock.groups}},
		} {
			if _, err := tx.Exec(ctx, step.sql, step.params...); err != nil {
				return err
			}
		}
		return nil
	})
}

// states are the states of messages that no call leads to. clock_timestamp() is later than
// all that the snapshot has: tusq_now() is not.
var states = []struct{ name, condition string }{
	{"a lease without a receive", `lease IS NOT NULL AND (receive_count < 1 OR NOT returned OR received_at IS NULL OR first_received_at IS NULL)`},
	{"came back without a receive", `returned AND receive_count < 1`},
	{"in flight without a lease", `returned AND lease IS NULL AND visible_at > clock_timestamp()`},
	{"receives that cannot be counted", `receive_count < 0 OR earlier_receives < 0 OR receive_count < earlier_receives`},
	{"a priority", `priority <> 0`},
}

// statesSQL finds them in one pass over all messages.
var statesSQL = func() string {
	cases := ""
	for _, s := range states {
		cases += fmt.Sprintf("\n\t\tWHEN %s THEN '%s'", s.condition, s.name)
	}
	return `
SELECT m.queue_id, coalesce(q.name, ''), count(*), min(m.wrong || ', message ' || m.id)
FROM (
	SELECT queue_id, id, CASE` + cases + `
		END AS wrong
	FROM messages
) AS m
LEFT JOIN queues q ON q.id = m.queue_id
WHERE m.wrong IS NOT NULL
GROUP BY m.queue_id, q.name, m.wrong
ORDER BY m.queue_id, m.wrong`
}()

// orphansSQL finds rows of a table whose queue does not exist. It goes from queue to queue by the
// primary key.
func orphansSQL(table, example string) string {
	return `
WITH RECURSIVE ids AS (
	SELECT min(queue_id) AS id FROM ` + table + `
	UNION ALL
	SELECT (SELECT min(queue_id) FROM ` + table + ` WHERE queue_id > ids.id) FROM ids WHERE ids.id IS NOT NULL
)
SELECT ids.id, '', count(*), min(` + example + `)
FROM ids
JOIN ` + table + ` t ON t.queue_id = ids.id
WHERE NOT EXISTS (SELECT 1 FROM queues WHERE id = ids.id)
GROUP BY ids.id
ORDER BY ids.id`
}
