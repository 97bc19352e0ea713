package crash

import (
	"context"
	"errors"
	"slices"
	"time"

	"tusq/client"
)

// operations are all that is enumerated. Lost commits and refused data are operations too:
// their plans make them pass the points that only they pass.
var operations = slices.Concat([]operation{
	{name: "send", make: sendOne},
	{name: "send with a key", make: sendBatch("", true)},
	{name: "send a batch", make: sendBatch("", false)},
	{name: "send a batch that is refused", plan: "repository.statement.answered=refuse", make: sendBatch("", false)},
	{name: "send with a lost commit", plan: "repository.commit.after=fail", make: sendBatch("", false)},
	{name: "send with a key and a lost commit", plan: "repository.commit.after=fail", make: sendBatch("", true)},
	{name: "send without a commit", plan: "repository.commit.before=fail", make: sendBatch("", false)},
	{name: "send FIFO", make: sendBatch(client.FIFOSuffix, false)},
	{name: "send FIFO with a lost commit", plan: "repository.commit.after=fail", make: sendBatch(client.FIFOSuffix, false)},

	{name: "receive", make: receive("", "")},
	{name: "receive with a lost commit", plan: "repository.commit.after=fail", make: receive("", "")},
	{name: "receive FIFO", make: receive(client.FIFOSuffix, "")},
	{name: "receive FIFO with a lost commit", plan: "repository.commit.after=fail", make: receive(client.FIFOSuffix, "")},
	{name: "receive FIFO with an attempt", make: receive(client.FIFOSuffix, "attempt")},
	{name: "receive FIFO with an attempt again", make: receiveAgain},
	{name: "receive and leave", plan: "service.flush.committed=pause:300ms", make: receiveAndLeave},
	{name: "hand off", make: handOff("")},
	{name: "hand off with a lost commit", plan: "repository.commit.after=fail@3", make: handOff("")},
	{name: "hand off FIFO", make: handOff(client.FIFOSuffix)},
}, settlements, jobOperations, changes)

// message is one to send; in a FIFO queue its body is its deduplication id.
func message(suffix, body string) client.SendMessage {
	m := client.SendMessage{Body: body, Attributes: map[string]client.Attribute{"of": {Type: "String", Value: body}}}
	if suffix != "" {
		m.GroupID, m.DeduplicationID = "group", body
	}
	return m
}

// fill sends messages without a fault.
func (w *world) fill(queue, suffix string, bodies ...string) {
	w.t.Helper()
	for _, body := range bodies {
		if _, err := w.client.Send(w.t.Context(), queue, message(suffix, body)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// sendOne sends without a key: a repetition may store a second message.
func sendOne(w *world) attempt {
	queue := w.newQueue("", nil)
	want, failed := 1, false
	return attempt{
		do: func(ctx context.Context, again bool) error {
			stored := len(w.bodies(queue))
			if stored > 1 || stored == 1 && !again {
				w.t.Errorf("%d messages before a send", stored)
			}
			_, err := w.client.Send(ctx, queue, message("", "a"))
			want, failed = stored+1, failed || err != nil
			return err
		},
		check: func() { w.gives(queue, false, slices.Repeat([]string{"a"}, want)...) },
	}
}

// sendBatch sends three messages. With a key, or in a FIFO queue, they are there once, and
// else once for each time that the call was carried out.
func sendBatch(suffix string, key bool) func(w *world) attempt {
	return func(w *world) attempt {
		queue := w.newQueue(suffix, nil)
		var opts []client.SendOption
		if key {
			opts = append(opts, client.WithIdempotencyKey("key"))
		}
		bodies, before := []string{"a", "b", "c"}, []string(nil)
		return attempt{
			do: func(ctx context.Context, again bool) error {
				// A flush that was refused is divided, so that a part may be there.
				if before = w.bodies(queue); len(before) > len(bodies) || len(before) > 0 && !again {
					w.t.Errorf("%q are there before a send of %q", before, bodies)
				}
				var batch []client.SendMessage
				for _, body := range bodies {
					batch = append(batch, message(suffix, body))
				}
				sent, err := w.client.SendMany(ctx, queue, batch, opts...)
				for _, s := range sent {
					err = errors.Join(err, s.Err)
				}
				return err
			},
			check: func() {
				want := slices.Clone(bodies)
				if !key && suffix == "" { // what was stored, not answered, and repeated
					want = append(want, before...)
				}
				slices.Sort(want)
				w.gives(queue, suffix != "", want...)
			},
		}
	}
}

// receive receives two messages. What a dead receiver got comes back when its lease ends.
func receive(suffix, attemptID string) func(w *world) attempt {
	return func(w *world) attempt {
		queue := w.newQueue(suffix, nil)
		w.fill(queue, suffix, "a", "b")
		var got []string
		return attempt{
			do: func(ctx context.Context, _ bool) error {
				messages, err := w.client.Receive(ctx, queue, client.Receive{Max: 10, AttemptID: attemptID})
				for _, m := range messages {
					got = append(got, m.Body)
				}
				return err
			},
			check: func() {
				more, err := w.receive(w.t.Context(), queue)
				for _, m := range more {
					got = append(got, m.Body)
				}
				slices.Sort(got)
				if err != nil || len(slices.Compact(slices.Clone(got))) != len(got) {
					w.t.Errorf("within the lease came %q, %v", got, err)
				}
				w.gives(queue, suffix != "", "a", "b")
			},
		}
	}
}

// receiveAgain repeats a receive by its attempt: it gets the same, whatever happens.
func receiveAgain(w *world) attempt {
	queue := w.newQueue(client.FIFOSuffix, nil)
	w.fill(queue, client.FIFOSuffix, "a", "b")
	first, err := w.client.Receive(w.t.Context(), queue, client.Receive{Max: 10, AttemptID: "attempt"})
	if err != nil || len(first) != 2 {
		w.t.Fatalf("received %+v, %v", first, err)
	}
	var again []client.Message
	return attempt{
		do: func(ctx context.Context, _ bool) (err error) {
			again, err = w.client.Receive(ctx, queue, client.Receive{Max: 10, AttemptID: "attempt"})
			return err
		},
		check: func() {
			same := func(a, b client.Message) bool { return a.Body == b.Body && a.Receipt == b.Receipt }
			if !slices.EqualFunc(first, again, same) {
				w.t.Errorf("received %+v, and again %+v", first, again)
			}
			w.gives(queue, true, "a", "b")
		},
	}
}

// errAnswered says that a receive was answered before its client was seen to leave, as on a machine that is very busy.
var errAnswered = errors.New("the receive was answered")

// receiveAndLeave goes away while its receive is being committed: that is undone, or the
// lease ends.
func receiveAndLeave(w *world) attempt {
	queue := w.newQueue("", nil)
	w.fill(queue, "", "a")
	return attempt{
		do: func(ctx context.Context, again bool) error {
			if again {
				return nil
			}
			ctx, leave := context.WithCancel(ctx)
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = w.receive(ctx, queue)
			}()
			w.awaitPassed("service.flush.committed", gone)
			leave()
			<-gone
			w.eventually("the receive is released or answered", func() bool {
				passed := w.passed()
				return w.isDead() || slices.Contains(passed, "service.release") || slices.Contains(passed, "service.claim.got")
			})
			if slices.Contains(w.passed(), "service.claim.got") {
				return errAnswered
			}
			return w.ended("the message is back", `SELECT count(*) FROM messages
WHERE queue_id = (SELECT id FROM queues WHERE name = $1) AND visible_at <= tusq_now() AND receive_count = 0`, queue)
		},
		check: func() { w.gives(queue, false, "a") },
	}
}

// handOff sends to a receiver that waits. After a crash the send is repeated; what was handed
// to nobody comes back when its lease ends.
func handOff(suffix string) func(w *world) attempt {
	return func(w *world) attempt {
		queue := w.newQueue(suffix, nil)
		var got []string
		send := func(ctx context.Context) error {
			_, err := w.client.Send(ctx, queue, message(suffix, "a"), client.WithIdempotencyKey("key"))
			return err
		}
		return attempt{
			do: func(ctx context.Context, again bool) error {
				if again {
					return send(ctx)
				}
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				var failure error
				received := make(chan struct{})
				go func() {
					defer close(received)
					wait := int(bound.Seconds())
					messages, err := w.client.Receive(ctx, queue, client.Receive{Max: 10, WaitSeconds: &wait})
					for _, m := range messages {
						got = append(got, m.Body)
					}
					failure = err
				}()
				w.awaitPassed("service.park.sleep", received)
				err := send(ctx)
				if err != nil {
					select { // it may have been handed off all the same
					case <-received:
					case <-time.After(settle):
						cancel()
					}
				}
				<-received
				return errors.Join(err, failure)
			},
			check: func() {
				if len(got) > 1 {
					w.t.Errorf("received %q", got)
				}
				if more, err := w.receive(w.t.Context(), queue); err != nil || len(more)+len(got) > 1 {
					w.t.Errorf("within the lease of %q came %+v, %v", got, more, err)
				}
				w.gives(queue, true, "a")
			},
		}
	}
}
