package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"

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
	logger      *slog.Logger
	metrics     *telemetry.Metrics
	draining    <-chan struct{}
	budget      *byteBudget
	crossOrigin *http.CrossOriginProtection
}

func newMiddleware(o Options) *middleware {
	limit := o.MaxBytesInFlight
	if limit == 0 {
		limit = DefaultMaxBytesInFlight
	}
	return &middleware{
		logger:      o.Logger,
		metrics:     o.Metrics,
		draining:    o.Service.Draining(),
		budget:      &byteBudget{limit: limit, gauge: o.Metrics.BytesInFlight},
		crossOrigin: http.NewCrossOriginProtection(),
	}
}

// enter is the middleware of every request to d.
func (m *middleware) enter(d dialect) chi.Middlewares {
	return chi.Middlewares{m.recover(d), m.refuseCrossOrigin(d), m.admit(d)}
}

// observe gives every request its id, and counts and logs it once it is answered.
func (m *middleware) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		request := &telemetry.Request{
			ID:      requestID(r),
			Dialect: telemetry.DialectNone,
			Action:  telemetry.ActionUnknown,
		}
		w.Header().Set("X-Request-Id", request.ID)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		answer := &answerWriter{ResponseWriter: w, draining: m.draining}
		defer func() {
			duration := time.Since(start)
			m.metrics.Observe(request, answer.status, duration)
			m.log(r, request, answer, duration)
		}()
		next.ServeHTTP(answer, r.WithContext(telemetry.WithRequest(r.Context(), request)))
		if answer.status == 0 {
			answer.WriteHeader(http.StatusOK)
		}
	})
}

// log writes a request's line: what is answered well only at debug level, so that
// logging costs the hot paths nothing. The path is left out, for it may hold a receipt.
func (m *middleware) log(r *http.Request, request *telemetry.Request, answer *answerWriter, duration time.Duration) {
	level := slog.LevelDebug
	switch status := answer.status; {
	case status >= http.StatusInternalServerError || request.Err != nil:
		level = slog.LevelWarn
	case status >= http.StatusBadRequest:
		level = slog.LevelInfo
	}
	if !m.logger.Enabled(r.Context(), level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("request_id", request.ID),
		slog.String("method", r.Method),
		slog.String("dialect", request.Dialect),
		slog.String("action", request.Action),
		slog.String("queue", request.Queue),
		slog.Int("status", answer.status),
		slog.Int64("bytes", answer.bytes),
		slog.Duration("duration", duration),
	}
	if request.Err != nil {
		attributes = append(attributes, slog.Any("err", request.Err))
	}
	m.logger.LogAttrs(r.Context(), level, "request", attributes...)
}

// saneID is what a request id from outside must look like to be taken over.
var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// requestID returns the client's own request id if it is sane, or a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && saneID.MatchString(id) {
		return id
	}
	return uuid.NewString()
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
		slog.String("queue", request.Queue),
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

// answerWriter is a ResponseWriter that remembers what was answered. While the service
// drains, it asks clients to close their connections, so that they move on to
// another replica without losing a request to a reset.
type answerWriter struct {
	http.ResponseWriter
	draining <-chan struct{}
	status   int // 0: nothing has been written
	bytes    int64
}

// WriteHeader begins the answer.
func (a *answerWriter) WriteHeader(status int) {
	if a.status == 0 {
		select {
		case <-a.draining:
			a.Header().Set("Connection", "close")
		default:
		}
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write goes on with the answer, or begins it with 200.
func (a *answerWriter) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answerWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// begun tells whether some of the answer has been written.
func begun(w http.ResponseWriter) bool {
	a, ok := w.(*answerWriter)
	return ok && a.status != 0
}
