package sqs

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"tusq/service"
)

const sendEntryType = "SendMessageBatchRequestEntry"

// errNoDeduplication is the answer to messages of a FIFO queue whose repetition could not
// be told.
var errNoDeduplication = &apiError{
	kind:    invalidParameterValue,
	message: "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
}

// invocationID returns the name that an SDK gives to a call and to its retries; "" where it
// gives none, or one that is none of an SDK's.
func invocationID(r *http.Request) string {
	if id := r.Header.Get("Amz-Sdk-Invocation-Id"); len(id) <= service.MaxCallKey {
		return id
	}
	return ""
}

// send sends messages once, however often the SDK tries.
func (c *call) send(ctx context.Context, queue string, messages []service.SendMessage) ([]service.Sent, error) {
	return c.svc.SendMessages(ctx, c.caller, queue, service.SendMessages{
		Messages: messages,
		Key:      service.CallKey{ID: c.invocation},
	})
}

func (c *call) sendMessage(ctx context.Context, in *sendMessageInput) (*sent, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if in.MessageBody == "" {
		return nil, missing("MessageBody")
	}
	if service.IsFIFO(queue) && in.MessageGroupId == nil {
		return nil, c.unlessGone(ctx, queue, missing("MessageGroupId"))
	}
	parsed, refused := c.parseMessage(in.outgoing, service.IsFIFO(queue))
	if refused != nil {
		return nil, refused
	}
	results, err := c.send(ctx, queue, []service.SendMessage{parsed})
	if err != nil {
		return nil, err
	}
	if err := results[0].Err; err != nil {
		return nil, c.sendFailure(ctx, queue, "One or more parameters are invalid.", contentsFailure(parsed, err))
	}
	answer := sentAnswer(results[0], in.outgoing, parsed)
	return &answer, nil
}

func (c *call) sendMessageBatch(ctx context.Context, in *sendMessageBatchInput) (*sendMessageBatchOutput, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := c.checkSendBatch(ctx, queue, in.Entries); err != nil {
		return nil, err
	}
	out := new(sendMessageBatchOutput)
	messages := make([]service.SendMessage, 0, len(in.Entries))
	entries := make([]*sendMessageBatchEntry, 0, len(in.Entries)) // of the messages
	for i := range in.Entries {
		entry := &in.Entries[i]
		message, refused := c.parseMessage(entry.outgoing, service.IsFIFO(queue))
		if refused != nil {
			out.Failed = append(out.Failed, failed(*entry.Id, refused))
			continue
		}
		messages, entries = append(messages, message), append(entries, entry)
	}
	if len(messages) == 0 {
		_, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionSendMessages, queue)
		return out, err
	}
	results, err := c.send(ctx, queue, messages)
	if err != nil {
		return nil, err
	}
	out.Successful = make([]sentEntry, 0, len(results))
	for i, result := range results {
		if result.Err == nil {
			out.Successful = append(out.Successful, sentEntry{*entries[i].Id, sentAnswer(result, entries[i].outgoing, messages[i])})
			continue
		}
		failure := c.sendFailure(ctx, queue, "One or more parameters cannot be validated.", contentsFailure(messages[i], result.Err))
		if failure == errNoDeduplication {
			return nil, failure // of all: checkSendBatch has seen that no entry has an id
		}
		out.Failed = append(out.Failed, failed(*entries[i].Id, failure))
	}
	return out, nil
}

// checkSendBatch checks what fails a batch as a whole.
func (c *call) checkSendBatch(ctx context.Context, queue string, entries []sendMessageBatchEntry) error {
	_, err := checkEntries(sendEntryType, entries, func(e sendMessageBatchEntry) *string { return e.Id })
	if err != nil {
		return err
	}
	total := 0
	for i, entry := range entries {
		if entry.MessageBody == "" {
			return c.unlessGone(ctx, queue, missingEntry(sendEntryType, i, "MessageBody"))
		}
		total += entry.size()
	}
	if total > maxBatchBytes {
		return errorf(batchRequestTooLong,
			"Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxBatchBytes, total)
	}
	if service.IsFIFO(queue) {
		return c.checkFIFOBatch(ctx, queue, entries)
	}
	return nil
}

// checkFIFOBatch checks that each entry has the ids that a FIFO queue wants. Only a batch
// in which some have a deduplication id and others have none needs a look at the queue:
// where none has one, the send itself tells.
func (c *call) checkFIFOBatch(ctx context.Context, queue string, entries []sendMessageBatchEntry) error {
	without := 0
	for _, entry := range entries {
		if entry.MessageGroupId == nil {
			return c.unlessGone(ctx, queue, errorf(invalidParameterValue, "The request must contain the parameter MessageGroupId."))
		}
		if entry.MessageDeduplicationId == nil {
			without++
		}
	}
	if without == 0 || without == len(entries) {
		return nil
	}
	found, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionSendMessages, queue)
	if err == nil && !found.Settings.ContentDeduplication {
		return errNoDeduplication
	}
	return err
}

// unlessGone returns what a queue refuses, or that it does not exist.
func (c *call) unlessGone(ctx context.Context, queue string, refused *apiError) error {
	if _, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionSendMessages, queue); err != nil {
		return err
	}
	return refused
}

// sendFailure says why a message was not sent. The text begins what is said of one that is
// too long.
func (c *call) sendFailure(ctx context.Context, queue, text string, err error) *apiError {
	switch {
	case service.ErrorCode(err) == service.CodeMessageTooLarge:
		err = c.tooLarge(ctx, queue, text)
	case service.ErrorField(err) == "deduplication_id":
		return errNoDeduplication
	}
	return asError(ctx, err)
}

// contentsFailure returns what SQS makes of a message's characters: those of an attribute
// are a wrong parameter, and only those of the body wrong contents.
func contentsFailure(message service.SendMessage, err error) error {
	if service.ErrorCode(err) != service.CodeInvalidMessage {
		return err
	}
	if service.ErrorField(err) == "attributes" {
		return errorf(invalidParameterValue, "%s", service.ErrorMessage(err))
	}
	at := strings.IndexFunc(message.Body, isIllegal)
	if at < 0 {
		return err
	}
	r, _ := utf8.DecodeRuneInString(message.Body[at:])
	return errorf(invalidMessageContents, "Invalid binary character '#x%X' was found in the message body, the set of allowed characters is "+
		"#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].", r)
}

// isIllegal tells whether a message cannot hold a character.
func isIllegal(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// tooLarge says how long a message may be, which the queue decides.
func (c *call) tooLarge(ctx context.Context, queue, text string) error {
	found, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionSendMessages, queue)
	if err != nil {
		return err
	}
	return errorf(invalidParameterValue, "%s Reason: Message must be shorter than %d bytes.", text, found.Settings.MaxMessageSize)
}

// sentAnswer tells the sender what was stored, for it to compare. A trace header
// that came with the request, and not with the message, has no checksum.
func sentAnswer(result service.Sent, o outgoing, message service.SendMessage) sent {
	answer := sent{
		MessageId:              result.ID,
		MD5OfMessageBody:       bodyMD5(message.Body),
		MD5OfMessageAttributes: attributesMD5(message.Attributes),
	}
	if len(o.MessageSystemAttributes) > 0 {
		answer.MD5OfMessageSystemAttributes = attributesMD5(map[string]service.Attribute{
			attributeTrace: {Type: "String", Value: message.TraceHeader},
		})
	}
	if result.Sequence != 0 {
		answer.SequenceNumber = sequenceNumber(result.Sequence)
	}
	return answer
}
