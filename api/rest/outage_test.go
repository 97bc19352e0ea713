package rest_test

import (
	"net/http"
	"testing"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// Without its database the API answers 503 and when to try again.
func TestOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	line := pgtest.NewLine(t, pgtest.New(t))
	s := serve(t, testservice.On(t, line.URL, service.Options{}))
	path := s.createQueue("orders")
	s.sendMessage(path, "a")
	receipt := s.receiveOne(path, "").text("receipt")

	line.Cut()
	for _, call := range []struct{ method, path, body string }{
		{"POST", "/v1/queues", `{"name":"more"}`},
		{"GET", "/v1/queues", ""},
		{"PATCH", path, `{"wait_seconds":1}`},
		{"GET", path + "/stats", ""},
		{"GET", path + "/messages", ""},
		{"POST", path + "/messages", `{"body":"b"}`},
		{"POST", path + "/messages", `{"messages":[{"body":"b"},{"body":"c"}]}`},
		{"POST", path + "/messages/receive", `{"wait_seconds":60}`},
		{"DELETE", path + "/messages/" + receipt, ""},
		{"POST", path + "/redrive", ""},
		{"GET", path + "/redrives", ""},
		{"GET", "/v1/redrives/00000000-0000-7000-8000-000000000000", ""},
		{"DELETE", "/v1/redrives/00000000-0000-7000-8000-000000000000", ""},
	} {
		answer := s.call(call.method, call.path, call.body)
		answer.wantProblem(http.StatusServiceUnavailable, service.CodeUnavailable)
		if answer.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: no Retry-After", call.method, call.path)
		}
	}
}
