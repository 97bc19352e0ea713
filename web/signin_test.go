package web

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

const password = "correct horse battery staple"

var viewing = service.Rights{
	Actions: []service.Action{service.ActionListQueues, service.ActionGetQueue, service.ActionPeekMessages}, Queues: []string{"*"},
}

// browser is a browser in front of a console that people sign in to, over plain HTTP on the machine itself.
type browser struct {
	*fixture
	cookie *http.Cookie // of its session; nil: none
	host   string
}

func setupSignIn(t *testing.T, options Options) *browser {
	t.Helper()
	t.Parallel()
	keys, err := service.ParseMasterKeys(service.NewMasterKey().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	svc := testservice.On(t, pgtest.New(t), service.Options{Account: testservice.Account, MasterKeys: keys})
	options.Logger, options.SignIn = slog.New(slog.DiscardHandler), &SignIn{Account: testservice.Account}
	f := &fixture{t: t, svc: svc, caller: testservice.Caller}
	f.handler = New(svc, options)
	b := &browser{fixture: f, host: "localhost:9324"}
	b.createUser("ann", service.Everything())
	return b
}

func (b *browser) createUser(name string, rights service.Rights) {
	b.t.Helper()
	if _, err := b.svc.CreateUser(b.t.Context(), b.caller, service.CreateUser{Name: name, Password: password, Rights: rights}); err != nil {
		b.t.Fatalf("create user %s: %v", name, err)
	}
}

// do sends a request with the cookie, and keeps the one that comes back.
func (b *browser) do(r *http.Request) *page {
	b.t.Helper()
	r.Host = b.host
	if b.cookie != nil {
		r.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	}
	got := b.fixture.do(r)
	for _, cookie := range (&http.Response{Header: got.header}).Cookies() {
		if b.cookie = cookie; cookie.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return got
}

func (b *browser) get(path string) *page {
	b.t.Helper()
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *browser) post(path string, pairs ...string) *page {
	b.t.Helper()
	return b.do(postRequest(path, pairs...))
}

func postRequest(path string, pairs ...string) *http.Request {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func (b *browser) signIn(name, password string) *page {
	b.t.Helper()
	return b.post("/console/signin", "account", testservice.Account, "user", name, "password", password)
}

func TestSigningInIsAskedFor(t *testing.T) {
	b := setupSignIn(t, Options{})
	b.createQueue("orders", service.QueueChange{})
	b.send("orders", service.SendMessage{Body: "kept"})
	for path, next := range map[string]string{
		"/console":                            "/console/signin",
		"/console/queues":                     "/console/signin",
		"/console/queues?prefix=a&cursor=b":   "/console/signin?next=" + url.QueryEscape("/console/queues?prefix=a&cursor=b"),
		"/console/queues/orders":              "/console/signin?next=" + url.QueryEscape("/console/queues/orders"),
		"/console/queues/orders/purge":        "/console/signin?next=" + url.QueryEscape("/console/queues/orders/purge"),
		"/console/queues/orders/messages/1":   "/console/signin?next=" + url.QueryEscape("/console/queues/orders/messages/1"),
		"/console/live/queues":                "/console/signin",
		"/console/live/queues/orders":         "/console/signin",
		"/console/live/queues/orders/redrive": "/console/signin",
		"/console/none":                       "/console/signin?next=" + url.QueryEscape("/console/none"),
	} {
		b.get(path).wantRedirect(t, next)
	}
	for _, path := range []string{"queues", "queues/orders/send", "queues/orders/purge", "queues/orders/delete", "queues/orders/redrive", "queues/orders/redrives/1/cancel"} {
		b.post("/console/"+path, "confirm", "orders", "name", "evil", "body", "evil").wantRedirect(t, "/console/signin")
	}
	if got := b.peek("orders"); len(got) != 1 || got[0].Body != "kept" {
		t.Errorf("somebody who has not signed in has left %v", got)
	}
	part := httptest.NewRequest(http.MethodGet, "/console/live/queues/orders?seen=x", nil)
	part.Header.Set("HX-Request", "true")
	part.Header.Set("HX-Current-URL", "https://localhost/console/queues/orders?state=delayed")
	got := b.do(part)
	if want := "/console/signin?next=" + url.QueryEscape("/console/queues/orders?state=delayed"); got.status != http.StatusUnauthorized || got.header.Get("HX-Redirect") != want {
		t.Errorf("a page that polls got %d %q, want %q", got.status, got.header.Get("HX-Redirect"), want)
	}
	for name := range assets {
		if got := b.get(assetURL(name)); got.status != http.StatusOK {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	b.cookie = &http.Cookie{Name: plainCookie, Value: strings.Repeat("A", 43)}
	b.get("/console/queues").wantRedirect(t, "/console/signin")
}

func TestSigningInAndOut(t *testing.T) {
	b := setupSignIn(t, Options{})
	b.createQueue("orders", service.QueueChange{})
	b.send("orders", service.SendMessage{Body: "a"})
	b.get("/console/signin").want(t, http.StatusOK, "Sign in", "With a key")

	b.signIn("ann", password).wantRedirect(t, "/console/queues")
	first := *b.cookie
	if first.Name != "tusq" || !first.HttpOnly || first.SameSite != http.SameSiteStrictMode || first.Path != "/" || first.Domain != "" || first.MaxAge != 0 {
		t.Errorf("the cookie is %s", first.String())
	}
	b.get("/console/queues").want(t, http.StatusOK, "user ann", testservice.Account, "Sign out", "orders")
	b.get("/console/signin?next=/console/queues/orders").wantRedirect(t, "/console/queues/orders")
	b.post("/console/queues/orders/purge", "confirm", "orders").wantRedirect(t, "/console/queues/orders?done=purged&n=1")

	b.signIn("ann", password).wantRedirect(t, "/console/queues") // again: another session, and the first has ended
	second := *b.cookie
	if second.Value == first.Value {
		t.Error("two sessions have one token")
	}
	b.post("/console/signout").wantRedirect(t, "/console/signin")
	if b.cookie != nil {
		t.Errorf("after signing out the browser has %v", b.cookie)
	}
	for _, old := range []http.Cookie{first, second} { // and the button that leads back
		b.cookie = &old
		b.get("/console/queues/orders").wantRedirect(t, "/console/signin?next=%2Fconsole%2Fqueues%2Forders")
		b.post("/console/signout").wantRedirect(t, "/console/signin")
	}
	if got := b.get("/console/signout").status; got != http.StatusMethodNotAllowed {
		t.Errorf("a link signs out: %d", got)
	}
}

func TestSigningInByKey(t *testing.T) {
	b := setupSignIn(t, Options{})
	b.createQueue("orders", service.QueueChange{})
	key, credentials, err := b.svc.CreateKey(t.Context(), b.caller, service.CreateKey{Name: "viewer", Rights: viewing})
	if err != nil {
		t.Fatal(err)
	}
	token := credentials.Token().Reveal()
	wrong := b.post("/console/signin", "key", token[:len(token)-1]+"?")
	wrong.want(t, http.StatusUnauthorized, "not a valid key")
	b.post("/console/signin?next=%2Fconsole%2Fqueues%2Forders", "key", " "+token+"\n").wantRedirect(t, "/console/queues/orders")
	shown := b.get("/console/queues/orders")
	shown.want(t, http.StatusOK, "key "+key.ID, "The queue is empty")
	for _, beyond := range []string{"Purge…", "Delete…", "Send message"} {
		if shown.has(beyond) {
			t.Errorf("the page offers %q to a viewer", beyond)
		}
	}
	b.post("/console/queues/orders/purge", "confirm", "orders").want(t, http.StatusForbidden, "do not permit purge_queue", "Sign out")
	if err := b.svc.RevokeKey(t.Context(), b.caller, key.ID); err != nil {
		t.Fatal(err)
	}
	b.get("/console/queues/orders").wantRedirect(t, "/console/signin?next=%2Fconsole%2Fqueues%2Forders")
}

// What is wrong is not told, and what was typed is shown as text, but for secrets.
func TestSigningInRefuses(t *testing.T) {
	b := setupSignIn(t, Options{})
	const markup = `<img src=x onerror=alert(1)>"'`
	var texts []string
	for _, name := range []string{"ann", "nobody", markup} {
		got := b.signIn(name, "secret-canary")
		got.want(t, http.StatusUnauthorized, "not a user's name and password")
		texts = append(texts, strings.Join(got.texts("failure"), "|"))
		if shown := got.input(t, "user"); shown != name {
			t.Errorf("the form has the name %q, want %q", shown, name)
		}
		if strings.Contains(got.body, "secret-canary") || texts[0] != texts[len(texts)-1] {
			t.Errorf("for %q the page says %v:\n%s", name, texts, got.body)
		}
	}
	got := b.post("/console/signin", "account", markup, "user", "ann", "password", "x")
	got.want(t, http.StatusUnauthorized)
	if shown := got.input(t, "account"); shown != markup {
		t.Errorf("the form has the account %q", shown)
	}
	b.post("/console/signin", "user", strings.Repeat("x", maxSignIn)).want(t, http.StatusRequestEntityTooLarge)
	for _, name := range []string{"Sec-Fetch-Site", "Origin"} {
		r := postRequest("/console/signin", "account", testservice.Account, "user", "ann", "password", password)
		r.Header.Del("Sec-Fetch-Site")
		r.Header.Set(name, map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}[name])
		b.do(r).want(t, http.StatusForbidden, "another site")
	}
	for range 20 {
		if got = b.signIn("bob", "wrong"); got.status != http.StatusUnauthorized {
			break
		}
	}
	got.want(t, http.StatusTooManyRequests, "Too many attempts")
	if got.header.Get("Retry-After") == "" || b.cookie != nil {
		t.Errorf("Retry-After %q and the cookie %v", got.header.Get("Retry-After"), b.cookie)
	}
}

func TestSigningInLeadsOnlyToTheConsole(t *testing.T) {
	for next, want := range map[string]string{
		"":                                      "/console/queues",
		"/console/queues/a":                     "/console/queues/a",
		"/console/queues/a.fifo?state=visible":  "/console/queues/a.fifo?state=visible",
		"/console/queues/a%2Fb":                 "/console/queues/a%2Fb",
		"/console/audit":                        "/console/audit",
		"https://evil.example/console/queues":   "/console/queues",
		"//evil.example/console/queues":         "/console/queues",
		"/\\evil.example":                       "/console/queues",
		"\\\\evil.example":                      "/console/queues",
		"/console/../evil":                      "/console/queues",
		"/console/%2e%2e/evil":                  "/console/queues",
		"/console//evil.example":                "/console/queues",
		"/console/queues/..%2f..%2fdocs":        "/console/queues",
		"/consoles":                             "/console/queues",
		"/v1/queues":                            "/console/queues",
		"javascript:alert(1)":                   "/console/queues",
		" /console/queues/a":                    "/console/queues",
		"/console/queues/a\r\nSet-Cookie: a=b":  "/console/queues",
		"/console/queues/a\x00":                 "/console/queues",
		"/console/signin?next=/console/signin":  "/console/queues",
		"/console/signout":                      "/console/queues",
		"/console/live/queues":                  "/console/queues",
		"http:/console/queues/a":                "/console/queues",
		"/console/queues/a#//evil.example":      "/console/queues/a",
		"/console/queues/a?b=//evil.example\\x": "/console/queues/a?b=//evil.example\\x",
	} {
		if got := safeNext(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

// The cookie is bound to HTTPS wherever browsers come by it; without it, secrets are taken only
// on the machine itself.
func TestSigningInNeedsHTTPS(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // where httptest's requests come from
	forwarded := func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }
	for _, test := range []struct {
		name    string
		options Options
		host    string
		change  func(*http.Request)
		cookie  string // "": refused
	}{
		{"plain, on the machine", Options{}, "localhost:9324", nil, plainCookie},
		{"plain, on the machine by its address", Options{}, "127.0.0.1", nil, plainCookie},
		{"plain, on the machine by its IPv6 address", Options{}, "[::1]:9324", nil, plainCookie},
		{"plain, elsewhere", Options{}, "tusq.example", nil, ""},
		{"plain, elsewhere, by a name that looks local", Options{}, "localhost.example", nil, ""},
		{"TLS", Options{}, "tusq.example", func(r *http.Request) { r.TLS = &tls.ConnectionState{} }, secureCookie},
		{"a proxy that is not trusted", Options{}, "tusq.example", forwarded, ""},
		{"a trusted proxy", Options{TrustedProxies: proxies}, "tusq.example", forwarded, secureCookie},
		{"a trusted proxy with plain HTTP", Options{TrustedProxies: proxies}, "tusq.example", nil, ""},
		{"a public URL", Options{PublicURL: "https://tusq.example"}, "tusq.example", nil, secureCookie},
		{"a public URL with plain HTTP", Options{PublicURL: "http://tusq.example"}, "tusq.example", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := setupSignIn(t, test.options)
			b.host = test.host
			send := func(r *http.Request) *page {
				if test.change != nil {
					test.change(r)
				}
				return b.do(r)
			}
			form := send(httptest.NewRequest(http.MethodGet, "/console/signin", nil))
			got := send(postRequest("/console/signin", "account", testservice.Account, "user", "ann", "password", password))
			if test.cookie == "" {
				form.want(t, http.StatusOK, "not encrypted")
				got.want(t, http.StatusForbidden, "not encrypted")
				if b.cookie != nil || len(form.find(func(n *html.Node) bool { return n.Data == "input" })) > 0 {
					t.Errorf("the form is shown, or the cookie is %v", b.cookie)
				}
				return
			}
			got.wantRedirect(t, "/console/queues")
			if b.cookie.Name != test.cookie || b.cookie.Secure != (test.cookie == secureCookie) || !b.cookie.HttpOnly ||
				b.cookie.SameSite != http.SameSiteStrictMode || b.cookie.Path != "/" || b.cookie.Domain != "" {
				t.Errorf("the cookie is %s", b.cookie)
			}
			send(httptest.NewRequest(http.MethodGet, "/console/queues", nil)).want(t, http.StatusOK, "user ann")
		})
	}
}

// Every page that somebody who is signed in can come to keeps the rules for all pages, which do
// and readPage check, also where everything that can be typed or sent is markup.
func TestAllPagesOfSomebodySignedIn(t *testing.T) {
	b := setupSignIn(t, Options{})
	const markup = `</pre></textarea><script>alert(1)</script><img src=x onerror=alert(1) style=color:red>`
	b.createQueue("dead", service.QueueChange{})
	b.createQueue("orders", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1}, Tags: map[string]string{"a": "b"}})
	b.send("orders", service.SendMessage{Body: markup, GroupID: "a<b>", Attributes: map[string]service.Attribute{"a": {Type: "String", Value: markup}}})
	b.signIn("ann", password).wantRedirect(t, "/console/queues")

	seen := map[string]bool{}
	var visit func(path string)
	visit = func(path string) {
		path, _, _ = strings.Cut(path, "#")
		if !strings.HasPrefix(path, "/console/") || strings.HasPrefix(path, "/console/static/") || seen[path] {
			return
		}
		seen[path] = true
		got := b.get(path)
		if got.status >= http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, got.status, got.text())
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, got.header.Get("Cache-Control"))
		}
		if !strings.HasPrefix(path, "/console/live/") && got.root != nil {
			got.want(t, http.StatusOK, "user ann", "Sign out")
		}
		for _, node := range got.find(func(n *html.Node) bool { return n.Data == "a" || value(n, "hx-get") != "" }) {
			visit(value(node, "href"))
			visit(value(node, "hx-get"))
		}
	}
	for _, path := range []string{"/console/queues", "/console/queues/orders", "/console/queues/dead", "/console/queues/orders/send", "/console/queues/dead/redrive"} {
		visit(path)
	}
	if len(seen) < 15 {
		t.Errorf("only %d pages were found: %v", len(seen), seen)
	}
	for path, name := range map[string]string{
		"/console/queues": "name", "/console/queues/orders/send": "attributes", "/console/queues/orders/purge": "confirm", "/console/queues/dead/redrive": "destination",
	} {
		got := b.post(path, name, markup, "body", "a")
		if got.status < http.StatusBadRequest || got.input(t, name) != markup || !got.has("user ann") {
			t.Errorf("%s with markup: %d, the form has %q", path, got.status, got.input(t, name))
		}
	}
	b.get("/console/queues?prefix="+url.QueryEscape(markup)).want(t, http.StatusOK, markup)
}
