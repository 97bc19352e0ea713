package api_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"tusq/api"
)

// A server that is for its own machine answers to its own names alone, in all dialects.
func TestHosts(t *testing.T) {
	t.Parallel()
	s := serve(t, api.Options{Hosts: []string{"localhost", "queue.example"}})
	any := serve(t, api.Options{})
	for host, want := range map[string]int{
		"": 200, "localhost": 200, "LOCALHOST:9324": 200, "127.0.0.1:9324": 200, "127.0.0.2": 200, "[::1]:9324": 200, "[::1]": 200, "queue.example": 200,
		"evil.example": 403, "evil.example:9324": 403, "127.0.0.1.evil.example": 403, "localhost.evil.example": 403, "192.0.2.1:9324": 403, "[2001:db8::1]": 403,
	} {
		for _, path := range []string{"/v1/queues", "/000000000000/orders", "/console/queues", "/readyz", "/metrics", "/openapi.json"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Host = host
			recorder := httptest.NewRecorder()
			s.router.ServeHTTP(recorder, r)
			if recorder.Code != want {
				t.Errorf("%s of %q: status %d, want %d: %s", path, host, recorder.Code, want, recorder.Body)
			}
			recorder = httptest.NewRecorder()
			any.router.ServeHTTP(recorder, r)
			if recorder.Code != http.StatusOK {
				t.Errorf("%s of %q where any name will do: status %d", path, host, recorder.Code)
			}
		}
	}
}
