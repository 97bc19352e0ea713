package bench

import (
	"context"
	"net/http"

	"github.com/valyala/fasthttp"
)

// queue is one that the load uses.
type queue struct {
	name string
	url  string // of SQS only: what its calls name it by
}

// message is one to send. Its texts need no escapes in JSON.
type message struct {
	body         []byte
	group, dedup []byte // of a FIFO queue only
}

// protocol is an API that can be measured. Its methods that name a call set up the request
// and return its body, appended to b.
type protocol interface {
	createQueue(ctx context.Context, name string, fifo bool) (q queue, created bool, err error)
	deleteQueue(ctx context.Context, q queue) error

	send(b []byte, r *fasthttp.Request, q *queue, messages []message) []byte
	receive(b []byte, r *fasthttp.Request, q *queue, ask receive) []byte
	delete(b []byte, r *fasthttp.Request, q *queue, receipts [][]byte) []byte

	// words are the members that matter in its answers.
	words() *words
}

// receive asks for messages.
type receive struct{ most, waitSeconds int }

// words are the names of members of answers, with their quotes.
type words struct {
	id, receipt, body []byte
	itemError         []byte // code of an item's error in a success
	callError         []byte // code of a call's error
}

// post sets up what all requests have.
func post(r *fasthttp.Request, method string, e *endpoint, contentType string) {
	r.Header.SetMethod(method)
	r.Header.SetHost(e.host)
	r.Header.SetContentType(contentType)
}

// isSuccess tells whether a status is one of success.
func isSuccess(status int) bool {
	return status >= http.StatusOK && status < http.StatusMultipleChoices
}
