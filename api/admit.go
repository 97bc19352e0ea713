package api

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tusq/internal/buffers"
	"tusq/service"
)

// admit bounds a request's body, and the bytes of all bodies in flight. Room is reserved
// before a byte is read, and as the bytes come, not by what is announced: nobody has been
// authenticated yet, and who announces much must not hold up others by that. A body that is
// longer than what is free now is refused at once. One of unknown length is the last on its
// connection: in a request that has a length too, which net/http passes over, what follows
// may be meant as a part of it by a proxy that goes by the length.
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
			body := &heldBody{ReadCloser: r.Body, most: r.ContentLength, middleware: m}
			if r.ContentLength < 0 { // a known length bounds the body by itself
				w.Header().Set("Connection", "close")
				body.most, body.ReadCloser = d.maxBody, http.MaxBytesReader(w, r.Body, d.maxBody)
			}
			if !m.budget.has(r.ContentLength) || !body.reserve() {
				d.writeError(w, r, m.overloaded())
				return
			}
			defer body.release()
			body.pace = m.newPace(w, r.ContentLength)
			r.Body = body
			next.ServeHTTP(w, r)
		})
	}
}

// overloaded counts a refusal and says why.
func (m *middleware) overloaded() error {
	m.metrics.Overloaded.Inc()
	return service.Errorf(service.CodeOverloaded, "The server holds as many bytes of requests as it may. Try again.")
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

// has tells whether n bytes are there, which others may take then.
func (b *byteBudget) has(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return n <= b.limit-b.held
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

// heldBody is a body whose bytes are reserved until its request is answered.
type heldBody struct {
	io.ReadCloser
	*middleware
	most     int64 // that can come
	reserved int64
	read     int64
	pace     *pace // nil: it may take its time
}

// reserve takes room for what comes next: as much as has come, so that a long body asks seldom.
func (b *heldBody) reserve() bool {
	next := min(max(buffers.FirstBytes, b.reserved), b.most-b.reserved)
	if !b.budget.reserve(next) {
		return false
	}
	b.reserved += next
	return true
}

// Read reads on, at the body's pace, as far as there is room. Where there is none it fails with CodeOverloaded.
func (b *heldBody) Read(p []byte) (int, error) {
	if b.read == b.reserved && b.reserved < b.most && !b.reserve() {
		return 0, b.overloaded()
	}
	if room := b.reserved - b.read; room > 0 && int64(len(p)) > room { // 0: all has come, but for its end
		p = p[:room]
	}
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

// end gives back what a body of unknown length did not need, which may be of a receive that waits.
func (b *heldBody) end() {
	if b.pace != nil {
		b.pace.done()
	}
	b.budget.release(b.reserved - b.read)
	b.reserved, b.most = b.read, b.read
}

func (b *heldBody) release() {
	b.budget.release(b.reserved)
	b.reserved = 0
}
