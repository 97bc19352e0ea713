package clients

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// lossy loses the answer of the first request. The server has carried it out.
type lossy struct {
	requests atomic.Int32
}

func (l *lossy) Do(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultClient.Do(r)
	if err != nil || l.requests.Add(1) > 1 {
		return response, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return nil, err
	}
	return nil, io.ErrUnexpectedEOF
}

// lossyOptions are those of one call: its own transport, and no pause before it tries again.
func lossyOptions(l *lossy) func(*sqs.Options) {
	return func(o *sqs.Options) {
		o.HTTPClient = l
		o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
			s.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
}

// An answer is lost on its way, and the SDK sends again: the message is there once.
func TestAWSGoRetriedSend(t *testing.T) {
	c := newAWSGo(t)
	transport := new(lossy)
	sent, err := c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &c.queue, MessageBody: aws.String("single")}, lossyOptions(transport))
	c.must(err)
	if n := transport.requests.Load(); n != 2 {
		t.Fatalf("the SDK has tried %d times", n)
	}
	got := c.receive()
	if len(got) != 1 || *got[0].MessageId != *sent.MessageId {
		t.Errorf("sent %s, received %+v", *sent.MessageId, got)
	}
}

func TestAWSGoRetriedSendBatch(t *testing.T) {
	c := newAWSGo(t)
	sent, err := c.SendMessageBatch(c.ctx, &sqs.SendMessageBatchInput{QueueUrl: &c.queue, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("one")},
		{Id: aws.String("b"), MessageBody: aws.String("one")}, // no repetition: it has the same body only
	}}, lossyOptions(new(lossy)))
	c.must(err)
	if len(sent.Successful) != 2 {
		t.Fatalf("sent %+v", sent)
	}
	got := map[string]bool{}
	for _, message := range c.receive() {
		got[*message.MessageId] = true
	}
	if len(got) != 2 || !got[*sent.Successful[0].MessageId] || !got[*sent.Successful[1].MessageId] {
		t.Errorf("sent %+v, received %v", sent.Successful, got)
	}
}
