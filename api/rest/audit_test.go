package rest_test

import (
	"net/http"
	"testing"

	"tusq/service"
)

func TestAudit(t *testing.T) {
	s := setup(t)
	s.createQueue("a")
	s.createQueue("b")
	s.sendMessage("/v1/queues/a", "body")
	s.call("POST", "/v1/queues/a/purge", "").want(http.StatusOK)
	page := s.call("GET", "/v1/audit?limit=2&result=ok&actor=owner", "").want(http.StatusOK)
	entries := page.list("entries")
	if len(entries) != 2 || entries[0].text("action") != "purge_queue" || entries[1].text("resource") != "b" {
		t.Fatalf("got %v", page)
	}
	wantEqual(t, entries[0]["detail"], value{"count": 1, "messages": 1})
	for _, field := range []string{"id", "at", "account", "request_id"} {
		if entries[0].text(field) == "" {
			t.Errorf("the entry has no %s: %v", field, entries[0])
		}
	}
	rest := s.call("GET", "/v1/audit?limit=2&result=ok&actor=owner&cursor="+page.text("cursor"), "").want(http.StatusOK)
	if entries := rest.list("entries"); len(entries) != 1 || entries[0].text("resource") != "a" || rest["cursor"] != nil {
		t.Errorf("the next page is %v", rest)
	}
	if filtered := s.call("GET", "/v1/audit?action=purge_queue", "").want(http.StatusOK).list("entries"); len(filtered) != 1 {
		t.Errorf("filtered, got %v", filtered)
	}
	s.call("GET", "/v1/audit?limit=0", "").wantProblem(http.StatusBadRequest, service.CodeInvalidParameter)
	s.call("GET", "/v1/audit?cursor=a", "").wantProblem(http.StatusBadRequest, service.CodeInvalidParameter)
	s.call("GET", "/v1/audit?account=1", "").wantProblem(http.StatusBadRequest, service.CodeInvalidRequest)
}
