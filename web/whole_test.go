package web_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tusq/api/auth/sigv4"
	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

// TestAVisit goes through the whole server over TLS as a browser does that keeps the rules for cookies:
// it signs in by a key and as a user, purges, signs out, and goes back.
func TestAVisit(t *testing.T) {
	t.Parallel()
	secure := testserver.NewSecure(t)
	server := httptest.NewTLSServer(testserver.SecureHandler(t, secure.Service, sigv4.Options{}))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.Jar = jar
	visit := func(wantPath string, send func() (*http.Response, error)) string {
		t.Helper()
		response, err := send()
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := response.Request.URL.RequestURI(); got != wantPath || response.StatusCode != http.StatusOK {
			t.Fatalf("came to %s, %d, want %s:\n%s", got, response.StatusCode, wantPath, body)
		}
		return string(body)
	}
	get := func(path, wantPath string) string {
		t.Helper()
		return visit(wantPath, func() (*http.Response, error) { return client.Get(server.URL + path) })
	}
	post := func(path, wantPath string, pairs ...string) string {
		t.Helper()
		form := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return visit(wantPath, func() (*http.Response, error) { return client.PostForm(server.URL+path, form) })
	}

	get("/console", "/console/signin")
	post("/console/signin", "/console/queues", "key", secure.Token())
	post("/console/queues", "/console/queues/orders?done=created", "name", "orders")
	post("/console/queues/orders/send", "/console/queues/orders?done=sent", "body", "<b>hello</b>")
	post("/console/signout", "/console/signin")

	create := service.CreateUser{Name: "ann", Password: "correct horse battery staple", Rights: service.Everything()}
	if _, err := secure.Service.CreateUser(t.Context(), testservice.Caller, create); err != nil {
		t.Fatal(err)
	}
	back := "/console/signin?next=" + url.QueryEscape("/console/queues/orders")
	get("/console/queues/orders", back)
	page := post(back, "/console/queues/orders", "account", testservice.Account, "user", create.Name, "password", create.Password)
	if !strings.Contains(page, "&lt;b&gt;hello&lt;/b&gt;") || strings.Contains(page, "<b>hello</b>") || !strings.Contains(page, "user ann") {
		t.Errorf("the queue's page:\n%s", page)
	}
	address, _ := url.Parse(server.URL)
	cookies := jar.Cookies(address)
	if len(cookies) != 1 || cookies[0].Name != "__Host-tusq" {
		t.Errorf("the browser keeps %v", cookies)
	}
	post("/console/queues/orders/purge", "/console/queues/orders?done=purged&n=1", "confirm", "orders")
	post("/console/signout", "/console/signin")
	get("/console/queues/orders", back)       // the button that leads back
	jar.SetCookies(address, cookies)          // and somebody who has kept the cookie
	get("/console/queues/orders", back)       //
	get("/console/queues", "/console/signin") // and the list
}

// Sessions are the console's alone: no other part of the server takes one, or a console's key.
func TestASessionIsNoKey(t *testing.T) {
	t.Parallel()
	secure := testserver.NewSecure(t)
	token, err := secure.Service.SignIn(t.Context(), service.SignIn{Token: secure.Token()})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/queues", "/v1/users"} {
		for _, header := range []string{"Authorization: Bearer " + token, "Cookie: tusq=" + token, "Cookie: __Host-tusq=" + token} {
			name, value, _ := strings.Cut(header, ": ")
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, secure.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set(name, value)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with %s: %d, want 401", path, name, response.StatusCode)
			}
		}
	}
}
