// Package auth turns a request's credentials into the service.Caller that the
// request is made for. Each way of authentication is one middleware here, and
// the router chooses one; everything behind it asks Caller.
package auth

import (
	"context"
	"net/http"

	"tusq/service"
)

type callerKey struct{}

// WithCaller returns a context whose calls are made for caller.
func WithCaller(ctx context.Context, caller service.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// Caller returns the caller that middleware has found, or the zero Caller, which
// owns nothing, where none has.
func Caller(ctx context.Context) service.Caller {
	caller, _ := ctx.Value(callerKey{}).(service.Caller)
	return caller
}

// Off is the middleware for authentication switched off: every request is made
// for account, whatever credentials it carries.
func Off(account string) func(http.Handler) http.Handler {
	caller := service.Caller{Account: account}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), caller)))
		})
	}
}
