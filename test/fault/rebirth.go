package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"tusq/client"
	"tusq/test/fault/check"
)

const (
	rebirthPhase = 500 * time.Millisecond // of use before a queue's deletion, and after it was made anew
	rebirthLimit = time.Minute            // until all messages of the new queue have come
)

// rebirth deletes a queue while clients use it, and makes it anew at once under the same name: row 51 of the matrix. What was in the old
// queue never comes out of the new one, receipts of the old one settle nothing there, and what is acknowledged by the new one comes out.
type rebirth struct {
	once    *client.Client // asks once: a second deletion, whose first is under way, could hit the new queue
	patient *client.Client
	queue   string

	mu       sync.Mutex
	sent     map[string]call // acknowledged, by their bodies
	received []delivery
}

// call is when something was asked for and when it was answered.
type call struct{ invoked, returned time.Time }

type delivery struct {
	call
	body, receipt string
}

func newRebirth(url, queue string) (*rebirth, error) {
	once, err := client.New(url, client.WithRetry(0))
	if err != nil {
		return nil, err
	}
	patient, err := client.New(url, client.WithRetry(rebirthLimit))
	if err != nil {
		return nil, err
	}
	return &rebirth{once: once, patient: patient, queue: queue}, nil
}

// lives lets queues live and be reborn until ctx ends, and returns how many were, and what was wrong. Those whose deletion or making was not
// acknowledged prove nothing and are not counted.
func (b *rebirth) lives(ctx context.Context) (n int, wrong []check.Violation) {
	for ctx.Err() == nil {
		found, counted, err := b.live(ctx)
		if err != nil {
			wrong = append(wrong, check.Violation{Checker: "C9", Queue: b.queue, Text: err.Error()})
			return n, wrong
		}
		wrong = append(wrong, found...)
		if counted {
			n++
		}
	}
	return n, wrong
}

// live is one life and one rebirth.
func (b *rebirth) live(ctx context.Context) (wrong []check.Violation, counted bool, err error) {
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*rebirthLimit)
	defer cancel()
	if _, _, err := b.patient.CreateQueue(whole, client.CreateQueue{Name: b.queue}); err != nil {
		return nil, false, err
	}
	b.sent, b.received = map[string]call{}, nil
	using, stop := context.WithCancel(whole)
	var users sync.WaitGroup
	for i := range 3 {
		users.Go(func() { b.send(using, fmt.Sprintf("%d-%d", time.Now().UnixNano(), i)) })
	}
	users.Go(func() { b.receive(using) })
	pause(ctx, rebirthPhase)
	deletion, err := timed(func() error { return b.once.DeleteQueue(whole, b.queue) })
	var creation call
	if err == nil {
		creation, err = timed(func() error {
			_, _, err := b.once.CreateQueue(whole, client.CreateQueue{Name: b.queue})
			return err
		})
	}
	pause(ctx, rebirthPhase)
	stop()
	users.Wait()
	if err == nil {
		counted = true
		wrong, err = b.judge(whole, deletion, creation)
	} else {
		err = nil // nothing is known of the new queue
	}
	if err == nil {
		err = b.remove(whole)
	}
	return wrong, counted, err
}

func timed(do func() error) (call, error) {
	began := time.Now()
	err := do()
	return call{began, time.Now()}, err
}

// remove deletes the queue, which may not be there.
func (b *rebirth) remove(ctx context.Context) error {
	if err := b.patient.DeleteQueue(ctx, b.queue); err != nil && client.ErrorCode(err) != "queue_not_found" {
		return err
	}
	return nil
}

func (b *rebirth) send(ctx context.Context, prefix string) {
	for n := 0; ctx.Err() == nil; n++ {
		body := fmt.Sprintf("%s-%d", prefix, n)
		sent, err := timed(func() error {
			_, err := b.once.Send(ctx, b.queue, client.SendMessage{Body: body})
			return err
		})
		if err == nil {
			b.mu.Lock()
			b.sent[body] = sent
			b.mu.Unlock()
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// receive receives and deletes every other message; the receipts of the rest are kept.
func (b *rebirth) receive(ctx context.Context) {
	for ctx.Err() == nil {
		got := b.take(ctx, b.once)
		for i := 0; i < len(got); i += 2 {
			_ = b.once.Delete(ctx, b.queue, got[i].Receipt) // the queue may be gone
		}
		pause(ctx, 5*time.Millisecond)
	}
}

// take receives once and notes what came.
func (b *rebirth) take(ctx context.Context, api *client.Client) (got []client.Message) {
	visibility, wait := 1, 0
	received, err := timed(func() (err error) {
		got, err = api.Receive(ctx, b.queue, client.Receive{Max: 10, VisibilityTimeout: &visibility, WaitSeconds: &wait})
		return err
	})
	if err != nil {
		return nil // queue_not_found, or a fault
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range got {
		b.received = append(b.received, delivery{call: received, body: m.Body, receipt: m.Receipt})
	}
	return got
}

// judge uses the old queue's receipts, then waits for all messages of the new one.
func (b *rebirth) judge(ctx context.Context, deletion, creation call) (wrong []check.Violation, err error) {
	var receipts []string
	for _, d := range b.received {
		if d.returned.Before(deletion.invoked) {
			receipts = append(receipts, d.receipt)
		}
	}
	for some := range slices.Chunk(receipts, 100) {
		if _, err := b.patient.DeleteMany(ctx, b.queue, some); err != nil {
			return nil, fmt.Errorf("use the old receipts: %w", err)
		}
	}
	missing := map[string]bool{}
	for body, sent := range b.sent {
		if sent.invoked.After(creation.returned) {
			missing[body] = true
		}
	}
	deadline := time.Now().Add(rebirthLimit)
	seen := 0
	for b.look(missing, &seen); len(missing) > 0 && time.Now().Before(deadline); b.look(missing, &seen) {
		b.take(ctx, b.patient)
		pause(ctx, 20*time.Millisecond)
	}
	for _, body := range slices.Sorted(maps.Keys(missing)) {
		wrong = append(wrong, check.Violation{Checker: "C1", Queue: b.queue, UID: body, Text: body + " was acknowledged by a queue that was made anew, and is lost"})
	}
	return append(wrong, b.risen(deletion, creation)...), nil
}

// look takes what has come since it last looked off the missing ones.
func (b *rebirth) look(missing map[string]bool, seen *int) {
	for _, d := range b.received[*seen:] {
		delete(missing, d.body)
	}
	*seen = len(b.received)
}

// risen are the messages of the old queue that came out of the new one.
func (b *rebirth) risen(deletion, creation call) (wrong []check.Violation) {
	for _, d := range b.received {
		sent, known := b.sent[d.body]
		if known && sent.returned.Before(deletion.invoked) && d.invoked.After(creation.returned) {
			wrong = append(wrong, check.Violation{Checker: "C4", Queue: b.queue, UID: d.body, Text: d.body + " came back after its queue was deleted"})
		}
	}
	return wrong
}
