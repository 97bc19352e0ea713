package telemetry

import (
	"context"
	"unicode/utf8"
)

// The values of Request's Dialect and Action before anything is known.
const (
	DialectNone   = "none"
	ActionUnknown = "unknown"
)

// maxQueueLogged bounds what is kept of a queue's name for the log, in bytes: what a caller
// writes in its place can be as long as a request. Names are shorter, so that text which is
// cut is known to be none.
const maxQueueLogged = 100

// Request is what is known of one HTTP request while it is served. Middleware
// makes it, handlers fill it in, and the access log and the metrics read it when
// the request has been answered. It belongs to the goroutine that serves the request.
type Request struct {
	ID      string // of this request, or of the client's choice; safe to log and to answer
	Dialect string // rest, sqs, web, ops or none: a metric's label
	Action  string // of a closed list: a metric's label
	Queue   string // the queue that it names, as the caller wrote it, shortened
	Err     error  // the cause of a 5xx answer
}

type requestKey struct{}

// RequestKey is the key of a context's *Request, for a context type that carries one
// as a field. Others call WithRequest.
var RequestKey any = requestKey{}

// WithRequest returns a context that carries request.
func WithRequest(ctx context.Context, request *Request) context.Context {
	return context.WithValue(ctx, RequestKey, request)
}

// RequestFrom returns the context's request, or an empty one outside a request.
func RequestFrom(ctx context.Context) *Request {
	if request, ok := ctx.Value(RequestKey).(*Request); ok {
		return request
	}
	return &Request{Dialect: DialectNone, Action: ActionUnknown}
}

// RequestID returns the id of the context's request, or "" outside a request.
func RequestID(ctx context.Context) string { return RequestFrom(ctx).ID }

// SetAction names what the request asks for. The name is a metric's label, so it
// must come from the dialect's own list, never from the request.
func SetAction(ctx context.Context, action string) { RequestFrom(ctx).Action = action }

// SetQueue names the queue that the request is about, for the log.
func SetQueue(ctx context.Context, queue string) {
	if len(queue) > maxQueueLogged {
		cut := maxQueueLogged
		for cut > 0 && !utf8.RuneStart(queue[cut]) {
			cut--
		}
		queue = queue[:cut]
	}
	RequestFrom(ctx).Queue = queue
}

// SetError keeps the first cause of a failure, for the log.
func SetError(ctx context.Context, err error) {
	if request := RequestFrom(ctx); request.Err == nil {
		request.Err = err
	}
}
