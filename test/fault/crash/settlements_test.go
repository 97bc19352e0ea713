package crash

import (
	"context"
	"errors"
	"slices"
	"time"

	"tusq/client"
)

var settlements = []operation{
	{name: "delete", make: deleteMessages("", 1)},
	{name: "delete a batch", make: deleteMessages("", 3)},
	{name: "delete with a lost commit", plan: "repository.commit.after=fail", make: deleteMessages("", 2)},
	{name: "delete FIFO", make: deleteMessages(client.FIFOSuffix, 1)},
	{name: "extend", make: extend("", 20)},
	{name: "extend to nothing", make: extend("", 0)},
	{name: "extend FIFO to nothing", make: extend(client.FIFOSuffix, 0)},
	{name: "bury", make: bury("")},
	{name: "bury with a lost commit", plan: "repository.commit.after=fail", make: bury("")},
	{name: "bury FIFO", make: bury(client.FIFOSuffix)},
	{name: "bury FIFO with a lost commit", plan: "repository.commit.after=fail@2", make: bury(client.FIFOSuffix)},
}

// deleteMessages deletes the first of four messages. An answered delete is final.
func deleteMessages(suffix string, n int) func(w *world) attempt {
	return func(w *world) attempt {
		queue := w.newQueue(suffix, nil)
		all := []string{"a", "b", "c", "d"}
		w.fill(queue, suffix, all...)
		messages, err := w.client.Receive(w.t.Context(), queue, client.Receive{Max: n})
		if err != nil || len(messages) != n {
			w.t.Fatalf("received %+v, %v", messages, err)
		}
		var receipts []string
		for _, m := range messages {
			receipts = append(receipts, m.Receipt)
		}
		return attempt{
			do: func(ctx context.Context, again bool) error {
				if left := len(w.bodies(queue)); left != len(all) && (left != len(all)-n || !again) {
					w.t.Errorf("%d messages before a delete of %d of %d", left, n, len(all))
				}
				if n == 1 {
					return w.client.Delete(ctx, queue, receipts[0])
				}
				refusals, err := w.client.DeleteMany(ctx, queue, receipts)
				return errors.Join(append(refusals, err)...)
			},
			check: func() {
				w.holds(queue, all[n:]...)
				w.gives(queue, true, all[n:]...)
			},
		}
	}
}

// extend changes when a received message comes back.
func extend(suffix string, seconds int) func(w *world) attempt {
	return func(w *world) attempt {
		queue := w.newQueue(suffix, nil)
		w.fill(queue, suffix, "a")
		messages, err := w.receive(w.t.Context(), queue)
		if err != nil || len(messages) != 1 {
			w.t.Fatalf("received %+v, %v", messages, err)
		}
		return attempt{
			do: func(ctx context.Context, _ bool) error {
				return w.client.Extend(ctx, queue, client.Extend{Receipt: messages[0].Receipt, VisibilityTimeout: seconds})
			},
			check: func() {
				if late := w.ask(`SELECT count(*) FROM messages
WHERE queue_id = (SELECT id FROM queues WHERE name = $1) AND visible_at > tusq_now() + $2 * interval '1 second'`, queue, seconds); late > 0 {
					w.t.Errorf("it is not back within %d seconds", seconds)
				}
				w.gives(queue, true, "a")
			},
		}
	}
}

// bury receives a message once too often: it moves to the dead-letter queue.
func bury(suffix string) func(w *world) attempt {
	return func(w *world) attempt {
		dead := w.newQueue("-dead"+suffix, nil)
		queue := w.newQueue(suffix, func(c *client.CreateQueue) {
			c.DeadLetter = &client.DeadLetter{Queue: dead, MaxReceives: 1}
		})
		w.fill(queue, suffix, "a", "b")
		nothing := 0
		for range 2 {
			if got, err := w.client.Receive(w.t.Context(), queue, client.Receive{Max: 1, VisibilityTimeout: &nothing}); err != nil || len(got) != 1 {
				w.t.Fatalf("received %+v, %v", got, err)
			}
			if w.ask(`SELECT count(*) FROM messages WHERE queue_id = (SELECT id FROM queues WHERE name = $1) AND receive_count = 0`, queue) == 1 {
				break // each of the two would be received, or one of them twice
			}
		}
		var got []string
		return attempt{
			do: func(ctx context.Context, _ bool) error {
				messages, err := w.receive(ctx, queue)
				for _, m := range messages {
					got = append(got, m.Body)
				}
				return err
			},
			check: func() {
				if slices.Contains(got, "a") {
					w.t.Errorf("received %q, of which a has been received", got)
				}
				w.advance(lease + time.Second) // of what was received by a dead receiver
				if _, err := w.receive(w.t.Context(), queue); err != nil {
					w.t.Error(err)
				}
				all := append(w.bodies(queue), w.bodies(dead)...)
				slices.Sort(all)
				if !slices.Equal(all, []string{"a", "b"}) || !slices.Contains(w.bodies(dead), "a") {
					w.t.Errorf("the queue holds %q, its dead-letter queue %q", w.bodies(queue), w.bodies(dead))
				}
				w.sound(queue, dead)
			},
		}
	}
}
