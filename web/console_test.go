package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tusq/api/auth"
	"tusq/service"
	secrets "tusq/test/canary"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

// fixture is a console over a service of its own.
type fixture struct {
	t       *testing.T
	svc     *service.Service
	caller  service.Caller
	handler http.Handler
}

func setup(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	svc := testservice.New(t)
	console := New(svc, Options{Logger: secrets.Logger(t)})
	return &fixture{t: t, svc: svc, caller: testservice.Caller, handler: auth.Off(testservice.Account)(console)}
}

// do sends a request. Each page that comes back is held against the rules for all pages.
func (f *fixture) do(r *http.Request) *page {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return readPage(f.t, w)
}

func (f *fixture) get(path string) *page {
	f.t.Helper()
	return f.do(httptest.NewRequest(http.MethodGet, path, nil))
}

// post sends a form as a browser does.
func (f *fixture) post(path string, pairs ...string) *page {
	f.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return f.postRaw(path, form.Encode())
}

func (f *fixture) postRaw(path, form string) *page {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return f.do(r)
}

func (f *fixture) createQueue(name string, change service.QueueChange) {
	f.t.Helper()
	create := service.CreateQueue{Name: name, QueueChange: change}
	if _, _, err := f.svc.CreateQueue(f.t.Context(), f.caller, create); err != nil {
		f.t.Fatalf("create queue %s: %v", name, err)
	}
}

func (f *fixture) send(queue string, messages ...service.SendMessage) {
	f.t.Helper()
	sent, err := f.svc.SendMessages(f.t.Context(), f.caller, queue, service.SendMessages{Messages: messages})
	if err != nil {
		f.t.Fatalf("send to %s: %v", queue, err)
	}
	for _, one := range sent {
		if one.Err != nil {
			f.t.Fatalf("send to %s: %v", queue, one.Err)
		}
	}
}

func (f *fixture) peek(queue string) []service.Message {
	f.t.Helper()
	found, err := f.svc.PeekMessages(f.t.Context(), f.caller, queue, service.PeekMessages{})
	if err != nil {
		f.t.Fatalf("peek %s: %v", queue, err)
	}
	return found.Messages
}

func (f *fixture) stats(queue string) service.Stats {
	f.t.Helper()
	stats, err := f.svc.GetQueueStats(f.t.Context(), f.caller, queue)
	if err != nil {
		f.t.Fatalf("stats of %s: %v", queue, err)
	}
	return stats
}

func TestConsoleLeadsToTheList(t *testing.T) {
	f := setup(t)
	for _, path := range []string{"/console", "/console/"} {
		f.get(path).wantRedirect(t, "/console/queues")
	}
}

func TestUnknownAddresses(t *testing.T) {
	f := setup(t)
	for _, path := range []string{"/console/nope", "/console/queues/a/b/c/d", "/console/live", "/console/queues/"} {
		f.get(path).want(t, http.StatusNotFound, "no page at this address")
	}
	if got := f.get("/console/static/nope.css").status; got != http.StatusNotFound {
		t.Errorf("unknown static file: status %d, want 404", got)
	}
}

func TestOtherMethods(t *testing.T) {
	f := setup(t)
	tests := []struct{ method, path, allow string }{
		{http.MethodDelete, "/console/queues", "GET, HEAD, POST"},
		{http.MethodPut, "/console/queues/orders", "GET, HEAD"},
		{http.MethodPost, "/console/live/queues", "GET, HEAD"},
	}
	for _, test := range tests {
		got := f.do(httptest.NewRequest(test.method, test.path, nil))
		got.want(t, http.StatusMethodNotAllowed, "does not take "+test.method)
		if allow := strings.Join(got.header.Values("Allow"), ", "); allow != test.allow {
			t.Errorf("%s %s: Allow %q, want %q", test.method, test.path, allow, test.allow)
		}
	}
}

func TestHeadIsAnsweredLikeGet(t *testing.T) {
	f := setup(t)
	if got := f.do(httptest.NewRequest(http.MethodHead, "/console/queues", nil)).status; got != http.StatusOK {
		t.Errorf("HEAD: status %d, want 200", got)
	}
}

func TestOtherSitesAreRefused(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.send("orders", service.SendMessage{Body: "kept"})
	f.createQueue("dead", service.QueueChange{})
	f.createQueue("source", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1}})
	headers := []struct{ name, value string }{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"},
	}
	for _, header := range headers {
		for path, form := range map[string]string{
			"/console/queues":               "name=evil",
			"/console/queues/orders/send":   "body=evil",
			"/console/queues/orders/purge":  "confirm=orders",
			"/console/queues/orders/delete": "confirm=orders",
			"/console/queues/dead/redrive":  "",
		} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(header.name, header.value)
			f.do(r).want(t, http.StatusForbidden, "came from another site")
		}
	}
	if messages := f.peek("orders"); len(messages) != 1 || messages[0].Body != "kept" {
		t.Errorf("messages after refused requests: %v, want the one that was there", messages)
	}
	if redrives, err := f.svc.ListRedrives(t.Context(), f.caller, "dead", 1); err != nil || len(redrives) != 0 {
		t.Errorf("a refused request has started %v, %v", redrives, err)
	}
	if f.get("/console/queues").has("evil") {
		t.Error("a refused request has made a queue")
	}
}

func TestStaticFilesAreCachedByContent(t *testing.T) {
	f := setup(t)
	for name := range assets {
		named := f.get(assetURL(name))
		if named.status != http.StatusOK || !strings.Contains(named.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s by its hash: status %d, Cache-Control %q", name, named.status, named.header.Get("Cache-Control"))
		}
		plain := f.get("/console/static/" + name + "?v=another")
		if got := plain.header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("%s by another hash: Cache-Control %q, want no-cache", name, got)
		}
		again := httptest.NewRequest(http.MethodGet, "/console/static/"+name, nil)
		again.Header.Set("If-None-Match", plain.header.Get("ETag"))
		if got := f.do(again).status; got != http.StatusNotModified {
			t.Errorf("%s with its ETag: status %d, want 304", name, got)
		}
	}
	types := map[string]string{"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
	for name, want := range types {
		if got := f.get(assetURL(name)).header.Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: Content-Type %q, want %s", name, got, want)
		}
	}
}
