package auth

import (
	"net/http"
	"strings"

	"tusq/service"
)

// maxAuthorization bounds the header in bytes: a token is much shorter.
const maxAuthorization = 1024

// Bearer is the middleware for authentication by tokens: Authorization: Bearer tusq_... What it
// refuses is answered by writeError.
func Bearer(svc *service.Service, writeError func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller, err := svc.CallerOfToken(r.Context(), bearerToken(r), ClientIP(r.Context()))
			if err != nil {
				writeError(w, r, err)
				return
			}
			next.ServeHTTP(w, identify(r, caller))
		})
	}
}

// bearerToken returns the token of a request that has exactly one, or "", which is none.
func bearerToken(r *http.Request) string {
	headers := r.Header["Authorization"]
	if len(headers) != 1 {
		return ""
	}
	return tokenOf(headers[0])
}

// tokenOf returns the token of an Authorization header, or "".
func tokenOf(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if len(authorization) > maxAuthorization || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}
