// Package api is tusq's HTTP face: the route tree, the middleware around it, and
// the routes for operation. The dialects behind it only translate.
package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"tusq/api/auth"
	"tusq/api/rest"
	"tusq/internal/telemetry"
	"tusq/service"
)

// Limits of one request's body, and of all that are held at a time where Options
// names no other, in bytes. Escapes make JSON up to six times as long as its text.
const (
	MaxBodyREST             = 16 << 20
	MaxBodySQS              = 8 << 20
	DefaultMaxBytesInFlight = int64(256 << 20)
)

// DefaultAnswerTimeout is the least time that a client has to read an answer.
const DefaultAnswerTimeout = 30 * time.Second

// Options are what the router connects.
type Options struct {
	Service          *service.Service
	Logger           *slog.Logger
	Metrics          *telemetry.Metrics
	Account          string       // of every caller, 12 digits, where authentication is off
	Auth             bool         // REST takes tokens, and SQS authenticates by itself; else everybody may do everything
	MetricsPublic    bool         // with Auth: /metrics needs no token
	SQS              http.Handler // Amazon SQS's dialect; may be an ErrorWriter
	Console          http.Handler // serves /console and all below; may be an ErrorWriter
	MaxBytesInFlight int64        // bytes of request bodies held at a time; 0: DefaultMaxBytesInFlight

	// Hosts are the names by which this server may be asked for, beside addresses of loopback
	// interfaces. nil: any name will do.
	Hosts []string

	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix

	// AnswerTimeout is how long a client may take to read an answer, or each 2 MiB of a
	// longer one, until its connection is cut. 0: DefaultAnswerTimeout.
	AnswerTimeout time.Duration

	// BodyGrace is how long a body of more than 64 KiB may stay out after its header; what
	// has come earns it a second for each 256 KiB. 0: 15 seconds.
	BodyGrace time.Duration
}

// ErrorWriter is a dialect's handler that has its own form for the errors that
// the middleware finds, with Retry-After where trying again helps. The others'
// errors are REST's problems.
type ErrorWriter interface {
	WriteError(w http.ResponseWriter, r *http.Request, err error)
}

// NewRouter returns the handler of every route.
func NewRouter(o Options) http.Handler {
	m := newMiddleware(o)
	off := auth.Off(o.Account)
	byToken, byHandler, forMetrics := off, off, off
	if o.Auth {
		byToken, byHandler = auth.Bearer(o.Service, rest.WriteError), auth.Nobody
		if forMetrics = auth.Nobody; !o.MetricsPublic {
			forMetrics = func(next http.Handler) http.Handler { return byToken(mayMeasure(o.Service, next)) }
		}
	}
	toSQS := dialect{name: "sqs", maxBody: MaxBodySQS, writeError: errorWriter(o.SQS)}
	toREST := dialect{name: "rest", maxBody: MaxBodyREST, writeError: rest.WriteError}
	toConsole := dialect{name: "web", maxBody: MaxBodyREST, writeError: errorWriter(o.Console)}
	toOps := dialect{name: "ops", maxBody: 0, writeError: rest.WriteError}

	r := chi.NewRouter()
	r.NotFound(sqsElsewhere(chi.Chain(append(m.enter(toSQS), byHandler)...).Handler(o.SQS)))
	r.MethodNotAllowed(rest.MethodNotAllowed)

	r.Route("/v1", func(r chi.Router) {
		r.NotFound(rest.NotFound)
		r.Use(m.enter(toREST)...)
		r.Use(byToken)
		rest.Routes(r, o.Service)
	})
	r.Group(func(r chi.Router) {
		r.Use(m.enter(toSQS)...)
		r.Use(byHandler)
		r.Post("/", o.SQS.ServeHTTP)
		r.Get("/", consoleForBrowsers(o.SQS))
		r.Handle("/{account:[0-9]{12}}/{queue}", o.SQS)
	})
	r.Group(func(r chi.Router) {
		r.Use(m.enter(toConsole)...)
		r.Use(strictTransport)
		r.Use(byHandler)
		r.Handle("/console", o.Console)
		r.Handle("/console/*", o.Console)
	})
	r.Group(func(r chi.Router) {
		r.Use(m.enter(toOps)...)
		read(r, "/livez", operation("livez", livez))
		read(r, "/readyz", operation("readyz", readyz(o.Service)))
		read(r.With(forMetrics), "/metrics", operation("metrics", o.Metrics.Handler().ServeHTTP))
		read(r, "/openapi.json", operation("openapi", serveSpecification))
		read(r, "/docs", operation("docs", serveDocs))
		read(r, "/docs/{asset}", operation("docs", serveDocsAsset))
	})
	return newEntrance(r, m)
}

// sqsElsewhere serves requests of AWS JSON at paths that nothing else has: an SDK posts to the path of its endpoint,
// or of the queue's URL, whatever it is. Others are not found.
func sqsElsewhere(sqs http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.") {
			sqs.ServeHTTP(w, r)
			return
		}
		rest.NotFound(w, r)
	}
}

// read routes GET, and HEAD, by which uptime checkers ask: its answer's body is left out by net/http.
func read(r chi.Router, path string, handle http.HandlerFunc) {
	r.Get(path, handle)
	r.Head(path, handle)
}

// mayMeasure passes on the requests of those who may read the metrics.
func mayMeasure(svc *service.Service, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := svc.MayMeasure(r.Context(), auth.Caller(r.Context())); err != nil {
			rest.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// strictTransport has browsers that came by TLS come back by nothing else, for a year.
// Behind a proxy that ends TLS, that is the proxy's to say.
func strictTransport(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// errorWriter returns how errors are written for requests to handler.
func errorWriter(handler http.Handler) writeError {
	if own, ok := handler.(ErrorWriter); ok {
		return own.WriteError
	}
	return rest.WriteError
}

// consoleForBrowsers sends a person's browser to the console, and leaves all other
// requests, such as an action in a query string, to next.
func consoleForBrowsers(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" && strings.Contains(r.Header.Get("Accept"), "text/html") {
			telemetry.SetAction(r.Context(), "home")
			http.Redirect(w, r, "/console", http.StatusFound)
			return
		}
		next.ServeHTTP(w, r)
	}
}
