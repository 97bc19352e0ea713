//go:build !race

package api_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tusq/api"
)

// The bound is what the middleware needs today: the exchange, the request's copy, the
// id, the body's reservation, and one for the test's own request. Who adds one here adds
// it to every request of every user.
func TestMiddlewareAllocations(t *testing.T) {
	s := serve(t, api.Options{
		Logger: slog.New(slog.DiscardHandler),
		SQS: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}),
	})
	template := httptest.NewRequest("POST", "/", nil)
	template.ContentLength = 5
	text := strings.NewReader("")
	body := io.NopCloser(text)
	w := &connection{header: http.Header{}, deadlines: make([]int, 0, 1)}
	got := testing.AllocsPerRun(1000, func() {
		r := *template
		text.Reset("hello")
		r.Body = body
		w.deadlines = w.deadlines[:0]
		s.router.ServeHTTP(w, &r)
	})
	if got > 5 {
		t.Errorf("%v allocations, want at most 5", got)
	}
}
