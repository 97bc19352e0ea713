package clients

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"tusq/api/auth/sigv4"
	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

// newSignedClient returns a client that signs by credentials.
func newSignedClient(endpoint, id, secret string, opts ...func(*sqs.Options)) *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: &endpoint,
		Region:       "eu-west-3",
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, ""),
		Retryer:      aws.NopRetryer{},
	}, opts...)
}

// wantRefusal checks an error's code and HTTP status.
func wantRefusal(t *testing.T, err error, code string, status int) {
	t.Helper()
	var refused smithy.APIError
	var response *smithyhttp.ResponseError
	if !errors.As(err, &refused) || refused.ErrorCode() != code || !errors.As(err, &response) || response.HTTPStatusCode() != status {
		t.Errorf("got %v, want %s with status %d", err, code, status)
	}
}

func TestAWSGoKeys(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := testserver.NewSecure(t)
	id, secret := server.Admin.KeyID, server.Admin.Secret.Reveal()
	admin := newSignedClient(server.URL, id, secret)
	queue, err := admin.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("hello")}); err != nil {
		t.Error(err)
	}
	if got, err := admin.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl}); err != nil || len(got.Messages) != 1 {
		t.Errorf("received %v, %v", got, err)
	}
	list := func(id, secret string) error {
		_, err := newSignedClient(server.URL, id, secret).ListQueues(ctx, &sqs.ListQueuesInput{})
		return err
	}
	other := service.NewCredentials()
	wantRefusal(t, list(id, other.Secret.Reveal()), "SignatureDoesNotMatch", 403)
	wantRefusal(t, list(other.KeyID, other.Secret.Reveal()), "InvalidClientTokenId", 403)
	_, err = sqs.New(sqs.Options{
		BaseEndpoint: &server.URL, Region: "eu-west-3", Credentials: aws.AnonymousCredentials{},
	}).ListQueues(ctx, &sqs.ListQueuesInput{})
	wantRefusal(t, err, "MissingAuthenticationToken", 403)

	limited := createKey(ctx, t, server, service.CreateKey{Name: "shop", Rights: service.Rights{
		Actions: []service.Action{service.ActionSendMessages}, Queues: []string{"orders"},
	}})
	shop := newSignedClient(server.URL, limited.KeyID, limited.Secret.Reveal())
	if _, err := shop.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("hello")}); err != nil {
		t.Error(err)
	}
	_, err = shop.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl})
	wantRefusal(t, err, "AccessDenied", 403)
	if err := server.Service.RevokeKey(ctx, service.Owner(testservice.Account), limited.KeyID); err != nil {
		t.Fatal(err)
	}
	_, err = shop.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: aws.String("hello")})
	wantRefusal(t, err, "InvalidClientTokenId", 403)
}

func createKey(ctx context.Context, t *testing.T, server *testserver.Secure, create service.CreateKey) service.Credentials {
	t.Helper()
	_, credentials, err := server.Service.CreateKey(ctx, service.Owner(testservice.Account), create)
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

// A receive that waits ends with an error that the SDK knows when its key is revoked.
func TestAWSGoRevokedWhileWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := testserver.NewSecure(t)
	key := createKey(ctx, t, server, service.CreateKey{Name: "shop", Rights: service.Everything()})
	client := newSignedClient(server.URL, key.KeyID, key.Secret.Reveal())
	queue, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan error, 1)
	go func() {
		_, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 20})
		received <- err
	}()
	for server.Service.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := server.Service.RevokeKey(ctx, service.Owner(testservice.Account), key.KeyID); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-received:
		wantRefusal(t, err, "InvalidClientTokenId", 403)
	case <-time.After(9 * time.Second):
		t.Error("the receive still waits after 9 seconds")
	}
}

// A client whose clock is wrong is refused, learns the right time from the answer, and goes on. The
// SDK's clock cannot be set, so it is the server's that is wrong.
func TestAWSGoSkewedClock(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := testserver.NewSecure(t)
	for _, skew := range []time.Duration{-time.Hour, 6 * time.Minute, 24 * time.Hour} {
		now := func() time.Time { return time.Now().Add(skew) }
		var statuses []int
		handler := testserver.SecureHandler(t, server.Service, sigv4.Options{Now: now})
		skewed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
			handler.ServeHTTP(w, r)
		}))
		client := newSignedClient(skewed.URL, server.Admin.KeyID, server.Admin.Secret.Reveal(), func(o *sqs.Options) {
			o.Retryer, o.HTTPClient = retry.NewStandard(), countingClient{&statuses}
		})
		for range 2 {
			if _, err := client.ListQueues(ctx, &sqs.ListQueuesInput{}); err != nil {
				t.Errorf("skewed by %v: %v", skew, err)
			}
		}
		if !slices.Equal(statuses, []int{403, 200, 200}) {
			t.Errorf("skewed by %v, the answers were %v; want 403 once, and 200", skew, statuses)
		}
		skewed.Close()
	}
}

// countingClient notes the statuses of answers.
type countingClient struct{ statuses *[]int }

// Do makes a request.
func (c countingClient) Do(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		*c.statuses = append(*c.statuses, response.StatusCode)
	}
	return response, err
}
