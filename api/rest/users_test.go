package rest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const newAnn = `{"name":"ann","password":"correct horse battery staple","actions":["list_queues","get_queue"],"queues":["orders-*"]}`

func TestUsers(t *testing.T) {
	s := setup(t)
	made := s.call("POST", "/v1/users", newAnn)
	var user struct {
		Name            string
		Actions, Queues []string
	}
	if err := json.Unmarshal([]byte(made.body), &user); err != nil || made.status != http.StatusCreated ||
		made.header.Get("Location") != "/v1/users/ann" || user.Name != "ann" || strings.Join(user.Actions, " ") != "list_queues get_queue" ||
		strings.Join(user.Queues, " ") != "orders-*" || strings.Contains(made.body, "password") {
		t.Fatalf("%d %s %s", made.status, made.header.Get("Location"), made.body)
	}
	if got := s.call("GET", made.header.Get("Location"), ""); got.status != http.StatusOK || got.body != made.body {
		t.Errorf("at its Location: %d %s", got.status, got.body)
	}
	if all := s.call("GET", "/v1/users?limit=1", ""); all.status != http.StatusOK || !strings.HasPrefix(all.body, `{"users":[{"name":"ann",`) || strings.Contains(all.body, "cursor") {
		t.Errorf("%d %s", all.status, all.body)
	}
	changed := s.call("PATCH", "/v1/users/ann", `{"actions":["*"],"queues":["*"],"password":"another pass phrase"}`)
	if changed.status != http.StatusOK || !strings.Contains(changed.body, `"actions":["*"],"queues":["*"]`) {
		t.Errorf("%d %s", changed.status, changed.body)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/v1/users", newAnn, http.StatusConflict, "user_exists"},
		{"POST", "/v1/users", strings.Replace(newAnn, "get_queue", "fly", 1), http.StatusBadRequest, "invalid_parameter"},
		{"POST", "/v1/users", strings.Replace(newAnn, "ann", "<b>", 1), http.StatusBadRequest, "invalid_parameter"},
		{"POST", "/v1/users", `{"name":"bob"}`, http.StatusBadRequest, "missing_parameter"},
		{"PATCH", "/v1/users/ann", `{"actions":[]}`, http.StatusBadRequest, "missing_parameter"},
		{"PATCH", "/v1/users/ann", `{"queues":[]}`, http.StatusBadRequest, "missing_parameter"},
		{"PATCH", "/v1/users/ann", `{"password":""}`, http.StatusBadRequest, "missing_parameter"},
		{"PATCH", "/v1/users/ann", `{"name":"bob"}`, http.StatusBadRequest, "invalid_request"},
		{"PATCH", "/v1/users/bob", `{}`, http.StatusNotFound, "user_not_found"},
		{"DELETE", "/v1/users/bob", "", http.StatusNotFound, "user_not_found"},
		{"GET", "/v1/users?limit=0", "", http.StatusBadRequest, "invalid_parameter"},
		{"GET", "/v1/users?cursor=!", "", http.StatusBadRequest, "invalid_parameter"},
		{"DELETE", "/v1/users/ann", "", http.StatusNoContent, ""},
	} {
		got := s.call(test.method, test.path, test.body)
		var problem struct{ Code string }
		_ = json.Unmarshal([]byte(got.body), &problem)
		if got.status != test.status || problem.Code != test.code {
			t.Errorf("%s %s %s: %d %s", test.method, test.path, test.body, got.status, got.body)
		}
	}
}
