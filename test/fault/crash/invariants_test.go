package crash

import (
	"slices"
	"time"
)

// invariants are queries that find what must never be, in any queue at any moment.
var invariants = map[string]string{
	"messages in flight for longer than a lease": `
SELECT count(*) FROM messages WHERE visible_at > tusq_now() + interval '30 seconds'`,
	"queues whose counters are wrong": `
SELECT count(*)
FROM queues q
WHERE deleted_at IS NULL
	AND (SELECT coalesce(sum(messages), 0) FROM queue_counters c WHERE c.queue_id = q.id)
		<> (SELECT count(*) FROM messages m WHERE m.queue_id = q.id)`,
	"messages of a FIFO queue without their group": `
SELECT count(*)
FROM messages m
WHERE seq IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM message_groups g WHERE g.queue_id = m.queue_id AND g.group_id = m.group_id)`,
	"groups that are ready later than their first message": `
SELECT count(*)
FROM message_groups g
WHERE ready_at > (
	SELECT visible_at FROM messages m
	WHERE m.queue_id = g.queue_id AND m.group_id = g.group_id AND seq IS NOT NULL
	ORDER BY seq LIMIT 1
)`,
	"groups that are never ready": `
SELECT count(*) FROM message_groups WHERE ready_at > tusq_now() + interval '30 seconds'`,
	"messages with one place in a group": `
SELECT count(*) FROM (SELECT 1 FROM messages WHERE seq IS NOT NULL GROUP BY queue_id, group_id, seq HAVING count(*) > 1) AS doubled`,
	"queues whose data key is lost": `
SELECT count(*) FROM queues q WHERE data_key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM data_keys d WHERE d.id = q.data_key AND d.queue_id = q.id)`,
	"keys without a secret, or revoked with one": `
SELECT count(*) FROM keys k WHERE (revoked_at IS NULL) <> EXISTS (SELECT 1 FROM key_secrets s WHERE s.key_id = k.id)`,
	"keys and users that are not in the audit log": `
SELECT (SELECT count(*) FROM keys WHERE NOT EXISTS (SELECT 1 FROM audit_log WHERE action = 'create_key' AND resource = 'key ' || keys.id))
	+ (SELECT count(*) FROM users WHERE NOT EXISTS (SELECT 1 FROM audit_log WHERE action = 'create_user' AND resource = 'user ' || users.name))`,
	"messages in two queues": `
SELECT count(*) FROM (SELECT 1 FROM messages GROUP BY id HAVING count(*) > 1) AS doubled`,
}

// sound checks all invariants, and that the service counts what is there.
func (w *world) sound(queues ...string) {
	w.t.Helper()
	for what, sql := range invariants {
		if n := w.ask(sql); n != 0 {
			w.t.Errorf("%d %s", n, what)
		}
	}
	for _, queue := range queues {
		stats, err := w.client.QueueStats(w.t.Context(), queue)
		if err != nil {
			w.t.Errorf("counts of %s: %v", queue, err)
			continue
		}
		if rows := len(w.bodies(queue)); int64(rows) != stats.Total || stats.Total != stats.Visible+stats.InFlight+stats.Delayed {
			w.t.Errorf("%s holds %d messages, and its counts are %+v", queue, rows, stats)
		}
	}
}

// holds checks which messages a queue has.
func (w *world) holds(queue string, want ...string) {
	w.t.Helper()
	if got := w.bodies(queue); !slices.Equal(got, want) {
		w.t.Errorf("%s holds %q, want %q", queue, got, want)
	}
}

// gives receives all of a queue once every lease has ended, checks what comes, in its
// order where that is promised, deletes it, and checks that nothing is left.
func (w *world) gives(queue string, ordered bool, want ...string) {
	w.t.Helper()
	w.sound(queue)
	if w.ask(`SELECT count(*) FROM messages WHERE visible_at > tusq_now()`) > 0 {
		w.advance(lease + time.Second)
	}
	var got, receipts []string
	for deadline := time.Now().Add(bound); len(w.bodies(queue)) > 0 && time.Now().Before(deadline); {
		messages, err := w.receive(w.t.Context(), queue)
		if err != nil {
			w.t.Errorf("receive from %s: %v", queue, err)
			return
		}
		if len(messages) == 0 { // a claim that could not be revoked at once is just being revoked
			time.Sleep(settle)
			continue
		}
		receipts = receipts[:0]
		for _, m := range messages {
			got, receipts = append(got, m.Body), append(receipts, m.Receipt)
		}
		if _, err := w.client.DeleteMany(w.t.Context(), queue, receipts); err != nil {
			w.t.Errorf("delete from %s: %v", queue, err)
			return
		}
	}
	if !ordered {
		slices.Sort(got)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s gave %q, want %q", queue, got, want)
	}
	w.holds(queue)
	w.sound(queue)
}
