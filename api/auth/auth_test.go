package auth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"tusq/api/auth"
	"tusq/service"
)

func TestOff(t *testing.T) {
	t.Parallel()
	var got service.Caller
	handler := auth.Off("123456789012")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = auth.Caller(r.Context())
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if got.Account != "123456789012" {
		t.Errorf("got %+v", got)
	}
	if caller := auth.Caller(context.Background()); caller != (service.Caller{}) {
		t.Errorf("without middleware there is the caller %+v", caller)
	}
}
