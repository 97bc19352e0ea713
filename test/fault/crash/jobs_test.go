package crash

import (
	"context"

	"tusq/client"
)

var jobOperations = []operation{
	{name: "redrive", jobs: often, make: redrive("")},
	{name: "redrive FIFO", jobs: often, make: redrive(client.FIFOSuffix)},
	{name: "purge", make: purge("")},
	{name: "purge FIFO", make: purge(client.FIFOSuffix)},
	{name: "expire", jobs: often, make: expire("")},
	{name: "expire FIFO", jobs: often, make: expire(client.FIFOSuffix)},
	{name: "collect a deleted queue", jobs: often, make: collect},
	{name: "forget keys", jobs: often, make: forget},
}

// redrive moves three messages. They are in one of the two queues at any time, and in their order.
func redrive(suffix string) func(w *world) attempt {
	return func(w *world) attempt {
		source := w.newQueue("-dead"+suffix, nil)
		target := w.newQueue(suffix, func(c *client.CreateQueue) {
			c.DeadLetter = &client.DeadLetter{Queue: source, MaxReceives: 9}
		})
		w.fill(source, suffix, "a", "b", "c")
		return attempt{
			do: func(ctx context.Context, _ bool) error {
				// In one snapshot: a redrive of the call before may be moving them.
				if n := w.ask(`SELECT count(*) FROM messages m JOIN queues q ON q.id = m.queue_id WHERE q.name IN ($1, $2)`, source, target); n != 3 {
					w.t.Errorf("the queues hold %d messages, want 3", n)
				}
				_, err := w.client.StartRedrive(ctx, source, client.StartRedrive{Destination: target})
				if err != nil && client.ErrorCode(err) != "redrive_running" {
					return err
				}
				return w.ended("the redrive ends", `SELECT (NOT EXISTS (SELECT 1 FROM redrives WHERE ended_at IS NULL))::int`)
			},
			check: func() {
				w.holds(source)
				w.gives(target, suffix != "", "a", "b", "c")
			},
		}
	}
}

// purge empties a queue, whose deduplication ids are then free again.
func purge(suffix string) func(w *world) attempt {
	return func(w *world) attempt {
		queue := w.newQueue(suffix, nil)
		w.fill(queue, suffix, "a", "b", "c")
		return attempt{
			do: func(ctx context.Context, _ bool) error {
				_, err := w.client.PurgeQueue(ctx, queue)
				return err
			},
			check: func() {
				w.holds(queue)
				w.sound(queue)
				w.fill(queue, suffix, "a")
				w.gives(queue, true, "a")
			},
		}
	}
}

// expire lets two of three messages grow old.
func expire(suffix string) func(w *world) attempt {
	return func(w *world) attempt {
		retention := 600
		queue := w.newQueue(suffix, func(c *client.CreateQueue) { c.RetentionSeconds = &retention })
		w.fill(queue, suffix, "a", "b", "c")
		return attempt{
			do: func(context.Context, bool) error {
				w.exec(`
UPDATE messages
SET sent_at = tusq_now() - interval '1 hour', id = ('0180' || substr(id::text, 5))::uuid
WHERE queue_id = (SELECT id FROM queues WHERE name = $1) AND body < 'c'`, queue)
				return w.ended("they have expired", `
SELECT (count(*) = 1)::int FROM messages WHERE queue_id = (SELECT id FROM queues WHERE name = $1)`, queue)
			},
			check: func() { w.gives(queue, true, "c") },
		}
	}
}

// collect deletes a queue that holds messages, and waits until its last trace is gone.
func collect(w *world) attempt {
	queue := w.newQueue(client.FIFOSuffix, nil)
	w.fill(queue, client.FIFOSuffix, "a", "b")
	id := w.ask(`SELECT id FROM queues WHERE name = $1`, queue)
	return attempt{
		do: func(ctx context.Context, _ bool) error {
			err := w.client.DeleteQueue(ctx, queue)
			if err != nil && client.ErrorCode(err) != "queue_not_found" {
				return err
			}
			w.exec(`UPDATE queues SET deleted_at = deleted_at - interval '1 hour' WHERE id = $1`, id)
			return w.ended("nothing is left", `SELECT (NOT EXISTS (SELECT 1 FROM queues WHERE id = $1))::int`, id)
		},
		check: func() {
			for _, table := range []string{"messages", "message_groups", "queue_counters"} {
				if n := w.ask(`SELECT count(*) FROM `+table+` WHERE queue_id = $1`, id); n > 0 {
					w.t.Errorf("%s has %d rows of a queue that is gone", table, n)
				}
			}
			w.sound()
		},
	}
}

// forget waits until a key whose time is over is gone.
func forget(w *world) attempt {
	queue := w.newQueue("", nil)
	return attempt{
		do: func(context.Context, bool) error {
			w.exec(`
INSERT INTO once_keys (queue_id, key, message_id, expires_at)
SELECT id, gen_random_uuid(), gen_random_uuid(), tusq_now() - interval '1 minute' FROM queues WHERE name = $1`, queue)
			return w.ended("it is forgotten", `SELECT (NOT EXISTS (SELECT 1 FROM once_keys WHERE expires_at < tusq_now()))::int`)
		},
		check: func() { w.sound(queue) },
	}
}
