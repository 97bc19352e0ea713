package clients

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// newFIFO makes a FIFO queue the client's queue.
func newFIFO(t *testing.T, attributes map[string]string) *awsGo {
	t.Helper()
	c := newAWSGo(t)
	all := map[string]string{"FifoQueue": "true"}
	for name, value := range attributes {
		all[name] = value
	}
	c.queue = c.create("jobs.fifo", all)
	return c
}

// sendTo sends to a group with a deduplication id, or none.
func (c *awsGo) sendTo(group, body, deduplicationID string) *sqs.SendMessageOutput {
	c.t.Helper()
	in := &sqs.SendMessageInput{QueueUrl: &c.queue, MessageBody: &body, MessageGroupId: &group}
	if deduplicationID != "" {
		in.MessageDeduplicationId = &deduplicationID
	}
	out, err := c.SendMessage(c.ctx, in)
	c.must(err)
	return out
}

func bodies(messages []types.Message) string {
	var all []string
	for _, message := range messages {
		all = append(all, *message.Body)
	}
	return strings.Join(all, " ")
}

func (c *awsGo) deleteAll(messages []types.Message) {
	c.t.Helper()
	for _, message := range messages {
		_, err := c.DeleteMessage(c.ctx, &sqs.DeleteMessageInput{QueueUrl: &c.queue, ReceiptHandle: message.ReceiptHandle})
		c.must(err)
	}
}

func TestAWSGoFIFOGroups(t *testing.T) {
	c := newFIFO(t, nil)
	first := c.sendTo("g1", "g1-m1", "1")
	c.sendTo("g2", "g2-m1", "2")
	second := c.sendTo("g1", "g1-m2", "3")
	if a, b := *first.SequenceNumber, *second.SequenceNumber; len(a) != 20 || len(b) != 20 || a >= b {
		t.Errorf("sequence numbers %s, %s", a, b)
	}
	batch := c.receive()
	if got := bodies(batch); got != "g1-m1 g1-m2 g2-m1" {
		t.Fatalf("received %s", got)
	}
	want := map[string]string{"MessageGroupId": "g1", "MessageDeduplicationId": "1", "SequenceNumber": *first.SequenceNumber}
	for name, value := range want {
		if got := batch[0].Attributes[name]; got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	c.sendTo("g1", "g1-m3", "4")
	if blocked := c.receive(); len(blocked) != 0 {
		t.Errorf("received %s of a blocked group", bodies(blocked))
	}
	c.deleteAll(batch[:1])
	if blocked := c.receive(); len(blocked) != 0 {
		t.Errorf("received %s of a group with one message in flight", bodies(blocked))
	}
	c.deleteAll(batch[1:])
	if got := bodies(c.receive()); got != "g1-m3" {
		t.Errorf("then received %q", got)
	}
}

func TestAWSGoFIFODeduplication(t *testing.T) {
	c := newFIFO(t, nil)
	first := c.sendTo("g", "one", "id")
	again := c.sendTo("other", "two", "id")
	if *again.MessageId != *first.MessageId {
		t.Errorf("the repeated send made %s, not %s", *again.MessageId, *first.MessageId)
	}
	c.deleteAll(c.receive())
	c.sendTo("g", "three", "id")
	if left := c.receive(); len(left) != 0 {
		t.Errorf("after the delete the id was forgotten: received %s", bodies(left))
	}
	_, err := c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &c.queue, MessageBody: aws.String("x"), MessageGroupId: aws.String("g")})
	checkCode(t, err, "InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	_, err = c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &c.queue, MessageBody: aws.String("x"), MessageDeduplicationId: aws.String("d")})
	checkCode(t, err, "MissingParameter", "The request must contain the parameter MessageGroupId.")
}

func TestAWSGoFIFOContentDeduplication(t *testing.T) {
	c := newFIFO(t, map[string]string{
		"ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
	})
	c.sendTo("g1", "same", "")
	c.sendTo("g1", "same", "")
	c.sendTo("g2", "same", "")
	got := c.receive()
	if bodies(got) != "same same" {
		t.Fatalf("received %q", bodies(got))
	}
	// The SHA-256 of "same".
	const digest = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"
	if id := got[0].Attributes["MessageDeduplicationId"]; id != digest {
		t.Errorf("its deduplication id is %s", id)
	}
}

func TestAWSGoFIFOAttempts(t *testing.T) {
	c := newFIFO(t, nil)
	c.sendTo("g", "one", "1")
	c.sendTo("g", "two", "2")
	attempt := func() []string {
		out, err := c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: &c.queue, MaxNumberOfMessages: 10, ReceiveRequestAttemptId: aws.String("try")})
		c.must(err)
		var handles []string
		for _, message := range out.Messages {
			handles = append(handles, *message.ReceiptHandle)
		}
		return handles
	}
	first, second := attempt(), attempt()
	if len(first) != 2 || !slices.Equal(first, second) {
		t.Errorf("the same attempt got %v, then %v", first, second)
	}
}
