package lifecycle

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

// protocol is one of SQS's two.
type protocol interface {
	// call carries out an action, whose key names the invocation, and fills in out.
	call(action, key string, in members, out any) error
}

// members are an action's or an entry's input: values are string, int, map[string]string,
// []string, []members, and map[string]attribute. What is absent is left out.
type members map[string]any

// attribute is a message attribute as SQS has it.
type attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// sqs speaks SQS in either protocol.
type sqs struct {
	protocol
	name string
	base string // URL of the server
}

func (s sqs) Name() string { return s.name }
func (sqs) Lenient() bool  { return true }

func (s sqs) url(queue string) string { return s.base + "/" + testservice.Account + "/" + queue }

const arnStart = "arn:aws:sqs:" + testserver.Region + ":" + testservice.Account + ":"

// on is call for actions on a queue.
func (s sqs) on(queue, action string, in members, out any) error {
	in["QueueUrl"] = s.url(queue)
	return s.call(action, "", in, out)
}

func (s sqs) Send(queue, key string, messages ...service.SendMessage) []service.Sent {
	if len(messages) == 1 {
		in := outgoing(messages[0])
		in["QueueUrl"] = s.url(queue)
		var answer sentEntry
		if err := s.call("SendMessage", key, in, &answer); err != nil {
			return unsent(err, 1)
		}
		return []service.Sent{answer.sent(messages[0])}
	}
	entries := make([]members, len(messages))
	for i, m := range messages {
		entries[i] = outgoing(m)
		entries[i]["Id"] = strconv.Itoa(i)
	}
	var answers batchAnswer
	err := s.call("SendMessageBatch", key, members{"QueueUrl": s.url(queue), "Entries": entries}, &answers)
	if err != nil {
		return unsent(err, len(messages))
	}
	sent := unsent(errUnanswered, len(messages))
	for _, answer := range answers.Successful {
		place, _ := strconv.Atoi(answer.ID)
		sent[place] = answer.sent(messages[place])
	}
	for _, answer := range answers.Failed {
		place, _ := strconv.Atoi(answer.ID)
		sent[place].Err = wireError(answer.Code, answer.Message)
	}
	return sent
}

var errUnanswered = fmt.Errorf("the entry was not answered")

func outgoing(m service.SendMessage) members {
	in := members{"MessageBody": m.Body}
	if m.Delay != nil {
		in["DelaySeconds"] = *seconds(m.Delay)
	}
	if m.GroupID != "" {
		in["MessageGroupId"] = m.GroupID
	}
	if m.DeduplicationID != "" {
		in["MessageDeduplicationId"] = m.DeduplicationID
	}
	if len(m.Attributes) > 0 {
		attributes := map[string]attribute{}
		for name, a := range m.Attributes {
			attributes[name] = attribute{DataType: a.Type, StringValue: a.Value, BinaryValue: a.Binary}
		}
		in["MessageAttributes"] = attributes
	}
	return in
}

// sent checks an answer against its message.
func (e sentEntry) sent(m service.SendMessage) service.Sent {
	if e.MD5OfMessageBody != md5Hex(m.Body) {
		return service.Sent{Err: fmt.Errorf("the body's MD5 is %s, want %s", e.MD5OfMessageBody, md5Hex(m.Body))}
	}
	sequence, _ := strconv.ParseInt(e.SequenceNumber, 10, 64)
	return service.Sent{ID: e.MessageID, Sequence: sequence}
}

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s sqs) Receive(queue string, receive service.ReceiveMessages) ([]service.Message, error) {
	in := members{
		"MaxNumberOfMessages":         receive.Max,
		"MessageSystemAttributeNames": []string{"All"},
		"MessageAttributeNames":       []string{"All"},
	}
	if receive.Wait != nil {
		in["WaitTimeSeconds"] = *seconds(receive.Wait)
	}
	if receive.Visibility != nil {
		in["VisibilityTimeout"] = *seconds(receive.Visibility)
	}
	if receive.AttemptID != "" {
		in["ReceiveRequestAttemptId"] = receive.AttemptID
	}
	var answer struct {
		Messages []incoming `xml:"Message"`
	}
	if err := s.on(queue, "ReceiveMessage", in, &answer); err != nil {
		return nil, err
	}
	messages := make([]service.Message, len(answer.Messages))
	for i, m := range answer.Messages {
		var err error
		if messages[i], err = m.message(); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

func (m incoming) message() (service.Message, error) {
	if m.MD5OfBody != md5Hex(m.Body) {
		return service.Message{}, fmt.Errorf("the body's MD5 is %s, want %s", m.MD5OfBody, md5Hex(m.Body))
	}
	got := service.Message{
		ID: m.MessageID, Receipt: m.ReceiptHandle, Body: m.Body,
		GroupID:          m.Attributes["MessageGroupId"],
		DeduplicationID:  m.Attributes["MessageDeduplicationId"],
		TraceHeader:      m.Attributes["AWSTraceHeader"],
		DeadLetterSource: strings.TrimPrefix(m.Attributes["DeadLetterQueueSourceArn"], arnStart),
		SentAt:           unixMillis(m.Attributes["SentTimestamp"]),
		FirstReceivedAt:  unixMillis(m.Attributes["ApproximateFirstReceiveTimestamp"]),
		Attributes:       m.MessageAttributes,
	}
	got.ReceiveCount, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	got.Sequence, _ = strconv.ParseInt(m.Attributes["SequenceNumber"], 10, 64)
	return got, nil
}

func unixMillis(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (s sqs) Delete(queue string, receipts ...string) []error {
	return s.settle(queue, "DeleteMessage", members{}, receipts)
}

func (s sqs) Extend(queue string, timeout time.Duration, receipts ...string) []error {
	return s.settle(queue, "ChangeMessageVisibility", members{"VisibilityTimeout": *seconds(&timeout)}, receipts)
}

// settle makes an action of one receipt, or its batch of several; all entries have more.
func (s sqs) settle(queue, action string, more members, receipts []string) []error {
	if len(receipts) == 1 {
		more["ReceiptHandle"] = receipts[0]
		return []error{s.on(queue, action, more, nil)}
	}
	entries := make([]members, len(receipts))
	for i, receipt := range receipts {
		entries[i] = members{"Id": strconv.Itoa(i), "ReceiptHandle": receipt}
		for name, value := range more {
			entries[i][name] = value
		}
	}
	var answers batchAnswer
	if err := s.on(queue, action+"Batch", members{"Entries": entries}, &answers); err != nil {
		return repeated(err, len(receipts))
	}
	errs := repeated(errUnanswered, len(receipts))
	for _, answer := range answers.Successful {
		place, _ := strconv.Atoi(answer.ID)
		errs[place] = nil
	}
	for _, answer := range answers.Failed {
		place, _ := strconv.Atoi(answer.ID)
		errs[place] = wireError(answer.Code, answer.Message)
	}
	return errs
}
