package bench

import (
	"context"
	"crypto/tls"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"tusq/client"
)

// adminRetry is how long a call that creates or deletes a queue is repeated.
const adminRetry = 3 * time.Second

// rest is tusq's REST API.
type rest struct {
	endpoint      *endpoint
	admin         *client.Client
	authorization string // header of all requests; empty: none
}

func newREST(url, token string, config *tls.Config) (*rest, error) {
	e, err := newEndpoint(url, config)
	if err != nil {
		return nil, err
	}
	admin, err := client.New(url, client.WithRetry(adminRetry), client.WithTLS(config), client.WithToken(token))
	p := &rest{endpoint: e, admin: admin}
	if token != "" {
		p.authorization = "Bearer " + token
	}
	return p, err
}

var restWords = &words{
	id: []byte(`"id"`), receipt: []byte(`"receipt"`), body: []byte(`"body"`),
	itemError: []byte(`"code"`), callError: []byte(`"code"`),
}

func (p *rest) words() *words { return restWords }

func (p *rest) createQueue(ctx context.Context, name string, _ bool) (queue, bool, error) {
	_, created, err := p.admin.CreateQueue(ctx, client.CreateQueue{Name: name})
	return queue{name: name}, created, err
}

func (p *rest) deleteQueue(ctx context.Context, q queue) error {
	return p.admin.DeleteQueue(ctx, q.name)
}

// target sets where a request goes: to a part of a queue's messages.
func (p *rest) target(r *fasthttp.Request, method string, q *queue, part string, receipt []byte) {
	post(r, method, p.endpoint, "application/json")
	if p.authorization != "" {
		r.Header.Set("Authorization", p.authorization)
	}
	var space [256]byte
	path := append(append(append(space[:0], p.endpoint.path...), "/v1/queues/"...), q.name...)
	path = append(append(append(path, "/messages"...), part...), receipt...)
	r.Header.SetRequestURIBytes(path)
}

func (p *rest) send(b []byte, r *fasthttp.Request, q *queue, messages []message) []byte {
	p.target(r, http.MethodPost, q, "", nil)
	if len(messages) == 1 {
		return appendRESTMessage(b, messages[0])
	}
	b = append(b, `{"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendRESTMessage(b, m)
	}
	return append(b, "]}"...)
}

func appendRESTMessage(b []byte, m message) []byte {
	b = append(append(append(b, `{"body":"`...), m.body...), '"')
	if m.group != nil {
		b = append(append(b, `,"group_id":"`...), m.group...)
		b = append(append(b, `","deduplication_id":"`...), m.dedup...)
		b = append(b, '"')
	}
	return append(b, '}')
}

func (p *rest) receive(b []byte, r *fasthttp.Request, q *queue, ask receive) []byte {
	p.target(r, http.MethodPost, q, "/receive", nil)
	b = strconv.AppendInt(append(b, `{"max":`...), int64(ask.most), 10)
	b = strconv.AppendInt(append(b, `,"wait_seconds":`...), int64(ask.waitSeconds), 10)
	return append(b, '}')
}

func (p *rest) delete(b []byte, r *fasthttp.Request, q *queue, receipts [][]byte) []byte {
	if len(receipts) == 1 {
		p.target(r, http.MethodDelete, q, "/", receipts[0])
		return b
	}
	p.target(r, http.MethodPost, q, "/delete", nil)
	b = append(b, `{"receipts":[`...)
	for i, receipt := range receipts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), receipt...), '"')
	}
	return append(b, "]}"...)
}
