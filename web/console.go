// Package web is the console: tusq's third translator, for people. It turns
// browsers' requests into calls of the core and its answers into HTML, rendered
// here and complete without JavaScript; with it the counts are live.
//
// Message bodies, attribute names and everything in a URL may come from an
// attacker: they are shown as text only. The Content-Security-Policy allows
// nothing inline and nothing from elsewhere, and a request that changes
// something must come from the console's own pages.
package web

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"

	"tusq/internal/telemetry"
	"tusq/service"
)

// Options configure the console.
type Options struct {
	Logger *slog.Logger // of what people purge, delete and redrive; nil: slog.Default()
	SignIn *SignIn      // nil: callers are found by others, or authentication is off

	PublicURL      string         // under which browsers reach the server; "": the request's own
	TrustedProxies []netip.Prefix // whose X-Forwarded-Proto and X-Forwarded-Host are believed
}

// New makes the handler of /console and all paths below it. Without SignIn it expects
// the caller of each request in its context, as tusq/api/auth puts it there; with it,
// people sign in here.
func New(svc *service.Service, options Options) http.Handler {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	c := &console{
		svc: svc, log: options.Logger, signIn: options.SignIn, mux: http.NewServeMux(),
		publicURL: strings.TrimRight(options.PublicURL, "/"), proxies: options.TrustedProxies,
	}
	c.routes()
	return c
}

type console struct {
	svc    *service.Service
	log    *slog.Logger
	signIn *SignIn // nil: nobody signs in here
	mux    *http.ServeMux

	publicURL string // see Options
	proxies   []netip.Prefix
	origin    http.CrossOriginProtection
}

// handler answers one request, or returns the error that the console tells.
type handler func(http.ResponseWriter, *http.Request) error

func (c *console) routes() {
	c.mux.Handle("GET /console", http.RedirectHandler(listPath, http.StatusSeeOther))
	c.mux.Handle("GET /console/{$}", http.RedirectHandler(listPath, http.StatusSeeOther))
	c.mux.HandleFunc("GET /console/static/{file}", serveAsset)

	if c.signIn != nil {
		c.handle("GET "+signInPath, "signIn", c.signInForm)
		c.handle("POST "+signInPath, "signIn", c.beginSession)
		c.handle("POST "+signOutPath, "signOut", c.signOut)
	}

	c.handle("GET /console/queues", "listQueues", c.listQueues)
	c.handle("POST /console/queues", "createQueue", c.createQueue)
	c.handle("GET /console/live/queues", "listQueues", c.liveQueues)

	c.handle("GET /console/queues/{queue}", "getQueue", c.getQueue)
	c.handle("GET /console/live/queues/{queue}", "getQueueStats", c.liveQueue)
	c.handle("GET /console/queues/{queue}/messages/{id}", "peekMessages", c.peekMessage)
	c.handle("GET /console/queues/{queue}/send", "sendMessages", c.sendForm)
	c.handle("POST /console/queues/{queue}/send", "sendMessages", c.sendMessage)

	c.handle("GET /console/queues/{queue}/redrive", "startRedrive", c.redriveForm)
	c.handle("POST /console/queues/{queue}/redrive", "startRedrive", c.startRedrive)
	c.handle("GET /console/live/queues/{queue}/redrive", "listRedrives", c.liveRedrive)
	c.handle("POST /console/queues/{queue}/redrives/{id}/cancel", "cancelRedrive", c.cancelRedrive)

	c.handle("GET /console/queues/{queue}/purge", "purgeQueue", c.confirmForm(purging))
	c.handle("POST /console/queues/{queue}/purge", "purgeQueue", c.purgeQueue)
	c.handle("GET /console/queues/{queue}/delete", "deleteQueue", c.confirmForm(deletion))
	c.handle("POST /console/queues/{queue}/delete", "deleteQueue", c.deleteQueue)

	c.handle("GET /console/audit", "listAudit", c.listAudit)
}

// handle routes a pattern to h. The action names what is asked for in logs and metrics.
func (c *console) handle(pattern, action string, h handler) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		telemetry.SetAction(r.Context(), action)
		telemetry.SetQueue(r.Context(), r.PathValue("queue"))
		if err := h(w, r); err != nil {
			c.fail(w, r, err)
		}
	})
}

const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// maxForm bounds a posted form: the largest message with every byte percent-encoded, and room for the rest.
const maxForm = 4 * service.MaxMessageBytes

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if err := c.origin.Check(r); err != nil {
		c.errorPage(w, r, http.StatusForbidden, "This request came from another site and was refused: nothing was changed.")
		return
	}
	if c.signIn != nil && !isOpen(r.URL.Path) {
		if r = c.recognise(w, r); r == nil {
			return
		}
	}
	if _, pattern := c.mux.Handler(r); pattern == "" {
		c.noRoute(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	c.mux.ServeHTTP(w, r)
}

// WriteError answers a request that did not come as far as the console.
func (c *console) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	secure(w.Header())
	c.fail(w, r, err)
}

func secure(header http.Header) {
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
}

// noRoute answers a path that is not there (404), or not with this method (405).
func (c *console) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		other := *r
		other.Method = method
		if _, pattern := c.mux.Handler(&other); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if allowed == nil {
		c.errorPage(w, r, http.StatusNotFound, "The console has no page at this address.")
		return
	}
	for _, method := range allowed {
		w.Header().Add("Allow", method)
	}
	c.errorPage(w, r, http.StatusMethodNotAllowed, "This address does not take "+r.Method+" requests.")
}
