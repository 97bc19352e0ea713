package bench

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// sqs is any service that speaks SQS's AWS JSON.
type sqs struct {
	endpoint *endpoint
	root     string // path of all calls
	signing  Signing
}

func newSQS(url string, signing Signing, config *tls.Config) (*sqs, error) {
	e, err := newEndpoint(url, config)
	if err != nil {
		return nil, err
	}
	return &sqs{e, e.path + "/", signing}, nil
}

var sqsWords = &words{
	id: []byte(`"MessageId"`), receipt: []byte(`"ReceiptHandle"`), body: []byte(`"Body"`),
	itemError: []byte(`"Code"`), callError: []byte(`"__type"`),
}

func (p *sqs) words() *words { return sqsWords }

// errNoQueue is the code of a queue that does not exist, as AWS JSON and older services
// have it.
var errNoQueue = []string{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}

// createQueue looks first: SQS does not tell whether a queue was created.
func (p *sqs) createQueue(ctx context.Context, name string, fifo bool) (queue, bool, error) {
	url, err := p.queueURL(ctx, "GetQueueUrl", map[string]any{"QueueName": name})
	var refusal *refusedError
	if err == nil || !errors.As(err, &refusal) || !refusal.is(errNoQueue) {
		return queue{name, url}, false, err
	}
	ask := map[string]any{"QueueName": name}
	if fifo {
		ask["Attributes"] = map[string]string{"FifoQueue": "true"}
	}
	url, err = p.queueURL(ctx, "CreateQueue", ask)
	return queue{name, url}, err == nil, err
}

func (p *sqs) queueURL(ctx context.Context, action string, ask any) (string, error) {
	answer, err := p.call(ctx, action, ask)
	if err != nil {
		return "", err
	}
	var out struct{ QueueUrl string }
	if err := json.Unmarshal(answer, &out); err != nil || out.QueueUrl == "" {
		return "", fmt.Errorf("%s: the answer names no queue", action)
	}
	return out.QueueUrl, nil
}

func (p *sqs) deleteQueue(ctx context.Context, q queue) error {
	_, err := p.call(ctx, "DeleteQueue", map[string]string{"QueueUrl": q.url})
	return err
}

// call makes one call on a connection of its own.
func (p *sqs) call(ctx context.Context, action string, ask any) ([]byte, error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	c := newConn(p.endpoint, smallBuffer)
	defer c.close()
	p.target(&c.request, actionsPrefix+action)
	c.request.SetBodyRaw(body)
	if p.signing.signed() {
		if err := newSigner(p.endpoint, p.signing).sign(ctx, &c.request, body); err != nil {
			return nil, err
		}
	}
	if err := c.do(ctx, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	answer, status := c.response.Body(), c.response.StatusCode()
	if !isSuccess(status) {
		return nil, &refusedError{action, callFailure(answer, status, sqsWords), string(answer[:min(len(answer), 300)])}
	}
	return answer, nil
}

// refusedError is an answer that is not a success.
type refusedError struct{ action, code, answer string }

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.action, e.code, strings.TrimSpace(e.answer))
}

func (e *refusedError) is(codes []string) bool {
	for _, code := range codes {
		if e.code == code {
			return true
		}
	}
	return false
}

// target sets which action a request is for.
func (p *sqs) target(r *fasthttp.Request, action string) {
	post(r, http.MethodPost, p.endpoint, "application/x-amz-json-1.0")
	r.Header.SetRequestURI(p.root)
	r.Header.Set(targetHeader, action)
	if !p.signing.signed() {
		r.Header.Set("Authorization", unsigned)
	}
}

const (
	targetHeader  = "X-Amz-Target"
	actionsPrefix = "AmazonSQS."
	// unsigned is for services that do not verify, but read the account's key and the
	// region from the header.
	unsigned = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
)

// begin appends the start of every input.
func (q *queue) begin(b []byte) []byte {
	return append(append(append(b, `{"QueueUrl":"`...), q.url...), '"')
}

func (p *sqs) send(b []byte, r *fasthttp.Request, q *queue, messages []message) []byte {
	b = q.begin(b)
	if len(messages) == 1 {
		p.target(r, actionsPrefix+"SendMessage")
		b = appendSQSMessage(append(b, ','), messages[0])
		return append(b, '}')
	}
	p.target(r, actionsPrefix+"SendMessageBatch")
	b = appendEntries(b, len(messages), func(b []byte, i int) []byte { return appendSQSMessage(b, messages[i]) })
	return append(b, '}')
}

// appendEntries appends a batch's entries, named by their numbers.
func appendEntries(b []byte, n int, appendEntry func(b []byte, i int) []byte) []byte {
	b = append(b, `,"Entries":[`...)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendInt(append(b, `{"Id":"`...), int64(i), 10), `",`...)
		b = append(appendEntry(b, i), '}')
	}
	return append(b, ']')
}

func appendSQSMessage(b []byte, m message) []byte {
	b = append(append(append(b, `"MessageBody":"`...), m.body...), '"')
	if m.group != nil {
		b = append(append(b, `,"MessageGroupId":"`...), m.group...)
		b = append(append(b, `","MessageDeduplicationId":"`...), m.dedup...)
		b = append(b, '"')
	}
	return b
}

func (p *sqs) receive(b []byte, r *fasthttp.Request, q *queue, ask receive) []byte {
	p.target(r, actionsPrefix+"ReceiveMessage")
	b = strconv.AppendInt(append(q.begin(b), `,"MaxNumberOfMessages":`...), int64(ask.most), 10)
	b = strconv.AppendInt(append(b, `,"WaitTimeSeconds":`...), int64(ask.waitSeconds), 10)
	return append(b, '}')
}

func (p *sqs) delete(b []byte, r *fasthttp.Request, q *queue, receipts [][]byte) []byte {
	b = q.begin(b)
	if len(receipts) == 1 {
		p.target(r, actionsPrefix+"DeleteMessage")
		b = append(append(append(b, ','), `"ReceiptHandle":"`...), receipts[0]...)
		return append(b, `"}`...)
	}
	p.target(r, actionsPrefix+"DeleteMessageBatch")
	b = appendEntries(b, len(receipts), func(b []byte, i int) []byte {
		return append(append(append(b, `"ReceiptHandle":"`...), receipts[i]...), '"')
	})
	return append(b, '}')
}
