package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tusq/test/fault/history"
)

// sqs is SQS's JSON protocol. A queue's name stands for its URL.
type sqs struct{}

func (sqs) name() string { return "sqs" }

func sqsRequest(action string, single bool, body []byte) request {
	if !single {
		action += "Batch"
	}
	return request{
		method: http.MethodPost, path: "/", body: body, single: single,
		header: []string{
			"Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "AmazonSQS." + action,
			"Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
		},
	}
}

// begin appends the start of every input.
func begin(b []byte, queue string) []byte { return appendText(append(b, `{"QueueUrl":`...), queue) }

// appendEntries appends a batch's entries, which are named by their numbers, and the end of the input.
func appendEntries(b []byte, n int, entry func(b []byte, i int) []byte) []byte {
	b = appendEach(append(b, `,"Entries":`...), n, func(b []byte, i int) []byte {
		b = append(strconv.AppendInt(append(b, `{"Id":"`...), int64(i), 10), '"')
		return append(entry(b, i), '}')
	})
	return append(b, '}')
}

func (sqs) send(queue string, messages []outgoing, key string) request {
	b := begin(make([]byte, 0, 1024*len(messages)), queue)
	single := len(messages) == 1 && len(messages[0].body)%2 == 0 // else a batch of one
	if single {
		b = append(appendSQS(b, messages[0]), '}')
	} else {
		b = appendEntries(b, len(messages), func(b []byte, i int) []byte { return appendSQS(b, messages[i]) })
	}
	r := sqsRequest("SendMessage", single, b)
	if key != "" {
		r.header = append(r.header, "amz-sdk-invocation-id", key)
	}
	return r
}

func appendSQS(b []byte, m outgoing) []byte {
	b = appendMember(b, "MessageBody", m.body)
	if m.delay > 0 {
		b = strconv.AppendInt(append(b, `,"DelaySeconds":`...), int64(m.delay), 10)
	}
	if m.group != "" {
		b = appendMember(appendMember(b, "MessageGroupId", m.group), "MessageDeduplicationId", m.uid)
	}
	for i, a := range m.attributes {
		b = append(b, [...]string{`,"MessageAttributes":{`, `,`}[min(i, 1)]...)
		b = appendText(append(appendText(b, a.name), `:{"DataType":`...), a.kind)
		member := "StringValue"
		if a.binary() {
			member = "BinaryValue"
		}
		b = append(appendMember(b, member, a.value), '}')
	}
	if len(m.attributes) > 0 {
		b = append(b, '}')
	}
	return b
}

// sqsEntry is the answer to one message of a batch, or to a single one.
type sqsEntry struct {
	ID                     string `json:"Id"`
	MessageID              string `json:"MessageId"`
	MD5OfMessageBody       string
	MD5OfMessageAttributes string
	SequenceNumber         string
	SenderFault            bool
	Code                   string
}

// sqsBatch is the answer to a batch.
type sqsBatch struct{ Successful, Failed []sqsEntry }

// results finds the result of each of n entries. Each must be answered once.
func (b sqsBatch) results(n int) ([]result, []sqsEntry, error) {
	results, entries := same(n, history.Unknown, errUnanswered), make([]sqsEntry, n)
	note := func(entry sqsEntry, r result) error {
		i, err := strconv.Atoi(entry.ID)
		if err != nil || i < 0 || i >= n {
			return fmt.Errorf("an answer to an entry %q that was not sent", entry.ID)
		}
		if results[i].err != errUnanswered {
			r.err = errTwice
		}
		results[i], entries[i] = r, entry
		return nil
	}
	var err error
	for _, e := range b.Successful {
		err = errors.Join(err, note(e, result{outcome: history.OK, id: e.MessageID, sequence: e.SequenceNumber}))
	}
	for _, e := range b.Failed {
		outcome := history.Fail
		if !e.SenderFault {
			outcome = history.Unknown
		}
		err = errors.Join(err, note(e, result{outcome: outcome, err: e.Code}))
	}
	return results, entries, err
}

func (sqs) sent(r request, body []byte, messages []outgoing) ([]result, error) {
	var answer struct {
		sqsBatch
		sqsEntry
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if r.single {
		answer.ID = "0"
		answer.Successful = []sqsEntry{answer.sqsEntry}
	}
	results, entries, err := answer.results(len(messages))
	for i, m := range messages {
		if results[i].outcome != history.OK || results[i].err != "" {
			continue
		}
		if entries[i].MD5OfMessageBody != bodyMD5(m.body) || entries[i].MD5OfMessageAttributes != attributesMD5(m.attributes) {
			results[i].err = errMD5
		}
	}
	return results, err
}

func (sqs) receive(queue string, ask receive) request {
	b := fmt.Appendf(begin(nil, queue), `,"MaxNumberOfMessages":%d,"WaitTimeSeconds":%d,"VisibilityTimeout":%d,`+
		`"MessageSystemAttributeNames":["All"],"MessageAttributeNames":["All"]}`, ask.most, ask.wait, ask.visibility)
	r := sqsRequest("ReceiveMessage", true, b)
	r.wait = time.Duration(ask.wait) * time.Second
	return r
}

// sqsMessage is a received message.
type sqsMessage struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	MD5OfBody              string
	Body                   string
	Attributes             map[string]string
	MD5OfMessageAttributes string
	MessageAttributes      map[string]struct{ DataType, StringValue, BinaryValue string }
}

func (m sqsMessage) received() (received, error) {
	var attributes []attribute
	for name, a := range m.MessageAttributes {
		attributes = append(attributes, attribute{name, a.DataType, a.StringValue + a.BinaryValue})
	}
	sortAttributes(attributes)
	count, err := strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	got := newReceived(history.Message{
		ID: m.MessageID, Group: m.Attributes["MessageGroupId"], Deduplication: m.Attributes["MessageDeduplicationId"],
		Sequence: m.Attributes["SequenceNumber"], Receives: count,
	}, m.ReceiptHandle, m.Body, attributes)
	if got.Error == "" && (m.MD5OfBody != bodyMD5(m.Body) || m.MD5OfMessageAttributes != attributesMD5(attributes)) {
		got.Error = errMD5
	}
	return got, err
}

func (sqs) received(body []byte) ([]received, error) {
	var answer struct{ Messages []sqsMessage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	messages := make([]received, len(answer.Messages))
	for i, m := range answer.Messages {
		var err error
		if messages[i], err = m.received(); err != nil {
			return nil, err
		}
	}
	return messages, nil
}

func (sqs) remove(queue string, receipts []string) request {
	b := begin(make([]byte, 0, 160*len(receipts)), queue)
	if len(receipts) == 1 {
		return sqsRequest("DeleteMessage", true, append(appendMember(b, "ReceiptHandle", receipts[0]), '}'))
	}
	return sqsRequest("DeleteMessage", false, appendEntries(b, len(receipts), func(b []byte, i int) []byte {
		return appendMember(b, "ReceiptHandle", receipts[i])
	}))
}

func (sqs) extend(queue string, receipts []string, timeout int) request {
	b := begin(make([]byte, 0, 192*len(receipts)), queue)
	visibility := func(b []byte, i int) []byte {
		b = appendMember(b, "ReceiptHandle", receipts[i])
		return strconv.AppendInt(append(b, `,"VisibilityTimeout":`...), int64(timeout), 10)
	}
	if len(receipts) == 1 {
		return sqsRequest("ChangeMessageVisibility", true, append(visibility(b, 0), '}'))
	}
	return sqsRequest("ChangeMessageVisibility", false, appendEntries(b, len(receipts), visibility))
}

func (sqs) settled(r request, body []byte, n int) ([]result, error) {
	if r.single {
		return same(1, history.OK, ""), nil
	}
	var answer sqsBatch
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	results, _, err := answer.results(n)
	return results, err
}

func (sqs) purge(queue string) request {
	return sqsRequest("PurgeQueue", true, append(begin(nil, queue), '}'))
}

func (sqs) code(body []byte) string {
	var fault struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(body, &fault) // a load balancer's errors are no JSON
	return fault.Type[strings.LastIndexByte(fault.Type, '#')+1:]
}
