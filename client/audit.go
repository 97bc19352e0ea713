package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// ListAudit asks for a page of the audit log, the newest entries first.
type ListAudit struct {
	Actor, Action, Result string // only entries with exactly these; empty: any
	Limit                 int    // 1 to 1000; 0: 1000
	Cursor                string // of the page before; empty for the first
}

// AuditEntry is a line of the audit log: who did what, or was refused it.
type AuditEntry struct {
	ID        string      `json:"id"`
	At        time.Time   `json:"at"`
	Account   string      `json:"account,omitempty"`  // whose queues it was about; empty: not known
	Actor     string      `json:"actor,omitempty"`    // empty: nobody was recognised
	Action    string      `json:"action"`             // of a refusal: the right that was not there
	Resource  string      `json:"resource,omitempty"` // the queue, mostly
	Client    string      `json:"client,omitempty"`   // the address that it came from
	RequestID string      `json:"request_id,omitempty"`
	Result    string      `json:"result"` // ok, or an error's code
	Detail    AuditDetail `json:"detail"`
}

// AuditDetail is what else there is to say.
type AuditDetail struct {
	Count       int64    `json:"count"`                 // how often it happened, in about a second
	Settings    []string `json:"settings,omitempty"`    // that were set or changed
	Messages    int64    `json:"messages,omitempty"`    // that were purged, were to be moved, or were moved until a redrive was cancelled
	Redrive     string   `json:"redrive,omitempty"`     // its id
	Destination string   `json:"destination,omitempty"` // of a redrive; empty: where each message came from
	Rate        int      `json:"rate,omitempty"`        // of a redrive: messages per second
}

// AuditPage is one page of the audit log.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	Cursor  string       `json:"cursor"` // of the next page; empty on the last
}

// ListAudit returns a page of the audit log.
func (c *Client) ListAudit(ctx context.Context, list ListAudit) (AuditPage, error) {
	query := pageQuery("actor", list.Actor, list.Limit, list.Cursor)
	if list.Action != "" {
		query.Set("action", list.Action)
	}
	if list.Result != "" {
		query.Set("result", list.Result)
	}
	var page AuditPage
	_, _, err := c.do(ctx, call{name: "ListAudit", method: http.MethodGet, path: "/v1/audit", query: query}, &page)
	return page, err
}

// Audit goes through the audit log from the page that list asks for, the newest entries first. It ends
// after the first error.
func (c *Client) Audit(ctx context.Context, list ListAudit) iter.Seq2[AuditEntry, error] {
	return func(yield func(AuditEntry, error) bool) {
		for {
			page, err := c.ListAudit(ctx, list)
			if err != nil {
				yield(AuditEntry{}, err)
				return
			}
			for _, entry := range page.Entries {
				if !yield(entry, nil) {
					return
				}
			}
			if page.Cursor == "" {
				return
			}
			list.Cursor = page.Cursor
		}
	}
}
