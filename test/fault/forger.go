package main

import (
	"context"
	"fmt"
	"time"

	"tusq/client"
	"tusq/test/fault/check"
)

// forger does with receipts what no client of the load does: it uses those that it was not
// given, and those that hold no more, and knows how each must be refused.
type forger struct {
	api   *client.Client
	queue string
	wrong []check.Violation
}

// forge tries all kinds of receipts that must be refused, on queues of its own, and returns those that were not.
func forge(ctx context.Context, url, queue string) ([]check.Violation, error) {
	api, err := client.New(url)
	if err != nil {
		return nil, err
	}
	f := &forger{api: api, queue: queue}
	if err := f.standard(ctx); err != nil {
		return nil, err
	}
	fifo := &forger{api: api, queue: queue + client.FIFOSuffix}
	if err := fifo.expired(ctx); err != nil {
		return nil, err
	}
	return append(f.wrong, fifo.wrong...), nil
}

// standard uses a receipt of which a letter is changed, and one whose message was received again.
func (f *forger) standard(ctx context.Context) error {
	first, err := f.receive(ctx, client.SendMessage{Body: "forged"}, 30)
	if err != nil {
		return err
	}
	seal := []byte(first)
	letter := &seal[len(seal)-8] // of the seal, which is the receipt's end
	if *letter == 'A' {
		*letter = 'B'
	} else {
		*letter = 'A'
	}
	f.expect("deleted by a forged receipt", f.api.Delete(ctx, f.queue, string(seal)), "receipt_invalid")
	if len(f.wrong) > 0 {
		return nil // the message is gone
	}
	if err := f.api.Extend(ctx, f.queue, client.Extend{Receipt: first}); err != nil {
		return err
	}
	if _, err := f.receive(ctx, client.SendMessage{}, 30); err != nil {
		return err
	}
	f.expect("extended by a receipt that is stale", f.api.Extend(ctx, f.queue, client.Extend{Receipt: first, VisibilityTimeout: 60}), "receipt_stale")
	f.expect("deleted by a receipt that is stale", f.api.Delete(ctx, f.queue, first), "receipt_stale")
	return f.api.DeleteQueue(ctx, f.queue)
}

// expired uses a receipt of a FIFO queue whose lease has ended.
func (f *forger) expired(ctx context.Context) error {
	receipt, err := f.receive(ctx, client.SendMessage{Body: "late", GroupID: "a", DeduplicationID: "a"}, 1)
	if err != nil {
		return err
	}
	pause(ctx, 1200*time.Millisecond)
	f.expect("deleted by a receipt that has expired", f.api.Delete(ctx, f.queue, receipt), "receipt_expired")
	return f.api.DeleteQueue(ctx, f.queue)
}

// receive sends a message, if it has a body, and receives one.
func (f *forger) receive(ctx context.Context, message client.SendMessage, visibility int) (receipt string, err error) {
	if _, _, err := f.api.CreateQueue(ctx, client.CreateQueue{Name: f.queue}); err != nil {
		return "", err
	}
	if message.Body != "" {
		if _, err := f.api.Send(ctx, f.queue, message); err != nil {
			return "", err
		}
	}
	got, err := f.api.Receive(ctx, f.queue, client.Receive{VisibilityTimeout: &visibility})
	if err == nil && len(got) != 1 {
		err = fmt.Errorf("received %d messages to forge", len(got))
	}
	if err != nil {
		return "", err
	}
	return got[0].Receipt, nil
}

func (f *forger) expect(what string, err error, code string) {
	if client.ErrorCode(err) != code {
		f.wrong = append(f.wrong, check.Violation{Checker: "forger", Queue: f.queue, Text: fmt.Sprintf("%s: answered by %v", what, err)})
	}
}
