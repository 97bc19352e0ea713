package sqs

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// releaseTimeout bounds the release of messages whose receiver has gone.
const releaseTimeout = 5 * time.Second

// statusClientGone is logged for a request whose client did not wait for the answer. No
// client sees it.
const statusClientGone = 499

// requestIDHeader is the answers' x-amzn-RequestId in the form that http.Header has it.
const requestIDHeader = "X-Amzn-Requestid"

// Options say how the deployment presents itself.
type Options struct {
	Region    string // in ARNs
	PublicURL string // scheme and host of returned queue URLs; empty: the request's own
	// TrustedProxies are the peers whose X-Forwarded-Proto and -Host are a request's own.
	TrustedProxies []netip.Prefix
	Strict         bool         // Amazon's waits of 60 seconds and its limit of messages in flight hold
	Logger         *slog.Logger // for what no answer can tell
	// Signatures authenticate the requests; nil: middleware does.
	Signatures *auth.Signatures
}

// Handler serves the whole dialect. It finds the queue in the request, so that it
// serves / and /{account}/{queue} alike.
type Handler struct {
	svc       *service.Service
	region    string
	publicURL string
	proxies   []netip.Prefix
	strict    bool
	log       *slog.Logger

	signatures *auth.Signatures
}

// New returns a Handler of the service's queues.
func New(svc *service.Service, opts Options) *Handler {
	return &Handler{
		svc:       svc,
		region:    opts.Region,
		publicURL: strings.TrimRight(opts.PublicURL, "/"),
		proxies:   opts.TrustedProxies,
		strict:    opts.Strict,
		log:       opts.Logger,

		signatures: opts.Signatures,
	}
}

// call is one request on its way through its action.
type call struct {
	*Handler
	caller  service.Caller
	request *http.Request
	trace   string // X-Ray's trace header, or empty
	// invocation names the call in its SDK: a retry has the same. Empty: it has no name.
	invocation string
	claimed    *claimed // what the answer hands over, if it is a receive's
}

// claimed are received messages on their way to the receiver.
type claimed struct {
	queue    string
	messages []service.Message
}

// codec is a form of requests and answers.
type codec interface {
	// read returns the action that a request asks for, and its input, once it is known who asks.
	read(r *http.Request) (asked, error)
	// writeOutput writes what an action has put out: nil where it has no output.
	writeOutput(w http.ResponseWriter, r *http.Request, action string, output any) error
	writeError(w http.ResponseWriter, r *http.Request, e *apiError)
}

// asked is what a request asks for.
type asked struct {
	action
	name  string
	input any
}

// codecOf chooses by the Content-Type first: form bodies with a JSON dialect's
// headers exist.
func codecOf(r *http.Request, signatures *auth.Signatures) codec {
	if isJSON(r) {
		return jsonCodec{signatures}
	}
	return queryCodec{signatures}
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, codec := r.Context(), codecOf(r, h.signatures)
	w.Header()[requestIDHeader] = []string{telemetry.RequestID(ctx)}
	asked, err := codec.read(r)
	if err != nil {
		codec.writeError(w, r, asError(ctx, err))
		return
	}
	c := h.newCall(r)
	output, err := asked.run(ctx, c, asked.input)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		w.WriteHeader(statusClientGone)
		return
	}
	if err != nil {
		codec.writeError(w, r, asError(ctx, err))
		return
	}
	if c.claimed == nil {
		// Nothing more can be told to a client that has gone.
		_ = codec.writeOutput(w, r, asked.name, output)
		return
	}
	write := func() error { return codec.writeOutput(w, r, asked.name, output) }
	if err := handOver(ctx, w, write); err != nil {
		h.release(ctx, c)
	}
}

// WriteError answers a request that did not get as far as its action with an
// error, in the form of its codec.
func (h *Handler) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	w.Header()[requestIDHeader] = []string{telemetry.RequestID(r.Context())}
	codecOf(r, nil).writeError(w, r, asError(r.Context(), err))
}

// handOver writes a receive's answer and fails unless all of it has gone to the
// connection. A client that hangs up once it has its answer keeps its messages,
// so the context is not looked at afterwards.
func handOver(ctx context.Context, w http.ResponseWriter, write func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// noStore keeps answers to presigned GETs, which have no Authorization, out of shared caches.
var noStore = []string{"no-store"}

// send writes a whole answer.
func send(w http.ResponseWriter, status int, contentType []string, body []byte) error {
	header := w.Header()
	header["Content-Type"] = contentType
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	header["Cache-Control"] = noStore
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}

// release gives back what a receiver did not get. Where that fails, the
// messages come back when their visibility timeout ends.
func (h *Handler) release(ctx context.Context, c *call) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := h.svc.ReleaseMessages(ctx, c.caller, c.claimed.queue, c.claimed.messages)
	if err != nil {
		h.log.WarnContext(ctx, "messages of a receiver that has gone were not released",
			"request_id", telemetry.RequestID(ctx), "queue", c.claimed.queue, "caller", c.caller.Account, "err", err)
	}
}

func (h *Handler) newCall(r *http.Request) *call {
	return &call{
		Handler: h,
		caller:  auth.Caller(r.Context()),
		request: r,
		trace:   traceHeader(r),

		invocation: invocationID(r),
	}
}
