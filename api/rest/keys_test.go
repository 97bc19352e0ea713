package rest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testserver"
)

// secured calls a server with authentication.
type secured struct {
	*testserver.Secure
	t *testing.T
}

// keyAnswer is what a call was answered.
type keyAnswer struct {
	status int
	header http.Header
	body   map[string]any
}

// call calls with headers of authorization, and a JSON body unless it is "".
func (s secured) call(method, path, body string, authorization ...string) keyAnswer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header["Authorization"] = authorization
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	wantSpecified(s.t, r, response.StatusCode)
	got := keyAnswer{status: response.StatusCode, header: response.Header}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = json.Unmarshal(text, &got.body)
	return got
}

func (s secured) admin() string { return "Bearer " + s.Token() }

func (s secured) want(got keyAnswer, status int, code any) {
	s.t.Helper()
	if got.status != status || got.body["code"] != code {
		s.t.Errorf("answered %d %v, want %d %v", got.status, got.body, status, code)
	}
}

func TestAuthorizationHeader(t *testing.T) {
	t.Parallel()
	s := secured{testserver.NewSecure(t), t}
	s.want(s.call("GET", "/v1/queues", "", s.admin()), 200, nil)
	s.want(s.call("GET", "/v1/queues", "", "bearer  "+s.Token()), 200, nil)
	other := service.NewCredentials().Token().Reveal()
	for name, headers := range map[string][]string{
		"none":          nil,
		"empty":         {""},
		"scheme alone":  {"Bearer"},
		"no token":      {"Bearer "},
		"unknown":       {"Bearer " + other},
		"no scheme":     {s.Token()},
		"Basic":         {"Basic " + s.Token()},
		"cut off":       {s.admin()[:len(s.admin())-1]},
		"one more":      {s.admin() + "a"},
		"wrong sum":     {s.admin()[:len(s.admin())-6] + "zzzzzz"},
		"two tokens":    {s.admin() + " " + s.Token()},
		"oversized":     {"Bearer " + strings.Repeat("a", 20_000)},
		"not ASCII":     {"Bearer tusq_\xff" + s.Token()[6:]},
		"by its id":     {"Bearer " + s.Admin.KeyID},
		"by its secret": {"Bearer " + s.Admin.Secret.Reveal()},
	} {
		got := s.call("GET", "/v1/queues", "", headers...)
		if got.status != 401 || got.body["code"] != "unauthenticated" || got.header.Get("WWW-Authenticate") == "" ||
			got.body["detail"] != "The request has no valid credentials." {
			t.Errorf("%s: answered %d %v %v", name, got.status, got.body, got.header)
		}
	}
	for _, second := range []string{s.admin(), "Bearer " + other} {
		got := s.call("GET", "/v1/queues", "", s.admin(), second)
		if got.status != 400 || got.body["code"] != "invalid_request" {
			t.Errorf("doubled: answered %d %v", got.status, got.body)
		}
	}
	for path, status := range map[string]int{
		"/livez": 200, "/readyz": 200, "/openapi.json": 200, "/docs": 200, "/metrics": 401, "/console": 200, "/v1/nothing": 401, // of which the console asks to sign in
	} {
		if got := s.call("GET", path, ""); got.status != status {
			t.Errorf("%s without a token: %d, want %d", path, got.status, status)
		}
	}
	s.want(s.call("HEAD", "/metrics", ""), 401, nil)
	s.want(s.call("HEAD", "/metrics", "", s.admin()), 200, nil)
	s.want(s.call("GET", "/metrics", "", s.admin()), 200, nil)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := secured{testserver.NewSecure(t), t}
	made := s.call("POST", "/v1/keys", `{"name":"shop","actions":["send_messages"],"queues":["orders-*"],"sources":["127.0.0.0/8"],"expires_in_seconds":3600}`, s.admin())
	s.want(made, 201, nil)
	id, _ := made.body["id"].(string)
	if made.header.Get("Location") != "/v1/keys/"+id || made.header.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %v", made.header)
	}
	token, _ := made.body["token"].(string)
	if c, ok := service.ParseToken(token); !ok || c.KeyID != id || c.Secret.Reveal() != made.body["secret"] {
		t.Errorf("the token %q is not that of %v", token, made.body)
	}
	s.want(s.call("POST", "/v1/queues", `{"name":"orders-1"}`, s.admin()), 201, nil)
	s.want(s.call("POST", "/v1/queues/orders-1/messages", `{"body":"x"}`, "Bearer "+token), 201, nil)
	s.want(s.call("GET", "/v1/queues/orders-1", "", "Bearer "+token), 403, "forbidden")
	s.want(s.call("GET", "/v1/keys", "", "Bearer "+token), 403, "forbidden")

	got := s.call("GET", "/v1/keys/"+id, "", s.admin())
	s.want(got, 200, nil)
	for _, hidden := range []string{"secret", "token"} {
		if got.body[hidden] != nil {
			t.Errorf("a key is shown with its %s", hidden)
		}
	}
	if keys, _ := s.call("GET", "/v1/keys", "", s.admin()).body["keys"].([]any); len(keys) != 2 {
		t.Errorf("there are %d keys, want 2", len(keys))
	}

	rotated := s.call("POST", "/v1/keys/"+id+"/rotate", `{"grace_seconds":60}`, s.admin())
	s.want(rotated, 200, nil)
	for _, each := range []string{token, rotated.body["token"].(string)} {
		s.want(s.call("POST", "/v1/queues/orders-1/messages", `{"body":"x"}`, "Bearer "+each), 201, nil)
	}
	s.want(s.call("POST", "/v1/keys/"+id+"/rotate", `{"grace_seconds":-1}`, s.admin()), 400, "invalid_parameter")
	s.want(s.call("DELETE", "/v1/keys/"+id, "", s.admin()), 204, nil)
	s.want(s.call("POST", "/v1/queues/orders-1/messages", `{"body":"x"}`, "Bearer "+token), 401, "unauthenticated")
	s.want(s.call("DELETE", "/v1/keys/"+id, "", s.admin()), 404, "key_not_found")
	s.want(s.call("GET", "/v1/keys/nothing", "", s.admin()), 404, "key_not_found")
	for _, bad := range []string{
		`{"actions":["send_messages"],"queues":["*"]}`,
		`{"name":"a","queues":["*"]}`,
		`{"name":"a","actions":["send_messages"]}`,
		`{"name":"a","actions":["fly"],"queues":["*"]}`,
		`{"name":"a","actions":["*"],"queues":["a*b"]}`,
		`{"name":"a","actions":["*"],"queues":["*"],"sources":["10.0.0.1"]}`,
		`{"name":"a","actions":["*"],"queues":["*"],"expires_in_seconds":0}`,
		`{"name":"a","actions":["*"],"queues":["*"],"expires_in_seconds":9223372036854775807}`,
		`{"name":"a","actions":["*"],"queues":["*"],"account":"1"}`,
		`{"name":"a\u0007","actions":["*"],"queues":["*"]}`,
	} {
		if got := s.call("POST", "/v1/keys", bad, s.admin()); got.status != 400 {
			t.Errorf("%s: %d %v, want 400", bad, got.status, got.body)
		}
	}
}

// A receive that waits ends when its key is revoked, on another replica.
func TestRevokeWhileWaiting(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	one := secured{testserver.SecureOn(t, url, service.Options{}), t}
	two := secured{testserver.SecureOn(t, url, service.Options{}), t}
	two.want(one.call("POST", "/v1/queues", `{"name":"orders"}`, one.admin()), 201, nil)
	made := one.call("POST", "/v1/keys", `{"name":"shop","actions":["receive_messages"],"queues":["orders"]}`, one.admin())
	token := "Bearer " + made.body["token"].(string)
	for end := time.Now().Add(9 * time.Second); two.call("POST", "/v1/queues/orders/messages/receive", "", token).status != 200; {
		if time.Now().After(end) {
			t.Fatal("the other replica does not know the key")
		}
	}
	answered := make(chan keyAnswer, 1)
	go func() {
		answered <- two.call("POST", "/v1/queues/orders/messages/receive", `{"wait_seconds":60}`, token)
	}()
	for two.Service.Waiting() == 0 && len(answered) == 0 {
		time.Sleep(time.Millisecond)
	}
	one.want(one.call("DELETE", "/v1/keys/"+made.body["id"].(string), "", one.admin()), 204, nil)
	select {
	case got := <-answered:
		two.want(got, 401, "unauthenticated")
	case <-time.After(9 * time.Second):
		t.Error("the receive still waits after 9 seconds")
	}
}
