package sqs

import (
	"context"
	"time"

	"tusq/service"
)

const (
	deleteEntryType = "DeleteMessageBatchRequestEntry"
	changeEntryType = "ChangeMessageVisibilityBatchRequestEntry"
)

func (c *call) deleteMessage(ctx context.Context, in *deleteMessageInput) (*none, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.ReceiptHandle == "" {
		return nil, missing("ReceiptHandle")
	}
	results, err := c.svc.DeleteMessages(ctx, c.caller, queue, []string{in.ReceiptHandle})
	if err != nil {
		return nil, err
	}
	return nil, deleteFailure(in.ReceiptHandle, results[0])
}

func (c *call) deleteMessageBatch(ctx context.Context, in *deleteMessageBatchInput) (*settleBatchOutput, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	entries, err := checkEntries(deleteEntryType, in.Entries, func(e deleteMessageBatchEntry) *string { return e.Id })
	if err != nil {
		return nil, err
	}
	receipts := make([]string, len(in.Entries))
	for i, entry := range in.Entries {
		if entry.ReceiptHandle == "" {
			return nil, missingEntry(deleteEntryType, i, "ReceiptHandle")
		}
		receipts[i] = entry.ReceiptHandle
	}
	results, err := c.svc.DeleteMessages(ctx, c.caller, queue, receipts)
	if err != nil {
		return nil, err
	}
	out := newSettleBatchOutput(len(results))
	for i, result := range results {
		out.add(ctx, entries[i], deleteFailure(receipts[i], result))
	}
	return out, nil
}

// deleteFailure returns what SQS makes of a deletion's result: it does not mind
// an older receipt, nor that the message is gone. In a FIFO queue, where a message that
// is visible again holds up its group, it minds.
func deleteFailure(receipt string, err error) error {
	switch service.ErrorCode(err) {
	case service.CodeReceiptStale, service.CodeMessageNotFound:
		return nil
	case service.CodeReceiptExpired:
		return invalidValue(receipt, "ReceiptHandle", "The receipt handle has expired.")
	case service.CodeReceiptInvalid:
		return invalidReceipt(receipt)
	}
	return err
}

func (c *call) changeMessageVisibility(ctx context.Context, in *changeMessageVisibilityInput) (*none, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.ReceiptHandle == "" {
		return nil, missing("ReceiptHandle")
	}
	if in.VisibilityTimeout == nil {
		return nil, missing("VisibilityTimeout")
	}
	timeout := *in.VisibilityTimeout
	if err := checkVisibility(timeout); err != nil {
		return nil, err
	}
	extend := service.ExtendVisibility{Receipt: in.ReceiptHandle, Timeout: seconds(timeout)}
	results, err := c.svc.ExtendMessages(ctx, c.caller, queue, []service.ExtendVisibility{extend})
	if err != nil {
		return nil, err
	}
	return nil, extendFailure(extend, results[0])
}

func (c *call) changeMessageVisibilityBatch(ctx context.Context, in *changeMessageVisibilityBatchInput) (*settleBatchOutput, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	entries, err := checkEntries(changeEntryType, in.Entries, func(e changeMessageVisibilityBatchEntry) *string { return e.Id })
	if err != nil {
		return nil, err
	}
	out := newSettleBatchOutput(len(in.Entries))
	extends := make([]service.ExtendVisibility, 0, len(in.Entries))
	extended := make([]string, 0, len(in.Entries)) // the ids of their entries
	for i, entry := range in.Entries {
		if entry.ReceiptHandle == "" {
			return nil, missingEntry(changeEntryType, i, "ReceiptHandle")
		}
		if err := checkVisibility(entry.VisibilityTimeout); err != nil {
			out.add(ctx, entries[i], err)
			continue
		}
		extends = append(extends, service.ExtendVisibility{Receipt: entry.ReceiptHandle, Timeout: seconds(entry.VisibilityTimeout)})
		extended = append(extended, entries[i])
	}
	if len(extends) == 0 {
		_, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionExtendMessages, queue)
		return out, err
	}
	results, err := c.svc.ExtendMessages(ctx, c.caller, queue, extends)
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		out.add(ctx, extended[i], extendEntryFailure(extends[i], result))
	}
	return out, nil
}

// extendFailure returns what SQS makes of a changed visibility's result.
func extendFailure(extend service.ExtendVisibility, err error) error {
	switch service.ErrorCode(err) {
	case service.CodeReceiptStale, service.CodeReceiptExpired, service.CodeMessageNotFound:
		return invalidValue(extend.Receipt, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
	case service.CodeReceiptInvalid:
		return invalidReceipt(extend.Receipt)
	case service.CodeInvalidParameter:
		return invalidValue(int(extend.Timeout/time.Second), "VisibilityTimeout",
			"Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")
	}
	return err
}

// extendEntryFailure is extendFailure for an entry of a batch, where SQS has another code
// and text for messages that are gone. Go Cloud's driver relies on the code.
func extendEntryFailure(extend service.ExtendVisibility, err error) error {
	switch service.ErrorCode(err) {
	case service.CodeReceiptStale, service.CodeReceiptExpired, service.CodeMessageNotFound:
		return errorf(receiptHandleIsInvalid, "Message does not exist or is not available for visibility timeout change")
	}
	return extendFailure(extend, err)
}

func invalidReceipt(receipt string) error {
	return errorf(receiptHandleIsInvalid, `The input receipt handle "%s" is not a valid receipt handle.`, shown(receipt))
}

// checkVisibility checks a visibility timeout in seconds.
func checkVisibility(timeout int) error {
	if timeout < 0 || timeout > int(service.MaxVisibility/time.Second) {
		return invalidValue(timeout, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided.")
	}
	return nil
}

// newSettleBatchOutput returns an output with room for a batch's entries, nearly all of
// which succeed.
func newSettleBatchOutput(entries int) *settleBatchOutput {
	return &settleBatchOutput{Successful: make([]doneEntry, 0, entries)}
}

// add tells how an entry has ended.
func (o *settleBatchOutput) add(ctx context.Context, id string, err error) {
	if err == nil {
		o.Successful = append(o.Successful, doneEntry{id})
		return
	}
	o.Failed = append(o.Failed, failed(id, asError(ctx, err)))
}
