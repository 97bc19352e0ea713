package clients

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"tusq/test/testserver"
)

// awsGo is the AWS SDK for Go, version 2, with a queue.
type awsGo struct {
	*sqs.Client
	t        *testing.T
	ctx      context.Context
	endpoint string
	queue    string // its URL
}

func newAWSGo(t *testing.T) *awsGo {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	server := testserver.NewSecure(t)
	c := &awsGo{Client: newSQSClient(server), t: t, ctx: ctx, endpoint: server.URL}
	c.queue = c.create("jobs", nil)
	return c
}

// newSQSClient returns a client of an administrator's.
func newSQSClient(server *testserver.Secure) *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: &server.URL,
		Region:       "eu-west-3",
		Credentials:  credentials.NewStaticCredentialsProvider(server.Admin.KeyID, server.Admin.Secret.Reveal(), ""),
	}, answered.record)
}

func (c *awsGo) create(name string, attributes map[string]string) (url string) {
	c.t.Helper()
	out, err := c.CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	c.must(err)
	return *out.QueueUrl
}

func (c *awsGo) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *awsGo) send(body string) {
	c.t.Helper()
	_, err := c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &c.queue, MessageBody: &body})
	c.must(err)
}

// receive receives up to ten messages with all their attributes.
func (c *awsGo) receive() []types.Message {
	c.t.Helper()
	return c.receiveFrom(c.queue)
}

func (c *awsGo) receiveFrom(queue string) []types.Message {
	c.t.Helper()
	out, err := c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{
		QueueUrl: &queue, MaxNumberOfMessages: 10,
		MessageAttributeNames:       []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	c.must(err)
	return out.Messages
}

func TestAWSGoQueues(t *testing.T) {
	c := newAWSGo(t)
	if want := c.endpoint + "/000000000000/jobs"; c.queue != want {
		t.Errorf("created %s, want %s", c.queue, want)
	}
	found, err := c.GetQueueUrl(c.ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("jobs")})
	c.must(err)
	if *found.QueueUrl != c.queue {
		t.Errorf("found %s", *found.QueueUrl)
	}
	for i := range 4 {
		c.create(fmt.Sprintf("page-%d", i), nil)
	}
	var urls []string
	pages := sqs.NewListQueuesPaginator(c.Client, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("page-")},
		func(o *sqs.ListQueuesPaginatorOptions) { o.Limit = 3 })
	for pages.HasMorePages() {
		page, err := pages.NextPage(c.ctx)
		c.must(err)
		urls = append(urls, page.QueueUrls...)
	}
	if len(urls) != 4 || !strings.HasSuffix(urls[3], "/page-3") {
		t.Errorf("listed %v", urls)
	}
	c.send("hello")
	_, err = c.PurgeQueue(c.ctx, &sqs.PurgeQueueInput{QueueUrl: &c.queue})
	c.must(err)
	if got := c.receive(); len(got) != 0 {
		t.Errorf("received %d messages after a purge", len(got))
	}
	_, err = c.DeleteQueue(c.ctx, &sqs.DeleteQueueInput{QueueUrl: &c.queue})
	c.must(err)
	_, err = c.GetQueueUrl(c.ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("jobs")})
	if !errors.As(err, new(*types.QueueDoesNotExist)) {
		t.Errorf("after its deletion: %v", err)
	}
}

func TestAWSGoQueueAttributes(t *testing.T) {
	c := newAWSGo(t)
	c.create("dead", nil)
	want := map[string]string{
		"DelaySeconds": "0", "MaximumMessageSize": "262144", "MessageRetentionPeriod": "345600",
		"ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":"4"}`,
		"Policy":        `{"Version":"2012-10-17", "Statement":[]}`,
	}
	created := c.create("created", want)
	_, err := c.SetQueueAttributes(c.ctx, &sqs.SetQueueAttributesInput{QueueUrl: &c.queue, Attributes: want})
	c.must(err)
	for _, url := range []string{created, c.queue} {
		out, err := c.GetQueueAttributes(c.ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		c.must(err)
		for name, value := range want {
			if out.Attributes[name] != value {
				t.Errorf("%s of %s: got %q, want %q", name, url, out.Attributes[name], value)
			}
		}
		if len(out.Attributes) != len(want)+7 {
			t.Errorf("all of %s: %v", url, slices.Sorted(maps.Keys(out.Attributes)))
		}
	}
}

func TestAWSGoMessages(t *testing.T) {
	c := newAWSGo(t)
	attributes := map[string]types.MessageAttributeValue{
		"text":   {DataType: aws.String("String"), StringValue: aws.String("grüße")},
		"number": {DataType: aws.String("Number.int"), StringValue: aws.String("42")},
		"binary": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
	}
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
	sent, err := c.SendMessage(c.ctx, &sqs.SendMessageInput{
		QueueUrl: &c.queue, MessageBody: aws.String("<hello> \"wörld\" & \u2028"), MessageAttributes: attributes, MessageGroupId: aws.String("tenant"),
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String(trace)},
		},
	})
	c.must(err)
	messages := c.receive()
	if len(messages) != 1 {
		t.Fatalf("received %d messages", len(messages))
	}
	got := messages[0]
	if *got.MessageId != *sent.MessageId || *got.Body != "<hello> \"wörld\" & \u2028" || *got.MD5OfMessageAttributes != *sent.MD5OfMessageAttributes {
		t.Errorf("received %+v for %+v", got, sent)
	}
	if *got.MessageAttributes["text"].StringValue != "grüße" || *got.MessageAttributes["number"].DataType != "Number.int" ||
		!slices.Equal(got.MessageAttributes["binary"].BinaryValue, []byte{0, 255}) {
		t.Errorf("attributes %+v", got.MessageAttributes)
	}
	if a := got.Attributes; a["AWSTraceHeader"] != trace || a["MessageGroupId"] != "tenant" || a["ApproximateReceiveCount"] != "1" || a["SenderId"] != "000000000000" {
		t.Errorf("system attributes %v", got.Attributes)
	}
	_, err = c.ChangeMessageVisibility(c.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &c.queue, ReceiptHandle: got.ReceiptHandle})
	c.must(err)
	again := c.receive()
	if len(again) != 1 || again[0].Attributes["ApproximateReceiveCount"] != "2" {
		t.Fatalf("received again: %+v", again)
	}
	_, err = c.DeleteMessage(c.ctx, &sqs.DeleteMessageInput{QueueUrl: &c.queue, ReceiptHandle: again[0].ReceiptHandle})
	c.must(err)
	_, err = c.ChangeMessageVisibility(c.ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &c.queue, ReceiptHandle: again[0].ReceiptHandle, VisibilityTimeout: 1})
	checkCode(t, err, "InvalidParameterValue", "Message does not exist or is not available for visibility timeout change.")
}

func TestAWSGoBatches(t *testing.T) {
	c := newAWSGo(t)
	sent, err := c.SendMessageBatch(c.ctx, &sqs.SendMessageBatchInput{QueueUrl: &c.queue, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("first")},
		{Id: aws.String("b"), MessageBody: aws.String("bad\x01")},
		{Id: aws.String("c"), MessageBody: aws.String("second")},
	}})
	c.must(err)
	if len(sent.Successful) != 2 || len(sent.Failed) != 1 || *sent.Failed[0].Id != "b" || *sent.Failed[0].Code != "InvalidMessageContents" || !sent.Failed[0].SenderFault {
		t.Fatalf("sent %+v, failed %+v", sent.Successful, sent.Failed)
	}
	messages := c.receive()
	if len(messages) != 2 {
		t.Fatalf("received %d messages", len(messages))
	}
	changed, err := c.ChangeMessageVisibilityBatch(c.ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &c.queue, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: messages[0].ReceiptHandle, VisibilityTimeout: 0},
		{Id: aws.String("b"), ReceiptHandle: aws.String("garbage"), VisibilityTimeout: 5},
	}})
	c.must(err)
	if len(changed.Successful) != 1 || len(changed.Failed) != 1 || *changed.Failed[0].Code != "ReceiptHandleIsInvalid" {
		t.Errorf("changed %+v, failed %+v", changed.Successful, changed.Failed)
	}
	if again := c.receive(); len(again) != 1 || *again[0].MessageId != *messages[0].MessageId {
		t.Errorf("received again %+v", again)
	}
	deleted, err := c.DeleteMessageBatch(c.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &c.queue, Entries: []types.DeleteMessageBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: messages[1].ReceiptHandle},
		{Id: aws.String("b"), ReceiptHandle: aws.String("garbage")},
	}})
	c.must(err)
	if len(deleted.Successful) != 1 || len(deleted.Failed) != 1 || *deleted.Failed[0].Id != "b" {
		t.Errorf("deleted %+v, failed %+v", deleted.Successful, deleted.Failed)
	}
}

// A receive that waits is answered by a send, long before its time is up.
func TestAWSGoLongPoll(t *testing.T) {
	c := newAWSGo(t)
	type answer struct {
		out *sqs.ReceiveMessageOutput
		err error
	}
	answered := make(chan answer, 1)
	start := time.Now()
	go func() {
		out, err := c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: &c.queue, WaitTimeSeconds: 20})
		answered <- answer{out, err}
	}()
	c.send("hello")
	got := <-answered
	c.must(got.err)
	if len(got.out.Messages) != 1 || *got.out.Messages[0].Body != "hello" {
		t.Errorf("received %+v", got.out.Messages)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the poll took %s", took)
	}
}

// awsGoFailure is a call that fails, and how.
type awsGoFailure struct {
	name  string
	do    func() error
	typed any // a pointer to the modeled error
	code  string
}

func TestAWSGoErrors(t *testing.T) {
	c := newAWSGo(t)
	for _, test := range append(c.failures(), c.batchFailures()...) {
		t.Run(test.name, func(t *testing.T) {
			err := test.do()
			if err == nil || !errors.As(err, test.typed) {
				t.Fatalf("got %v", err)
			}
			checkCode(t, err, test.code, "")
		})
	}
}

func (c *awsGo) failures() []awsGoFailure {
	nope := c.endpoint + "/000000000000/nope"
	create := func(name, attribute, value string) error {
		_, err := c.CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: map[string]string{attribute: value}})
		return err
	}
	return []awsGoFailure{
		{"unknown queue", func() error {
			_, err := c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: &nope})
			return err
		}, new(*types.QueueDoesNotExist), "AWS.SimpleQueueService.NonExistentQueue"},
		{"queue that exists", func() error { return create("jobs", "DelaySeconds", "7") }, new(*types.QueueNameExists), "QueueAlreadyExists"},
		{"attribute's name", func() error { return create("x", "Foobar", "7") }, new(*types.InvalidAttributeName), "InvalidAttributeName"},
		{"attribute's value", func() error { return create("x", "DelaySeconds", "x") }, new(*types.InvalidAttributeValue), "InvalidAttributeValue"},
		{"contents", func() error {
			_, err := c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &c.queue, MessageBody: aws.String("\x00")})
			return err
		}, new(*types.InvalidMessageContents), "InvalidMessageContents"},
		{"receipt", func() error {
			_, err := c.DeleteMessage(c.ctx, &sqs.DeleteMessageInput{QueueUrl: &c.queue, ReceiptHandle: aws.String("garbage")})
			return err
		}, new(*types.ReceiptHandleIsInvalid), "ReceiptHandleIsInvalid"},
		{"absent source", func() error {
			_, err := c.ListMessageMoveTasks(c.ctx, &sqs.ListMessageMoveTasksInput{SourceArn: new(arn("nope"))})
			return err
		}, new(*types.ResourceNotFoundException), "ResourceNotFoundException"},
	}
}

func (c *awsGo) batchFailures() []awsGoFailure {
	type entry = types.SendMessageBatchRequestEntry
	send := func(entries ...entry) func() error {
		return func() error {
			_, err := c.SendMessageBatch(c.ctx, &sqs.SendMessageBatchInput{QueueUrl: &c.queue, Entries: entries})
			return err
		}
	}
	one := entry{Id: aws.String("a"), MessageBody: aws.String("b")}
	bad := entry{Id: aws.String("a.b"), MessageBody: aws.String("b")}
	big := entry{Id: aws.String("big"), MessageBody: aws.String(strings.Repeat("x", 1<<20))}
	return []awsGoFailure{
		{"empty batch", send([]entry{}...), new(*types.EmptyBatchRequest), "AWS.SimpleQueueService.EmptyBatchRequest"},
		{"id twice", send(one, one), new(*types.BatchEntryIdsNotDistinct), "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"},
		{"bad id", send(bad), new(*types.InvalidBatchEntryId), "AWS.SimpleQueueService.InvalidBatchEntryId"},
		{"too many", send(slices.Repeat([]entry{one}, 11)...), new(*types.TooManyEntriesInBatchRequest), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"},
		{"too long", send(one, big), new(*types.BatchRequestTooLong), "AWS.SimpleQueueService.BatchRequestTooLong"},
	}
}

// checkCode checks an API error's code, and that its message has the given text.
func checkCode(t *testing.T, err error, code, text string) {
	t.Helper()
	var failure smithy.APIError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	if failure.ErrorCode() != code || !strings.Contains(failure.ErrorMessage(), text) {
		t.Errorf("got %v", failure)
	}
}
