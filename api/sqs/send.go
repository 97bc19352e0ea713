package sqs

import (
	"context"
	"regexp"
	"time"

	"tusq/service"
)

const sendEntryType = "SendMessageBatchRequestEntry"

// messageToken is what group and deduplication ids are made of.
var messageToken = regexp.MustCompile("^[A-Za-z0-9!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]{1,128}$")

func (c *call) sendMessage(ctx context.Context, in *sendMessageInput) (*sent, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.MessageBody == "" {
		return nil, missing("MessageBody")
	}
	parsed, refused := c.parseMessage(in.outgoing)
	if refused != nil {
		return nil, refused
	}
	results, err := c.svc.SendMessages(ctx, c.caller, queue, service.SendMessages{Messages: []service.SendMessage{parsed}})
	if err == nil {
		err = results[0].Err
	}
	if service.ErrorCode(err) == service.CodeMessageTooLarge {
		return nil, c.tooLarge(ctx, queue, "One or more parameters are invalid.")
	}
	if err != nil {
		return nil, err
	}
	answer := sentAnswer(results[0].ID, in.outgoing, parsed)
	return &answer, nil
}

func (c *call) sendMessageBatch(ctx context.Context, in *sendMessageBatchInput) (*sendMessageBatchOutput, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkSendBatch(in.Entries); err != nil {
		return nil, err
	}
	out := new(sendMessageBatchOutput)
	var messages []service.SendMessage
	var entries []sendMessageBatchEntry // of the messages
	for _, entry := range in.Entries {
		message, refused := c.parseMessage(entry.outgoing)
		if refused != nil {
			out.Failed = append(out.Failed, failed(entry.Id, refused))
			continue
		}
		messages, entries = append(messages, message), append(entries, entry)
	}
	if len(messages) == 0 {
		_, err := c.svc.GetQueue(ctx, c.caller, queue)
		return out, err
	}
	results, err := c.svc.SendMessages(ctx, c.caller, queue, service.SendMessages{Messages: messages})
	if err != nil {
		return nil, err
	}
	for i, result := range results {
		if result.Err == nil {
			out.Successful = append(out.Successful, sentEntry{entries[i].Id, sentAnswer(result.ID, entries[i].outgoing, messages[i])})
			continue
		}
		out.Failed = append(out.Failed, failed(entries[i].Id, c.sendFailure(ctx, queue, result.Err)))
	}
	return out, nil
}

// checkSendBatch checks what fails a batch as a whole.
func checkSendBatch(entries []sendMessageBatchEntry) error {
	err := checkEntries(sendEntryType, ids(entries, func(e sendMessageBatchEntry) string { return e.Id }))
	if err != nil {
		return err
	}
	total := 0
	for i, entry := range entries {
		if entry.MessageBody == "" {
			return missingEntry(sendEntryType, i, "MessageBody")
		}
		total += entry.size()
	}
	if total > maxBatchBytes {
		return errorf(batchRequestTooLong,
			"Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBatchBytes, total)
	}
	return nil
}

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
func (c *call) parseMessage(o outgoing) (service.SendMessage, *apiError) {
	message := service.SendMessage{Body: o.MessageBody}
	if o.DelaySeconds != nil {
		if *o.DelaySeconds < 0 || *o.DelaySeconds > int(service.MaxDelay/time.Second) {
			return message, invalidValue(*o.DelaySeconds, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
		}
		message.Delay = new(seconds(*o.DelaySeconds))
	}
	if o.MessageGroupId != nil {
		if err := checkToken("MessageGroupId", *o.MessageGroupId); err != nil {
			return message, err
		}
		message.GroupID = *o.MessageGroupId
	}
	if o.MessageDeduplicationId != nil {
		return message, refuseDeduplication(*o.MessageDeduplicationId)
	}
	var err *apiError
	if message.Attributes, err = parseAttributes(o.MessageAttributes); err != nil {
		return message, err
	}
	message.TraceHeader, err = parseSystemAttributes(o.MessageSystemAttributes)
	if err == nil && message.TraceHeader == "" {
		message.TraceHeader = c.trace
	}
	return message, err
}

// refuseDeduplication says what is wrong with a deduplication id: at least that
// a standard queue takes none.
func refuseDeduplication(id string) *apiError {
	if err := checkToken("MessageDeduplicationId", id); err != nil {
		return err
	}
	return invalidValue(id, "MessageDeduplicationId", "The request includes a parameter that is not valid for this queue type.")
}

func checkToken(parameter, value string) *apiError {
	if messageToken.MatchString(value) {
		return nil
	}
	return invalidValue(value, parameter, parameter+" can only include alphanumeric and punctuation characters. 1 to 128 in length.")
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// sendFailure says why one message of a batch was not sent.
func (c *call) sendFailure(ctx context.Context, queue string, err error) *apiError {
	if service.ErrorCode(err) == service.CodeMessageTooLarge {
		err = c.tooLarge(ctx, queue, "One or more parameters cannot be validated.")
	}
	return asError(ctx, err)
}

// tooLarge says how long a message may be, which the queue decides.
func (c *call) tooLarge(ctx context.Context, queue, text string) error {
	found, err := c.svc.GetQueue(ctx, c.caller, queue)
	if err != nil {
		return err
	}
	return errorf(invalidParameterValue, "%s Reason: Message must be shorter than %d bytes.", text, found.Settings.MaxMessageSize)
}

// sentAnswer tells the sender what was stored, for it to compare. A trace header
// that came with the request, and not with the message, has no checksum.
func sentAnswer(id string, o outgoing, message service.SendMessage) sent {
	answer := sent{
		MessageId:              id,
		MD5OfMessageBody:       bodyMD5(message.Body),
		MD5OfMessageAttributes: attributesMD5(message.Attributes),
	}
	if len(o.MessageSystemAttributes) > 0 {
		answer.MD5OfMessageSystemAttributes = attributesMD5(map[string]service.Attribute{
			attributeTrace: {Type: "String", Value: message.TraceHeader},
		})
	}
	return answer
}
