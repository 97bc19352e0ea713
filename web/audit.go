package web

import (
	"fmt"
	"net/http"
	"strings"

	"tusq/api/auth"
	"tusq/service"
)

const (
	auditPath      = "/console/audit"
	entriesPerPage = 100
)

type auditView struct {
	Actor, Action, Result string // the filter
	Entries               []auditRow
	Paged                 bool   // not the first page
	First, Next           string // addresses of pages; Next is empty on the last
	Failure               failure
}

// Filtered tells whether not all entries are asked for.
func (v auditView) Filtered() bool { return v.Actor+v.Action+v.Result != "" }

type auditRow struct {
	service.AuditEntry
	Text string // the detail
}

func (c *console) listAudit(w http.ResponseWriter, r *http.Request) error {
	list := service.ListAudit{
		Actor: r.FormValue("actor"), Action: r.FormValue("action"), Result: r.FormValue("result"),
		Limit: entriesPerPage, Cursor: r.FormValue("cursor"),
	}
	page := auditView{Actor: list.Actor, Action: list.Action, Result: list.Result, Paged: list.Cursor != ""}
	page.First = withQuery(auditPath, "actor", list.Actor, "action", list.Action, "result", list.Result)
	shown := view{Template: "audit", Title: "Audit log"}
	entries, err := c.svc.ListAudit(r.Context(), auth.Caller(r.Context()), list)
	switch status := statuses[service.ErrorCode(err)]; {
	case err == nil:
	case status != http.StatusBadRequest:
		return err
	default:
		page.Failure, shown.Status = formFailure(err), status
	}
	for _, entry := range entries.Entries {
		page.Entries = append(page.Entries, auditRow{entry, detailText(entry.Detail)})
	}
	if entries.Cursor != "" {
		page.Next = withQuery(auditPath, "actor", list.Actor, "action", list.Action, "result", list.Result, "cursor", entries.Cursor)
	}
	shown.Page = page
	return c.render(w, r, shown)
}

// detailText tells an entry's detail in words.
func detailText(detail service.AuditDetail) string {
	var text []string
	if detail.Count > 1 {
		text = append(text, fmt.Sprintf("%d times", detail.Count))
	}
	if len(detail.Settings) > 0 {
		text = append(text, strings.Join(detail.Settings, ", "))
	}
	if detail.Messages > 0 {
		text = append(text, fmt.Sprintf("messages: %d", detail.Messages))
	}
	if detail.Redrive != "" {
		text = append(text, "redrive "+detail.Redrive)
	}
	if detail.Destination != "" {
		text = append(text, "to "+detail.Destination)
	}
	if detail.Rate > 0 {
		text = append(text, fmt.Sprintf("%d per second", detail.Rate))
	}
	return strings.Join(text, "; ")
}
