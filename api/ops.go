package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"tusq/internal/telemetry"
	"tusq/service"
)

// readyTimeout bounds the question whether the service is ready.
const readyTimeout = 2 * time.Second

// operation names a route for operation in the log and the metrics.
func operation(name string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		telemetry.SetAction(r.Context(), name)
		next(w, r)
	}
}

// livez answers while the process can answer at all.
func livez(w http.ResponseWriter, _ *http.Request) {
	answerText(w, http.StatusOK, "ok\n")
}

// readyz tells a load balancer whether to send requests here: 200, or 503 and why not.
func readyz(svc *service.Service) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := svc.Ready(ctx); err != nil {
			w.Header().Set("Retry-After", "1")
			answerText(w, http.StatusServiceUnavailable, service.ErrorMessage(err)+"\n")
			return
		}
		answerText(w, http.StatusOK, "ok\n")
	}
}

func answerText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
