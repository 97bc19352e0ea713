package sqs

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// releaseTimeout bounds the release of messages whose receiver has gone.
const releaseTimeout = 5 * time.Second

// Options say how the deployment presents itself.
type Options struct {
	Region    string       // in ARNs
	PublicURL string       // scheme and host of returned queue URLs; empty: the request's own
	Logger    *slog.Logger // for what no answer can tell
}

// Handler serves the whole dialect. It finds the queue in the request, so that it
// serves / and /{account}/{queue} alike.
type Handler struct {
	svc       *service.Service
	region    string
	publicURL string
	log       *slog.Logger
}

// New returns a Handler of the service's queues.
func New(svc *service.Service, opts Options) *Handler {
	return &Handler{
		svc:       svc,
		region:    opts.Region,
		publicURL: strings.TrimRight(opts.PublicURL, "/"),
		log:       opts.Logger,
	}
}

// call is one request on its way through its action.
type call struct {
	*Handler
	caller  service.Caller
	path    string   // of the request; it may name the queue
	baseURL string   // of the queue URLs in the answer
	trace   string   // X-Ray's trace header, or empty
	claimed *claimed // what the answer hands over, if it is a receive's
}

// claimed are received messages on their way to the receiver.
type claimed struct {
	queue    string
	receipts []string
}

// ServeHTTP chooses the codec by the Content-Type first: form bodies with a
// JSON dialect's headers exist.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amzn-RequestId", telemetry.RequestID(r.Context()))
	if isJSON(r) {
		h.serveJSON(w, r)
		return
	}
	h.serveQuery(w, r)
}

// WriteError answers a request that did not get as far as its action with an
// error, in the form of its codec.
func (h *Handler) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set("x-amzn-RequestId", telemetry.RequestID(r.Context()))
	e := asError(r.Context(), err)
	if isJSON(r) {
		writeJSONError(w, e)
		return
	}
	writeQueryError(w, r, e)
}

func (h *Handler) serveJSON(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	c := h.newCall(r)
	output, err := c.runJSON(ctx, r)
	if err != nil {
		writeJSONError(w, asError(ctx, err))
		return
	}
	if c.claimed == nil {
		// Nothing more can be told to a client that has gone.
		_ = writeJSON(w, output)
		return
	}
	if err := handOver(ctx, w, output); err != nil {
		h.release(ctx, c)
	}
}

// runJSON decodes the request, runs its action and returns what to answer.
func (c *call) runJSON(ctx context.Context, r *http.Request) (any, error) {
	if r.Method != http.MethodPost {
		return nil, &apiError{kind: methodNotAllowed, message: "Actions are requested by POST."}
	}
	if err := checkEncoding(r); err != nil {
		return nil, err
	}
	name := targetAction(r)
	action, err := findAction(name)
	if err != nil {
		return nil, err
	}
	telemetry.SetAction(ctx, name)
	input := action.input()
	if err := decodeJSON(r, input); err != nil {
		return nil, err
	}
	return action.run(ctx, c, input)
}

// handOver writes a receive's answer and fails unless all of it has gone to the
// connection. A client that hangs up once it has its answer keeps its messages,
// so the context is not looked at afterwards.
func handOver(ctx context.Context, w http.ResponseWriter, output any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := writeJSON(w, output); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// release gives back what a receiver did not get. Where that fails, the
// messages come back when their visibility timeout ends.
func (h *Handler) release(ctx context.Context, c *call) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := h.svc.ReleaseMessages(ctx, c.caller, c.claimed.queue, c.claimed.receipts)
	if err != nil {
		h.log.WarnContext(ctx, "messages of a receiver that has gone were not released",
			"request_id", telemetry.RequestID(ctx), "queue", c.claimed.queue, "caller", c.caller.Account, "err", err)
	}
}

func (h *Handler) newCall(r *http.Request) *call {
	return &call{
		Handler: h,
		caller:  auth.Caller(r.Context()),
		path:    r.URL.Path,
		baseURL: h.baseURL(r),
		trace:   traceHeader(r),
	}
}
