package api

import (
	"net/http"

	"tusq/service"
)

// once are the headers of which a request has one at most. Two of them could be read as
// either: here as the first, by a proxy or another version as the last. (The headers that
// frame a request are net/http's, which refuses what has two readings; Idempotency-Key is REST's.)
var once = map[string]bool{
	"Authorization":        true,
	"Content-Encoding":     true,
	"Content-Type":         true,
	"X-Amz-Content-Sha256": true,
	"X-Amz-Date":           true,
	"X-Amz-Security-Token": true,
	"X-Amz-Target":         true,
}

// refuseDoubles refuses a request that has twice what it may have once.
func (m *middleware) refuseDoubles(d dialect) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for name, values := range r.Header {
				if len(values) > 1 && once[name] {
					d.writeError(w, r, service.Errorf(service.CodeInvalidRequest, "The header %s is given twice.", name))
					return
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}
