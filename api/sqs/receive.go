package sqs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"tusq/service"
)

const (
	maxReceive     = 10               // messages of one receive
	maxWait        = 20 * time.Second // of one receive
	strictInFlight = 120_000          // messages in flight in a standard queue, as Amazon limits them
)

func (c *call) receiveMessage(ctx context.Context, in *receiveMessageInput) (*receiveMessageOutput, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	receive, err := parseReceive(in)
	if err != nil {
		return nil, err
	}
	if c.strict {
		receive.MaxInFlight = strictInFlight
	}
	received, err := c.svc.ReceiveMessages(ctx, c.caller, queue, receive)
	if err != nil && service.ErrorCode(err) == service.CodeAttemptVoid {
		return nil, invalidValue(receive.AttemptID, "ReceiveRequestAttemptId",
			"The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.")
	}
	if err != nil {
		return nil, err
	}
	if len(received) == 0 {
		return new(receiveMessageOutput), nil
	}
	out := &receiveMessageOutput{Messages: make([]message, len(received))}
	c.claimed = &claimed{queue: queue, messages: received}
	wanted := slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames)
	for i, m := range received {
		out.Messages[i] = c.receivedMessage(m, wanted, in.MessageAttributeNames)
	}
	return out, nil
}

// parseReceive checks SQS's limits, which are tighter than the service's. A standard
// queue takes no notice of an attempt id: its receives have no order to keep.
func parseReceive(in *receiveMessageInput) (service.ReceiveMessages, error) {
	receive := service.ReceiveMessages{Max: 1}
	if n := in.MaxNumberOfMessages; n != nil {
		if *n < 1 || *n > maxReceive {
			return receive, invalidValue(*n, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
		}
		receive.Max = *n
	}
	if n := in.WaitTimeSeconds; n != nil {
		if *n < 0 || *n > int(maxWait/time.Second) {
			return receive, invalidValue(*n, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
		}
		receive.Wait = new(seconds(*n))
	}
	if n := in.VisibilityTimeout; n != nil {
		if err := checkVisibility(*n); err != nil {
			return receive, err
		}
		receive.Visibility = new(seconds(*n))
	}
	if id := in.ReceiveRequestAttemptId; id != nil {
		if err := checkToken("ReceiveRequestAttemptId", *id); err != nil {
			return receive, err
		}
		receive.AttemptID = *id
	}
	return receive, nil
}

// receivedMessage returns a message with those attributes that the receiver
// wants. The attributes' checksum is that of the returned ones.
func (c *call) receivedMessage(m service.Message, wantedSystem, wanted []string) message {
	received := message{
		MessageId:     m.ID,
		ReceiptHandle: m.Receipt,
		MD5OfBody:     bodyMD5(m.Body),
		Body:          m.Body,
	}
	if len(wantedSystem) > 0 {
		received.Attributes = c.systemAttributes(m, wantedSystem)
	}
	if len(wanted) > 0 && len(m.Attributes) > 0 {
		attributes := filterAttributes(m.Attributes, wanted)
		received.MD5OfMessageAttributes = attributesMD5(attributes)
		received.MessageAttributes = attributeValues(attributes)
	}
	return received
}

// systemAttributeNames are the system attributes that a message can have.
var systemAttributeNames = []string{
	"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
	"MessageGroupId", "MessageDeduplicationId", "SequenceNumber", attributeTrace, "DeadLetterQueueSourceArn",
}

// systemAttributes returns the wanted ones of a message's system attributes.
// Names that it does not have are passed over, as SQS does.
func (c *call) systemAttributes(m service.Message, wanted []string) map[string]string {
	if slices.Contains(wanted, attributeAll) {
		wanted = systemAttributeNames
	}
	attributes := make(map[string]string, len(wanted))
	for _, name := range wanted {
		if value := c.systemAttribute(m, name); value != "" {
			attributes[name] = value
		}
	}
	return attributes
}

// systemAttribute returns the value of a message's system attribute, or "" if it has none.
func (c *call) systemAttribute(m service.Message, name string) string {
	switch name {
	case "SenderId":
		return c.caller.Account
	case "SentTimestamp":
		return milliseconds(m.SentAt)
	case "ApproximateReceiveCount":
		return strconv.Itoa(m.ReceiveCount)
	case "ApproximateFirstReceiveTimestamp":
		return milliseconds(m.FirstReceivedAt)
	case "MessageGroupId":
		return m.GroupID
	case "MessageDeduplicationId":
		return m.DeduplicationID
	case attributeTrace:
		return m.TraceHeader
	case "SequenceNumber":
		if m.Sequence != 0 {
			return sequenceNumber(m.Sequence)
		}
	case "DeadLetterQueueSourceArn":
		if m.DeadLetterSource != "" {
			return c.queueARN(m.DeadLetterSource)
		}
	}
	return ""
}

// sequenceNumber returns a number in Amazon's form, of which clients compare the texts.
func sequenceNumber(n int64) string { return fmt.Sprintf("%020d", n) }

func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
