package repository

import (
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// A FIFO queue's groups. Whoever sends to a group, or settles its messages, locks its row
// in message_groups first, in a statement of its own: the next statement's snapshot then
// has all that was committed before. Rows are locked in the order of the groups' ids.
// A claim takes no lock that it would have to wait for: it passes over groups that others
// have locked, and those that have changed since its snapshot.

// seqStride is how far a flush moves a group's last sequence number on: more than it sends.
const seqStride = "4096"

// nextSeq begins a new group's sequence: nanoseconds, so that a group that is forgotten
// when it is empty goes on above the numbers that it gave. It is the time of the row, not of
// the statement: that may have waited for another group meanwhile.
const nextSeq = `(extract(epoch FROM clock_timestamp()) * 1000000000)::bigint + ` + seqStride

// findGroup finds the row of group g by the primary key; only that gives its order.
const findGroup = `
		FROM message_groups
		WHERE queue_id = $1 AND group_id BETWEEN t.group_id AND t.group_id
		ORDER BY group_id
		LIMIT 1`

// lockGroupsSQL locks groups and makes those that are missing. A new one is ready with its
// first message, or a little earlier: so groups are received in the order of their first
// messages. It waits for other flushes of the same groups.
const lockGroupsSQL = `
INSERT INTO message_groups AS g (queue_id, group_id, ready_at, last_seq)
SELECT q.id, t.group_id, tusq_now() + t.after * interval '1 microsecond', ` + nextSeq + `
FROM queues q
CROSS JOIN unnest($2::text[], $3::bigint[]) AS t (group_id, after)
WHERE q.id = $1 AND ` + alive + `
ON CONFLICT (queue_id, group_id) DO UPDATE SET last_seq = greatest(g.last_seq + ` + seqStride + `, excluded.last_seq)`

// headTurn is the turn of a group by its first message.
const headTurn = `CASE WHEN NOT returned THEN 0 WHEN receive_count - earlier_receives < 3 THEN 1 ELSE 2 END`

// refreshGroupsSQL makes locked groups ready when their first messages become visible, and
// forgets empty ones. It reads one message of each. It tells how many are ready now.
const refreshGroupsSQL = `
WITH heads AS MATERIALIZED (
	SELECT g.ctid, g.queue_id, m.visible_at, m.turn
	FROM unnest($2::text[]) AS t (group_id)
	CROSS JOIN LATERAL (
		SELECT ctid, queue_id` + findGroup + `
	) AS g
	LEFT JOIN LATERAL (
		SELECT visible_at, ` + headTurn + ` AS turn
		FROM messages
		WHERE queue_id = $1 AND group_id BETWEEN t.group_id AND t.group_id AND seq IS NOT NULL
		ORDER BY group_id, seq
		LIMIT 1
	) AS m ON true
), emptied AS (
	DELETE FROM message_groups g
	USING heads h
	WHERE g.ctid = h.ctid AND g.queue_id = h.queue_id AND h.visible_at IS NULL
), changed AS (
	UPDATE message_groups g
	SET ready_at = h.visible_at, turn = h.turn
	FROM heads h
	WHERE g.ctid = h.ctid AND g.queue_id = h.queue_id AND h.visible_at IS NOT NULL
		AND (g.ready_at, g.turn) IS DISTINCT FROM (h.visible_at, h.turn::smallint)
)
SELECT count(*) FROM heads WHERE visible_at <= tusq_now()`

// groupLocks are the parameters of lockGroupsSQL: groups in their order, and after how many
// microseconds each is ready should it be new.
type groupLocks struct {
	groups []string
	after  []int64
}

// lockOf are the locks of groups that are in the order of their first messages.
func lockOf(groups []string, delay func(group string) time.Duration) groupLocks {
	places := map[string]int{}
	for _, group := range groups {
		if _, ok := places[group]; !ok {
			places[group] = len(places)
		}
	}
	l := groupLocks{groups: slices.Sorted(maps.Keys(places)), after: make([]int64, len(places))}
	for i, group := range l.groups {
		l.after[i] = delay(group).Microseconds() - int64(len(places)-1-places[group])
	}
	return l
}

func noDelay(string) time.Duration { return 0 }

// workGroups are the groups that a queue's work changes.
func workGroups(w *service.QueueWork) groupLocks {
	groups := make([]string, 0, len(w.Sends))
	delays := map[string]time.Duration{}
	for _, m := range w.Sends {
		groups = append(groups, m.GroupID)
		if delay, ok := delays[m.GroupID]; !ok || m.Delay < delay {
			delays[m.GroupID] = m.Delay
		}
	}
	groups = append(groups, w.Joins...)
	groups = append(groups, settledGroups(w)...)
	return lockOf(groups, func(group string) time.Duration { return delays[group] })
}

// settledGroups are the groups of a queue's settlements, each once.
func settledGroups(w *service.QueueWork) []string {
	var groups []string
	for _, settlements := range [][]*service.Settlement{w.Deletes, w.Extends, w.Releases} {
		for _, s := range settlements {
			groups = append(groups, s.GroupID)
		}
	}
	for _, b := range w.Burials {
		groups = append(groups, b.GroupID)
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

func queueLockGroups(b *batch, w *service.QueueWork) {
	if l := workGroups(w); len(l.groups) > 0 {
		b.queue(lockGroupsSQL, w.QueueID, l.groups, l.after)
	}
}

// queueRefreshGroups looks at the groups that may have another first message, and at those
// that were locked for a delayed message, which may turn out to be a duplicate.
func queueRefreshGroups(b *batch, w *service.QueueWork) {
	groups := append(settledGroups(w), w.Joins...)
	for _, m := range w.Sends {
		if m.Delay > 0 {
			groups = append(groups, m.GroupID)
		}
	}
	slices.Sort(groups)
	if groups = slices.Compact(groups); len(groups) > 0 {
		b.queue(refreshGroupsSQL, w.QueueID, groups).
			row(func(row pgx.Row) error { return row.Scan(&w.Freed) })
	}
}
