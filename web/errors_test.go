package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tusq/internal/telemetry"
	"tusq/service"
)

func TestEachCodeHasAStatusAndAHeading(t *testing.T) {
	for _, code := range service.Codes {
		status, ok := statuses[code]
		if !ok {
			t.Errorf("the code %s has no status", code)
		}
		if headings[status] == "" {
			t.Errorf("the status %d of the code %s has no heading", status, code)
		}
	}
	if len(statuses) != len(service.Codes) {
		t.Errorf("%d statuses for %d codes", len(statuses), len(service.Codes))
	}
}

// failing answers a request to a console with err, as a page or as a form, and returns
// what the log is told of it.
func failing(t *testing.T, method, path string, err error) (*page, *telemetry.Request) {
	t.Helper()
	c := &console{mux: http.NewServeMux()}
	c.handle("GET /console/queues/{queue}", "getQueue", func(http.ResponseWriter, *http.Request) error { return err })
	c.handle("POST /console/queues/{queue}/send", "sendMessages", func(w http.ResponseWriter, r *http.Request) error {
		form := sendView{Queue: "orders", Failure: formFailure(err), Body: "precious"}
		return c.refill(w, r, err, view{Template: "send", Page: form})
	})
	told := &telemetry.Request{ID: "request-1"}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequestWithContext(telemetry.WithRequest(t.Context(), told), method, path, nil))
	return readPage(t, w), told
}

func TestAPageWithoutDatabaseRecoversByItself(t *testing.T) {
	err := service.Errorf(service.CodeUnavailable, "The database cannot be reached.")
	got, told := failing(t, http.MethodGet, "/console/queues/orders", err)
	got.want(t, http.StatusServiceUnavailable, "The database cannot be reached.")
	if again := got.header.Get("Retry-After"); again != "2" {
		t.Errorf("Retry-After %q, want 2", again)
	}
	if refresh := refreshes(got); len(refresh) != 1 || refresh[0] != "2" {
		t.Errorf("the page loads itself again after %q seconds, want 2", refresh)
	}
	if told.Action != "getQueue" || told.Queue != "orders" || !errors.Is(told.Err, err) {
		t.Errorf("the log is told of %+v", told)
	}
}

func TestAFormWithoutDatabaseKeepsWhatWasTyped(t *testing.T) {
	err := service.Errorf(service.CodeUnavailable, "The database cannot be reached.")
	got, _ := failing(t, http.MethodPost, "/console/queues/orders/send", err)
	got.want(t, http.StatusServiceUnavailable, "The database cannot be reached.")
	if typed := got.input(t, "body"); typed != "precious" {
		t.Errorf("the form has the body %q, want what was typed", typed)
	}
	if got.header.Get("Retry-After") != "2" || refreshes(got) != nil {
		t.Errorf("Retry-After %q, reload %q, want 2 and none", got.header.Get("Retry-After"), refreshes(got))
	}
}

func TestAFaultIsLoggedAndNotShown(t *testing.T) {
	secret := errors.New("secret detail")
	got, told := failing(t, http.MethodGet, "/console/queues/orders", secret)
	got.want(t, http.StatusInternalServerError, "Internal error", "request-1")
	if strings.Contains(got.body, "secret") || !errors.Is(told.Err, secret) {
		t.Errorf("the cause belongs into the log, not on the page; the log is told of %+v", told)
	}
	if got, _ := failing(t, http.MethodPost, "/console/queues/orders/send", secret); strings.Contains(got.body, "secret") {
		t.Error("a form shows the cause of a fault")
	}
}

func TestCallersErrorsAreNotLogged(t *testing.T) {
	err := service.Errorf(service.CodeQueueNotFound, "The queue is gone: %s", canary)
	got, told := failing(t, http.MethodGet, "/console/queues/orders", err)
	got.want(t, http.StatusNotFound, canary)
	if told.Err != nil {
		t.Errorf("the log is told of %v", told.Err)
	}
}

func TestErrorsFromOutsideAreConsolePages(t *testing.T) {
	f := setup(t)
	inner, ok := New(f.svc, Options{}).(interface {
		WriteError(http.ResponseWriter, *http.Request, error)
	})
	if !ok {
		t.Fatal("the console does not write the errors of the middleware around it")
	}
	w := httptest.NewRecorder()
	err := service.Errorf(service.CodeOverloaded, "Too much is under way.")
	inner.WriteError(w, httptest.NewRequest(http.MethodGet, "/console/queues", nil), err)
	readPage(t, w).want(t, http.StatusServiceUnavailable, "Too much is under way.")
}

func TestNobodyIsToldOfAnAbortedCall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := setup(t)
	got := f.do(httptest.NewRequestWithContext(ctx, http.MethodGet, "/console/queues", nil))
	if got.status != statusClientGone || got.body != "" {
		t.Errorf("status %d with %d bytes, want 499 with none", got.status, len(got.body))
	}
}

func refreshes(p *page) []string {
	var seconds []string
	for _, node := range p.find(func(n *html.Node) bool { return value(n, "http-equiv") == "refresh" }) {
		seconds = append(seconds, value(node, "content"))
	}
	return seconds
}
