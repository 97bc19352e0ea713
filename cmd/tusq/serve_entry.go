package main

import (
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// entry answers requests from the moment at which the port is open. The service's routes do once it has started. Until then
// whoever asks is told so: a client that is connected and gets no answer cannot go elsewhere.
type entry struct {
	*door
	server *http.Server
	routes atomic.Pointer[http.Handler]
}

func newEntry(d *door, log *slog.Logger) *entry {
	e := &entry{door: d}
	e.server = httpServer(e, log)
	return e
}

// run answers requests until the server is shut down.
func (e *entry) run() error { return e.serve(e.server) }

// close ends the server with whatever is still open.
func (e *entry) close() { _ = e.server.Close() }

// admit has requests go to the routes from now on.
func (e *entry) admit(routes http.Handler) { e.routes.Store(&routes) }

// maxHeaders is how many values a request's headers may have. Each costs much more memory than the two bytes that it may have,
// and is held while the body is on its way.
const maxHeaders = 200

// headersOf counts the values of headers.
func headersOf(header http.Header) (n int) {
	for _, values := range header {
		n += len(values)
	}
	return n
}

// ServeHTTP serves one request.
func (e *entry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if headersOf(r.Header) > maxHeaders {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // whatever is left of the request is not waited for
		w.Header().Set("Connection", "close")
		http.Error(w, "The request has too many headers.", http.StatusRequestHeaderFieldsTooLarge)
		return
	}
	if routes := e.routes.Load(); routes != nil {
		(*routes).ServeHTTP(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Connection", "close") // with whatever is left of the request
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.URL.Path == "/livez" {
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	header.Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, "This replica is starting.\n")
}
