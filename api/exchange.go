package api

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// exchange is one request and its answer while they are served. It is the request's
// context, and carries as fields what the handlers find there: values added one by one
// would copy the request for each. It is never used again for another request, since
// contexts made of it may outlive the request; only its route is, as always with chi.
type exchange struct {
	context.Context // of the connection
	start           time.Time
	request         telemetry.Request
	caller          service.Caller // set by authentication
	client          auth.Client
	route           *chi.Context
	answer          answerWriter
	requestID       [1]string // the answer's header
}

// noSniff is the value of a header of every answer.
var noSniff = []string{"nosniff"}

// newExchange begins to serve a request.
func (m *middleware) newExchange(w http.ResponseWriter, r *http.Request, route *chi.Context) *exchange {
	x := &exchange{
		Context: r.Context(),
		start:   time.Now(),
		request: telemetry.Request{ID: requestID(r), Dialect: telemetry.DialectNone, Action: telemetry.ActionUnknown},
		client:  auth.Client{Find: m.findClient, Request: r},
		route:   route,
		answer:  answerWriter{ResponseWriter: w, draining: m.draining, timeout: m.answerTimeout},
	}
	x.requestID[0] = x.request.ID
	header := w.Header()
	header["X-Request-Id"] = x.requestID[:]
	header["X-Content-Type-Options"] = noSniff
	if r.Header.Get("Expect") != "" {
		x.answer.forgetDeadline()
	}
	return x
}

// Value returns what the exchange carries under key.
func (x *exchange) Value(key any) any {
	switch key {
	case telemetry.RequestKey:
		return &x.request
	case auth.Key:
		return &x.caller
	case auth.ClientKey:
		return &x.client
	case chi.RouteCtxKey:
		return x.route
	}
	return x.Context.Value(key)
}

// requestID returns the client's own request id if it is sane, or a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); isSane(id) {
		return id
	}
	return newRequestID()
}

// isSane tells whether a request id from outside may be taken over: 8 to 64 of
// A-Z a-z 0-9 . _ -
func isSane(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// newRequestID returns a random UUID. It is no secret, so the runtime's generator,
// which the system seeds, is good enough; it asks the system for nothing.
func newRequestID() string {
	var id uuid.UUID
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // of RFC 9562
	return id.String()
}
