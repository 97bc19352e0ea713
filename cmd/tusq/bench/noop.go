package bench

import (
	"context"

	"github.com/valyala/fasthttp"
)

// noop is a protocol whose server only answers: it has no queues, and each request goes
// to one path.
type noop struct {
	protocol
	path string // empty: the protocol's own
}

func (p noop) createQueue(_ context.Context, name string, _ bool) (queue, bool, error) {
	return queue{name: name, url: "http://localhost/000000000000/" + name}, false, nil
}

func (p noop) send(b []byte, r *fasthttp.Request, q *queue, messages []message) []byte {
	b = p.protocol.send(b, r, q, messages)
	if p.path != "" {
		r.Header.SetRequestURI(p.path)
	}
	return b
}
