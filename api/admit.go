package api

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tusq/service"
)

// admit bounds a request's body, and the bytes of all bodies in flight: it reserves
// a body's length before any of it is read, and refuses the request if that is too
// much. A body of unknown length reserves the dialect's limit until it has been read. It
// is the last on its connection: in a request that has a length too, which net/http passes
// over, what follows may be meant as a part of it by a proxy that goes by the length.
func (m *middleware) admit(d dialect) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength == 0 {
				next.ServeHTTP(w, r)
				return
			}
			if r.ContentLength > d.maxBody {
				d.writeError(w, r, service.Errorf(service.CodeRequestTooLarge,
					"The body has %d bytes; the limit is %d.", r.ContentLength, d.maxBody))
				return
			}
			size := r.ContentLength
			if size < 0 {
				size = d.maxBody
			}
			if !m.budget.reserve(size) {
				m.metrics.Overloaded.Inc()
				d.writeError(w, r, service.Errorf(service.CodeOverloaded,
					"The server holds as many bytes of requests as it may. Try again."))
				return
			}
			body := &heldBody{ReadCloser: r.Body, budget: m.budget, reserved: size, pace: m.newPace(w, r.ContentLength)}
			if r.ContentLength < 0 { // a known length bounds the body by itself
				w.Header().Set("Connection", "close")
				body.ReadCloser = http.MaxBytesReader(w, r.Body, d.maxBody)
			}
			defer body.release()
			r.Body = body
			next.ServeHTTP(w, r)
		})
	}
}

// byteBudget bounds the bytes of request bodies that are held at a time. What a
// request makes of its body (decoded text, a statement's parameters) is a small
// multiple of that.
type byteBudget struct {
	limit int64
	gauge prometheus.Gauge

	mu   sync.Mutex
	held int64
}

// reserve takes n bytes and tells whether they were there.
func (b *byteBudget) reserve(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.limit-b.held {
		return false
	}
	b.held += n
	b.gauge.Set(float64(b.held))
	return true
}

// release gives n bytes back.
func (b *byteBudget) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held -= n
	b.gauge.Set(float64(b.held))
}

// heldBody is a body whose bytes are reserved until its request is answered. At
// its end the reservation shrinks to what the body really had, so that a long poll
// does not hold a dialect's limit.
type heldBody struct {
	io.ReadCloser
	budget   *byteBudget
	reserved int64
	read     int64
	pace     *pace // nil: it may take its time
}

// Read reads on, at the body's pace, and shrinks the reservation at the end.
func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	switch {
	case errors.Is(err, io.EOF):
		b.end()
	case b.pace != nil && err == nil:
		b.pace.came(b.read)
	}
	return n, err
}

func (b *heldBody) end() {
	if b.pace != nil {
		b.pace.done()
	}
	if b.read < b.reserved {
		b.budget.release(b.reserved - b.read)
		b.reserved = b.read
	}
}

func (b *heldBody) release() {
	b.budget.release(b.reserved)
	b.reserved = 0
}
