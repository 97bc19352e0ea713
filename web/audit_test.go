package web

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/net/html"

	"tusq/service"
)

func TestAuditPage(t *testing.T) {
	f := setup(t)
	f.get("/console/audit").want(t, http.StatusOK, "Nothing has been noted yet.")
	for n := range entriesPerPage {
		f.createQueue(fmt.Sprint("queue-", n), service.QueueChange{})
	}
	f.send("queue-0", service.SendMessage{Body: "body"})
	f.post("/console/queues/queue-0/purge", "confirm", "queue-0")
	first := f.get("/console/audit")
	first.want(t, http.StatusOK, "owner", "purge_queue", "messages: 1", "create_queue", "queue-99")
	second := f.get(first.link(t, "Next page"))
	second.want(t, http.StatusOK, "queue-0")
	if got := auditRows(second); got != 1 {
		t.Errorf("the second page has %d entries, want 1", got)
	}
	if back := second.link(t, "First page"); back != "/console/audit" {
		t.Errorf("the first page is at %q", back)
	}
	filtered := f.get("/console/audit?action=purge_queue&result=ok&actor=owner")
	filtered.want(t, http.StatusOK, "purge_queue")
	if got := auditRows(filtered); got != 1 {
		t.Errorf("filtered, the page has %d entries, want 1", got)
	}
	none := f.get("/console/audit?actor=" + url.QueryEscape(canary))
	none.want(t, http.StatusOK, "No entry is like this.")
	if shown := none.input(t, "actor"); shown != canary {
		t.Errorf("the form has %q", shown)
	}
	f.get("/console/audit?cursor=x").want(t, http.StatusBadRequest, "This is not a cursor of this audit log.")
}

func auditRows(p *page) int {
	return len(p.find(func(n *html.Node) bool { return n.Data == "tr" && n.Parent.Data == "tbody" }))
}
