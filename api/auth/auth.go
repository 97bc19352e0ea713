// Package auth turns a request's credentials into the service.Caller that the
// request is made for. Each way of authentication is one middleware here, and
// the router chooses one; everything behind it asks Caller.
package auth

import (
	"context"
	"net/http"

	"tusq/api/auth/sigv4"
	"tusq/service"
)

type callerKey struct{}

// Key is the key of a context's *service.Caller, for a context type that carries one
// as a field. Others call WithCaller.
var Key any = callerKey{}

// WithCaller returns a context whose calls are made for caller.
func WithCaller(ctx context.Context, caller service.Caller) context.Context {
	return context.WithValue(ctx, Key, &caller)
}

// Caller returns the caller that middleware has found, or the zero Caller, which
// owns nothing, where none has.
func Caller(ctx context.Context) service.Caller {
	if caller, ok := ctx.Value(Key).(*service.Caller); ok {
		return *caller
	}
	return service.Caller{}
}

// Identify returns r as made for caller, for those who find callers by means of their own.
func Identify(r *http.Request, caller service.Caller) *http.Request { return identify(r, caller) }

// identify returns r as made for caller: itself, where its context has a place for
// one, or else a copy.
func identify(r *http.Request, caller service.Caller) *http.Request {
	if place, ok := r.Context().Value(Key).(*service.Caller); ok {
		*place = caller
		return r
	}
	return r.WithContext(WithCaller(r.Context(), caller))
}

// ClaimedKey returns the id of the key that a request's credentials name, a token or a signature, or
// "". They are not verified, and a request that is to be refused may have several.
func ClaimedKey(r *http.Request) string {
	for _, authorization := range r.Header["Authorization"] {
		if credentials, ok := service.ParseToken(tokenOf(authorization)); ok {
			return credentials.KeyID
		}
	}
	return sigv4.KeyID(r)
}

// Nobody is the middleware for requests that are authenticated behind it, or not at all.
func Nobody(next http.Handler) http.Handler { return next }

// Off is the middleware for authentication switched off: every request is made
// for account, whatever credentials it carries.
func Off(account string) func(http.Handler) http.Handler {
	caller := service.Owner(account)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller := caller
			caller.From = ClientIP(r.Context())
			next.ServeHTTP(w, identify(r, caller))
		})
	}
}
