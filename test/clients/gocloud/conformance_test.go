// Package gocloud runs the conformance suite of the Go Cloud Development Kit. It is a module
// of its own, because that kit brings many modules that the product does not need.
package gocloud

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/awssnssqs"
	"gocloud.dev/pubsub/driver"
	"gocloud.dev/pubsub/drivertest"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testserver"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const region = "eu-west-3"

func newClient(endpoint, id, secret string) *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: &endpoint,
		Region:       region,
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
}

// TestGoCloud runs the conformance suite that the Go Cloud Development Kit has for its
// drivers, on the SQS driver. One of its tests skips itself, and has to: it wants two
// subscriptions to a topic, and a queue has one.
func TestGoCloud(t *testing.T) {
	t.Parallel()
	server := testserver.NewSecure(t)
	client := newClient(server.URL, server.Admin.KeyID, server.Admin.Secret.Reveal())
	maker := func(context.Context, *testing.T) (drivertest.Harness, error) {
		return &goCloud{client: client}, nil
	}
	drivertest.RunConformanceTests(t, maker, []drivertest.AsTest{goCloudTypes{}})
}

// goCloudTopics numbers the queues: the harness is made anew for each test.
var goCloudTopics atomic.Int64

// goCloud is what the suite needs to know: a topic is a queue, and its subscription the same queue.
type goCloud struct {
	client *sqs.Client
}

func (h *goCloud) CreateTopic(ctx context.Context, _ string) (driver.Topic, func(), error) {
	name := fmt.Sprintf("topic-%d", goCloudTopics.Add(1))
	out, err := h.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name})
	if err != nil {
		return nil, nil, err
	}
	return &goCloudTopic{h.topic(ctx, *out.QueueUrl), *out.QueueUrl}, func() {
		_, _ = h.client.DeleteQueue(context.WithoutCancel(ctx), &sqs.DeleteQueueInput{QueueUrl: out.QueueUrl})
	}, nil
}

// goCloudTopic remembers its queue for the subscription.
type goCloudTopic struct {
	driver.Topic
	queue string
}

func (h *goCloud) CreateSubscription(ctx context.Context, t driver.Topic, _ string) (driver.Subscription, func(), error) {
	topic, ok := t.(*goCloudTopic)
	if !ok {
		return nil, nil, fmt.Errorf("topic of an unknown type %T", t)
	}
	return h.subscription(ctx, topic.queue), func() {}, nil
}

const absentQueue = "https://us-east-2.amazonaws.com/000000000000/absent"

func (h *goCloud) MakeNonexistentTopic(ctx context.Context) (driver.Topic, error) {
	return h.topic(ctx, absentQueue), nil
}

func (h *goCloud) MakeNonexistentSubscription(ctx context.Context) (driver.Subscription, func(), error) {
	return h.subscription(ctx, absentQueue), func() {}, nil
}

func (h *goCloud) Close()                              {}
func (h *goCloud) MaxBatchSizes() (int, int)           { return 10, 10 }
func (h *goCloud) SupportsMultipleSubscriptions() bool { return false }

func (h *goCloud) topic(ctx context.Context, queue string) driver.Topic {
	return driverOf[driver.Topic](awssnssqs.OpenSQSTopic(ctx, h.client, queue, nil))
}

func (h *goCloud) subscription(ctx context.Context, queue string) driver.Subscription {
	return driverOf[driver.Subscription](awssnssqs.OpenSubscription(ctx, h.client, queue, nil))
}

// driverOf takes the driver out of a topic or subscription. The suite tests drivers, the
// package makes them, and it shows them to its own tests only.
func driverOf[T any](portable any) T {
	field := reflect.ValueOf(portable).Elem().FieldByName("driver")
	return *(*T)(field.Addr().UnsafePointer())
}

// goCloudTypes checks that the SDK's own types are found under the portable ones.
type goCloudTypes struct{}

func (goCloudTypes) Name() string { return "the SDK's types" }

func (goCloudTypes) TopicCheck(topic *pubsub.Topic) error {
	return converts(topic.As, new(*sqs.Client))
}

func (goCloudTypes) SubscriptionCheck(s *pubsub.Subscription) error {
	return converts(s.As, new(*sqs.Client))
}

func (goCloudTypes) MessageCheck(m *pubsub.Message) error {
	return converts(m.As, new(types.Message))
}

func (goCloudTypes) BeforeSend(as func(any) bool) error {
	return converts(as, new(*types.SendMessageBatchRequestEntry))
}

func (goCloudTypes) AfterSend(as func(any) bool) error {
	return converts(as, new(types.SendMessageBatchResultEntry))
}

func (goCloudTypes) TopicErrorCheck(topic *pubsub.Topic, err error) error {
	return isAbsentQueue(topic.ErrorAs, err)
}

func (goCloudTypes) SubscriptionErrorCheck(s *pubsub.Subscription, err error) error {
	return isAbsentQueue(s.ErrorAs, err)
}

func converts(as func(any) bool, target any) error {
	if !as(target) {
		return fmt.Errorf("it is no %T", target)
	}
	return nil
}

func isAbsentQueue(as func(error, any) bool, err error) error {
	var failure smithy.APIError
	if !as(err, &failure) {
		return errors.New("it is no API error")
	}
	if failure.ErrorCode() != "AWS.SimpleQueueService.NonExistentQueue" {
		return fmt.Errorf("its code is %s", failure.ErrorCode())
	}
	return nil
}

// What a wrong secret signs is refused, with a code that the library passes on.
func TestGoCloudWrongSecret(t *testing.T) {
	t.Parallel()
	server := testserver.NewSecure(t)
	client := newClient(server.URL, server.Admin.KeyID, service.NewCredentials().Secret.Reveal())
	topic := awssnssqs.OpenSQSTopic(t.Context(), client, server.URL+"/000000000000/jobs", nil)
	err := topic.Send(t.Context(), &pubsub.Message{Body: []byte("hello")})
	var failure smithy.APIError
	if !topic.ErrorAs(err, &failure) || failure.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("the send ended with: %v", err)
	}
	if err := topic.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// A queue named by URL, without credentials: the library says https and Amazon's host, and only the path is ours.
func TestGoCloudByURL(t *testing.T) {
	t.Parallel()
	ctx, endpoint := t.Context(), testserver.New(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := newClient(endpoint, "key", "secret").CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: new("jobs")})
	must(err)
	address := "awssqs://sqs." + region + ".amazonaws.com/000000000000/jobs?region=" + region +
		"&anonymous=true&endpoint=" + url.QueryEscape(endpoint)
	topic, err := pubsub.OpenTopic(ctx, address)
	must(err)
	subscription, err := pubsub.OpenSubscription(ctx, address+"&waittime=5s")
	must(err)
	body := "not UTF-8: \xff"
	must(topic.Send(ctx, &pubsub.Message{Body: []byte(body), Metadata: map[string]string{"a key": "ä"}}))
	message, err := subscription.Receive(ctx)
	must(err)
	if string(message.Body) != body || message.Metadata["a key"] != "ä" {
		t.Errorf("received %q with %v", message.Body, message.Metadata)
	}
	message.Ack()
	must(subscription.Shutdown(ctx)) // sends the acknowledgement
	must(topic.Shutdown(ctx))
	left, err := newClient(endpoint, "key", "secret").ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: new("jobs"), WaitTimeSeconds: 0})
	must(err)
	if len(left.Messages) > 0 {
		t.Errorf("the acknowledged message was left: %+v", left.Messages)
	}
}
