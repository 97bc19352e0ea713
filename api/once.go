package api

import (
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// once are the headers of which a request has one at most. Two of them could be read as
// either: here as the first, by a proxy or another version as the last. (The headers that
// frame a request are net/http's, which refuses what has two readings; Idempotency-Key is REST's.)
// Those that are true are parts of credentials.
var once = map[string]bool{
	"Authorization":        true,
	"Content-Encoding":     false,
	"Content-Type":         false,
	"X-Amz-Content-Sha256": false,
	"X-Amz-Date":           true,
	"X-Amz-Security-Token": true,
	"X-Amz-Target":         false,
}

// refuseDoubles refuses a request that has twice what it may have once. Credentials that are refused
// so are noted like others.
func (m *middleware) refuseDoubles(d dialect) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name, credentials := doubled(r.Header)
			if name == "" {
				next.ServeHTTP(w, r)
				return
			}
			if credentials && m.auth {
				m.service.RefusedCredentials(r.Context(), auth.ClientIP(r.Context()), auth.ClaimedKey(r), service.CodeInvalidRequest)
			}
			d.writeError(w, r, service.Errorf(service.CodeInvalidRequest, "The header %s is given twice.", name))
		})
	}
}

// doubled returns a header that is given twice and may not be, or "": one of credentials, if there is one.
func doubled(header http.Header) (name string, credentials bool) {
	for n, values := range header {
		if ofCredentials, only := once[n]; only && len(values) > 1 && !credentials {
			name, credentials = n, ofCredentials
		}
	}
	return name, credentials
}
