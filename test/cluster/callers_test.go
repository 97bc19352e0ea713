package cluster

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"tusq/client"
	"tusq/internal/pgtest"
)

// revocation is how long a replica may take to hear that a key was made or revoked.
const revocation = 10 * time.Second

// signing returns an SDK's client that repeats nothing.
func signing(url string, key client.KeyWithSecret) *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: &url, Region: "us-east-1", Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, ""),
	})
}

// awaitKnown waits until all replicas have heard of a new key.
func (c *cluster) awaitKnown(t *testing.T, key client.KeyWithSecret) {
	t.Helper()
	eventually(t, revocation, "all replicas know the key", func() bool {
		for _, r := range c.replicas {
			_, err := newClient(t, r.url(), client.WithToken(key.Token), client.WithRetry(0)).QueueStats(t.Context(), "absent")
			if client.ErrorCode(err) == "unauthenticated" {
				return false
			}
		}
		return true
	})
}

// TestCallersThroughTheLoadBalancer: tokens and signatures pass it, which cover the Host that
// clients have sent. A key that is revoked on one replica is refused by all, in both dialects.
func TestCallersThroughTheLoadBalancer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := startCluster(t, pgtest.New(t))
	key, err := c.client(t).CreateKey(ctx, client.CreateKey{
		Name: "shop", Actions: []string{"create_queue", "get_queue", "list_queues", "send_messages", "receive_messages"}, Queues: []string{"*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.awaitKnown(t, key)
	balanced := signing(c.url, key)
	queue, err := balanced.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	if want := c.url + "/000000000000/orders"; *queue.QueueUrl != want {
		t.Errorf("the queue's URL is %s, want %s", *queue.QueueUrl, want)
	}
	if _, err := newClient(t, c.url, client.WithToken(key.Token)).Send(ctx, "orders", client.SendMessage{Body: "hello"}); err != nil {
		t.Fatal(err)
	}
	got, err := balanced.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 5})
	if err != nil || len(got.Messages) != 1 {
		t.Fatalf("received %v, %v", got, err)
	}

	calls := map[string]func() error{}
	for _, r := range c.replicas {
		rest, signed := newClient(t, r.url(), client.WithToken(key.Token), client.WithRetry(0)), signing(r.url(), key)
		calls["REST at "+r.address] = func() error {
			_, err := rest.QueueStats(ctx, "orders")
			return err
		}
		calls["SQS at "+r.address] = func() error {
			_, err := signed.ListQueues(ctx, &sqs.ListQueuesInput{})
			return err
		}
	}
	for name, call := range calls {
		if err := call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if err := newClient(t, c.replicas[0].url(), client.WithToken(c.token())).RevokeKey(ctx, key.ID); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	eventually(t, revocation, "all replicas refuse the revoked key", func() bool {
		for name, call := range calls {
			err := call()
			if err == nil {
				return false
			}
			if text := err.Error(); !strings.Contains(text, "unauthenticated") && !strings.Contains(text, "InvalidClientTokenId") {
				t.Fatalf("%s: %v", name, err)
			}
		}
		return true
	})
	t.Logf("refused by all after %v", time.Since(revoked).Round(time.Millisecond))
	if _, err := balanced.ListQueues(ctx, &sqs.ListQueuesInput{}); err == nil {
		t.Error("the revoked key is served by way of the load balancer")
	}
}

// TestForgedHost: what clients say of the host is not passed on.
func TestForgedHost(t *testing.T) {
	t.Parallel()
	c := startCluster(t, pgtest.New(t))
	if _, _, err := c.client(t).CreateQueue(t.Context(), client.CreateQueue{Name: "orders"}); err != nil {
		t.Fatal(err)
	}
	forging := signing(c.url, client.KeyWithSecret{Key: client.Key{ID: c.admin.KeyID}, Secret: c.admin.Secret.Reveal()})
	found, err := forging.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("orders")}, func(o *sqs.Options) {
		o.HTTPClient = forger{"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
	})
	if err != nil || *found.QueueUrl != c.url+"/000000000000/orders" {
		t.Errorf("found %v, %v", found, err)
	}
}

// forger adds headers to requests that were signed.
type forger map[string]string

// Do makes a request.
func (f forger) Do(r *http.Request) (*http.Response, error) {
	for name, value := range f {
		r.Header.Set(name, value)
	}
	return http.DefaultClient.Do(r)
}
