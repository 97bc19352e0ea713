package sqs

import (
	"strings"
	"time"

	"tusq/service"
)

// maxToken bounds group, deduplication and attempt ids, in bytes.
const maxToken = 128

// size counts a message as SQS does: body, and names, types and values of attributes.
func (o outgoing) size() int {
	size := len(o.MessageBody)
	for name, value := range o.MessageAttributes {
		size += len(name) + len(value.DataType) + len(value.BinaryValue)
		if value.StringValue != nil {
			size += len(*value.StringValue)
		}
	}
	return size
}

// parseMessage returns a message as the service takes it, or why SQS refuses it.
func (c *call) parseMessage(o outgoing, fifo bool) (service.SendMessage, *apiError) {
	message := service.SendMessage{Body: o.MessageBody}
	var err *apiError
	if message.Delay, err = parseDelay(o.DelaySeconds, fifo); err != nil {
		return message, err
	}
	if err := o.parseIDs(&message, fifo); err != nil {
		return message, err
	}
	if message.Attributes, err = parseAttributes(o.MessageAttributes); err != nil {
		return message, err
	}
	message.TraceHeader, err = parseSystemAttributes(o.MessageSystemAttributes)
	if err == nil && message.TraceHeader == "" {
		message.TraceHeader = c.trace
	}
	return message, err
}

// parseDelay checks a message's own delay. In a FIFO queue only the queue has one, and 0
// is the same as none.
func parseDelay(delay *int, fifo bool) (*time.Duration, *apiError) {
	switch {
	case delay == nil:
		return nil, nil
	case *delay < 0 || *delay > int(service.MaxDelay/time.Second):
		return nil, invalidValue(*delay, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
	case fifo && *delay > 0:
		return nil, invalidValue(*delay, "DelaySeconds", "The request include parameter that is not valid for this queue type.")
	}
	return new(seconds(*delay)), nil
}

// parseIDs reads the ids that a sender may give. A standard queue takes a group's, but
// no deduplication id.
func (o outgoing) parseIDs(message *service.SendMessage, fifo bool) *apiError {
	if o.MessageGroupId != nil {
		if err := checkToken("MessageGroupId", *o.MessageGroupId); err != nil {
			return err
		}
		message.GroupID = *o.MessageGroupId
	}
	if o.MessageDeduplicationId == nil {
		return nil
	}
	id := *o.MessageDeduplicationId
	if err := checkToken("MessageDeduplicationId", id); err != nil {
		return err
	}
	if !fifo {
		return invalidValue(id, "MessageDeduplicationId", "The request includes a parameter that is not valid for this queue type.")
	}
	message.DeduplicationID = id
	return nil
}

// checkToken checks a group, deduplication or attempt id: printable ASCII without the space.
func checkToken(parameter, value string) *apiError {
	illegal := func(c rune) bool { return c <= ' ' || c > '~' }
	if value != "" && len(value) <= maxToken && strings.IndexFunc(value, illegal) < 0 {
		return nil
	}
	return invalidValue(value, parameter, parameter+" can only include alphanumeric and punctuation characters. 1 to 128 in length.")
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
