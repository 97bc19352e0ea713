package web

import (
	"net/http"
	"testing"

	"tusq/api/auth"
	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

func TestTheConsoleOutlivesAnOutageOfTheDatabase(t *testing.T) {
	t.Parallel()
	line := pgtest.NewLine(t, pgtest.New(t))
	f := &fixture{t: t, svc: testservice.On(t, line.URL, service.Options{}), caller: testservice.Caller}
	f.handler = auth.Off(testservice.Account)(New(f.svc, Options{}))
	f.createQueue("orders", service.QueueChange{})

	line.Cut()
	for _, path := range []string{"/console/queues", "/console/queues/orders", "/console/live/queues", "/console/queues/orders/delete"} {
		got := f.get(path)
		got.want(t, http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" || len(refreshes(got)) != 1 {
			t.Errorf("%s: the page does not recover by itself", path)
		}
	}
	for path, field := range map[string]string{"/console/queues": "name", "/console/queues/orders/send": "body"} {
		form := f.post(path, field, "precious")
		form.want(t, http.StatusServiceUnavailable)
		if typed := form.input(t, field); typed != "precious" {
			t.Errorf("the form has the %s %q, want what was typed", field, typed)
		}
	}

	line.Mend()
	f.get("/console/queues/orders").want(t, http.StatusOK, "The queue is empty")
}
