package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// writeError answers a request with an error in its dialect's form.
type writeError func(w http.ResponseWriter, r *http.Request, err error)

// dialect is what the middleware has to know of the requests that it lets through.
type dialect struct {
	name       string // a metric's label
	maxBody    int64  // bytes; 0: no body is read
	writeError writeError
}

type middleware struct {
	service     *service.Service
	auth        bool // see Options
	logger      *slog.Logger
	metrics     *telemetry.Metrics
	draining    <-chan struct{}
	budget      *byteBudget
	crossOrigin *http.CrossOriginProtection
	hosts       []string // see Options
	findClient  auth.ClientFinder

	answerTimeout time.Duration // see Options
	bodyGrace     time.Duration // see Options
}

func newMiddleware(o Options) *middleware {
	limit := cmp.Or(o.MaxBytesInFlight, DefaultMaxBytesInFlight)
	return &middleware{
		service:     o.Service,
		auth:        o.Auth,
		logger:      o.Logger,
		metrics:     o.Metrics,
		draining:    o.Service.Draining(),
		budget:      &byteBudget{limit: limit, gauge: o.Metrics.BytesInFlight},
		crossOrigin: http.NewCrossOriginProtection(),
		hosts:       o.Hosts,
		findClient:  auth.FindClient(o.TrustedProxies),

		answerTimeout: cmp.Or(o.AnswerTimeout, DefaultAnswerTimeout),
		bodyGrace:     cmp.Or(o.BodyGrace, bodyGrace),
	}
}

// enter is the middleware of every request to d.
func (m *middleware) enter(d dialect) chi.Middlewares {
	return chi.Middlewares{m.recover(d), m.refuseDoubles(d), m.refuseOtherHosts(d), m.refuseCrossOrigin(d), m.admit(d)}
}

// entrance is the outermost handler, around all routes. It gives every request its
// exchange, and counts and logs the request once it is answered.
type entrance struct {
	chi.Router
	*middleware
	routes sync.Pool // of *chi.Context
}

func newEntrance(router chi.Router, m *middleware) *entrance {
	e := &entrance{Router: router, middleware: m}
	e.routes.New = func() any { return chi.NewRouteContext() }
	return e
}

// ServeHTTP serves one request.
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := e.routes.Get().(*chi.Context)
	route.Reset()
	route.Routes = e.Router
	x := e.newExchange(w, r, route)
	defer func() {
		duration := time.Since(x.start)
		e.metrics.Observe(&x.request, x.answer.status, duration)
		e.log(x, r.Method, duration)
	}()
	e.Router.ServeHTTP(&x.answer, r.WithContext(x))
	if x.answer.status == 0 {
		x.answer.WriteHeader(http.StatusOK)
	}
	e.routes.Put(route)
}

// log writes a request's line: what is answered well only at debug level, so that
// logging costs the hot paths nothing. The path is left out, for it may hold a receipt.
// Whom a request came from is found out, and told, where it was not answered well.
func (m *middleware) log(x *exchange, method string, duration time.Duration) {
	request, answer := &x.request, &x.answer
	level := slog.LevelDebug
	switch status := answer.status; {
	case status >= http.StatusInternalServerError || request.Err != nil:
		level = slog.LevelWarn
	case status >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	if !m.logger.Enabled(x, level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("request_id", request.ID),
		slog.String("method", method),
		slog.String("dialect", request.Dialect),
		slog.String("action", request.Action),
		slog.String("queue", service.ShownName(request.Queue)),
		slog.Int("status", answer.status),
		slog.Int64("bytes", answer.bytes),
		slog.Duration("duration", duration),
	}
	if level > slog.LevelDebug {
		attributes = append(attributes, slog.String("client", clientText(x)))
	}
	if request.Err != nil {
		attributes = append(attributes, slog.Any("err", request.Err))
	}
	m.logger.LogAttrs(x, level, "request", attributes...)
}

// clientText is the client's address, or empty where it cannot be told.
func clientText(ctx context.Context) string {
	if ip := auth.ClientIP(ctx); ip.IsValid() {
		return ip.String()
	}
	return ""
}

// recover names the dialect, and answers a panic behind it with an internal error.
// Where the answer has begun, the connection is cut, so that nobody takes it for whole.
func (m *middleware) recover(d dialect) func(http.Handler) http.Handler {
	inFlight := m.metrics.InFlight.WithLabelValues(d.name)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			telemetry.RequestFrom(r.Context()).Dialect = d.name
			inFlight.Inc()
			defer inFlight.Dec()
			defer func() {
				cause := recover()
				if cause == nil {
					return
				}
				err, ok := cause.(error)
				if ok && errors.Is(err, http.ErrAbortHandler) {
					panic(cause)
				}
				err = fmt.Errorf("panic: %v", cause)
				m.logPanic(r.Context(), err)
				if begun(w) {
					panic(http.ErrAbortHandler)
				}
				d.writeError(w, r, err)
			}()
			next.ServeHTTP(w, r)
		})
	}
}

func (m *middleware) logPanic(ctx context.Context, err error) {
	request := telemetry.RequestFrom(ctx)
	m.logger.LogAttrs(ctx, slog.LevelError, "panic",
		slog.String("request_id", request.ID),
		slog.String("action", request.Action),
		slog.String("queue", service.ShownName(request.Queue)),
		slog.Any("err", err),
		slog.String("stack", string(debug.Stack())),
	)
	telemetry.SetError(ctx, err)
}

// refuseCrossOrigin refuses what a browser sends on behalf of another site's page:
// a page that somebody visits must not send messages to a server that this
// somebody can reach. Other clients do not send the headers that this goes by.
func (m *middleware) refuseCrossOrigin(d dialect) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m.crossOrigin.Check(r) != nil {
				d.writeError(w, r, service.Errorf(service.CodeInvalidRequest, "A browser sent this for a page of another site."))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
