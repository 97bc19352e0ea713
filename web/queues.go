package web

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// queuesPerPage bounds what one poll of the list costs: as many counts.
const queuesPerPage = 25

type queuesView struct {
	Prefix   string
	Paged    bool   // not the first page
	Next     string // address of the next page; empty on the last
	Failure  failure
	Rows     rowsView
	Create   createView
	Endpoint string // the server's own address, for the examples
	Keys     bool   // whether callers need them
}

// rowsView is the part of the list that is polled.
type rowsView struct {
	Rows []queueRow
	Live string // where to ask for the next state, given this one
}

type queueRow struct {
	Name   string
	Counts service.Stats
}

func (c *console) listQueues(w http.ResponseWriter, r *http.Request) error {
	prefix, cursor := r.FormValue("prefix"), r.FormValue("cursor")
	page := queuesView{Prefix: prefix, Paged: cursor != "", Endpoint: c.endpoint(r), Keys: c.signIn != nil}
	shown := view{Template: "queues", Title: "Queues", Notice: notice(r)}

	rows, next, err := c.readRows(r.Context(), prefix, cursor)
	switch status := statuses[service.ErrorCode(err)]; {
	case err == nil:
		page.Rows = rowsView{Rows: rows, Live: liveList(prefix, cursor, rows)}
	case status >= http.StatusInternalServerError:
		return err
	default:
		page.Failure = formFailure(err)
		shown.Status = status
	}
	if next != "" {
		page.Next = withQuery(listPath, "prefix", prefix, "cursor", next)
	}
	shown.Page = page
	return c.render(w, r, shown)
}

// liveQueues answers the list's poll: its rows, or nothing (204) where they are as the page has them.
func (c *console) liveQueues(w http.ResponseWriter, r *http.Request) error {
	prefix, cursor := r.FormValue("prefix"), r.FormValue("cursor")
	rows, _, err := c.readRows(r.Context(), prefix, cursor)
	if err != nil {
		return err
	}
	if r.FormValue("seen") == fingerprint(rows) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.renderPart(w, "rows", rowsView{Rows: rows, Live: liveList(prefix, cursor, rows)})
}

// readRows reads a page of queues and their counts, one after the other: a poll
// takes one connection, not all.
func (c *console) readRows(ctx context.Context, prefix, cursor string) ([]queueRow, string, error) {
	caller := auth.Caller(ctx)
	list := service.ListQueues{Prefix: prefix, Limit: queuesPerPage, Cursor: cursor}
	queues, err := c.svc.ListQueues(ctx, caller, list)
	if err != nil {
		return nil, "", err
	}
	rows := make([]queueRow, 0, len(queues.Queues))
	for _, queue := range queues.Queues {
		counts, err := c.svc.GetQueueStats(ctx, caller, queue.Name)
		if service.ErrorCode(err) == service.CodeQueueNotFound {
			continue // deleted since
		}
		if err != nil {
			return nil, "", err
		}
		rows = append(rows, queueRow{Name: queue.Name, Counts: counts})
	}
	return rows, queues.Cursor, nil
}

func liveList(prefix, cursor string, rows []queueRow) string {
	return withQuery("/console/live/queues", "prefix", prefix, "cursor", cursor, "seen", fingerprint(rows))
}

// fingerprint tells whether what a page shows is still so.
func fingerprint(shown any) string {
	hash := fnv.New64a()
	_, _ = fmt.Fprint(hash, shown) // a hash takes everything
	return fmt.Sprintf("%x", hash.Sum64())
}
