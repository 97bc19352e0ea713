package main

import (
	"context"
	"fmt"

	"tusq/client"
	"tusq/test/fault/check"
)

// forge sends a message to a queue of its own, and deletes it by a receipt whose seal is wrong.
// It returns what should not have happened.
func forge(ctx context.Context, url, queue string) ([]check.Violation, error) {
	api, err := client.New(url)
	if err != nil {
		return nil, err
	}
	if _, _, err := api.CreateQueue(ctx, client.CreateQueue{Name: queue}); err != nil {
		return nil, err
	}
	if _, err := api.Send(ctx, queue, client.SendMessage{Body: "forged"}); err != nil {
		return nil, err
	}
	got, err := api.Receive(ctx, queue, client.Receive{})
	if err != nil || len(got) != 1 {
		return nil, fmt.Errorf("received %d messages to forge: %w", len(got), err)
	}
	receipt := []byte(got[0].Receipt)
	seal := &receipt[len(receipt)-8] // a letter of it, which is the receipt's end
	if *seal == 'A' {
		*seal = 'B'
	} else {
		*seal = 'A'
	}
	err = api.Delete(ctx, queue, string(receipt))
	if client.ErrorCode(err) == "receipt_invalid" {
		return nil, api.DeleteQueue(ctx, queue)
	}
	return []check.Violation{{Checker: "forger", Queue: queue, Text: fmt.Sprintf("a forged receipt was answered by: %v", err)}}, nil
}
