package web

import (
	"net/http"
	"strconv"

	"tusq/api/auth"
	"tusq/service"
)

type queueView struct {
	Queue    service.Queue
	Counts   countsView
	Filters  []filter
	Messages []messageRow
	Sealed   failure // why the messages are not shown: the server cannot decrypt them
	State    service.State
	Paged    bool   // not the first page of messages
	Next     string // address of the next page; empty on the last
	Send     sendView
	Redrive  redriveView
	May      mayView
}

// mayView is what the caller may do with the queue, where not everybody may.
type mayView struct{ Peek, Send, Purge, Delete, Redrive bool }

func newMay(caller service.Caller, queue string) mayView {
	return mayView{
		Peek:    caller.May(service.ActionPeekMessages, queue),
		Send:    caller.May(service.ActionSendMessages, queue),
		Purge:   caller.May(service.ActionPurgeQueue, queue),
		Delete:  caller.May(service.ActionDeleteQueue, queue),
		Redrive: caller.May(service.ActionRedriveQueue, queue),
	}
}

// countsView is the part of the page that is polled.
type countsView struct {
	service.Stats
	Live string // where to ask for the next state, given this one
}

// filter is a link that shows the messages of one state.
type filter struct {
	Label   string
	URL     string
	Current bool
}

func (c *console) getQueue(w http.ResponseWriter, r *http.Request) error {
	ctx, caller, name := r.Context(), auth.Caller(r.Context()), r.PathValue("queue")
	queue, err := c.svc.GetQueue(ctx, caller, name)
	if err != nil {
		return err
	}
	counts, err := c.svc.GetQueueStats(ctx, caller, name)
	if err != nil {
		return err
	}
	peek := readPeek(r)
	may := newMay(caller, name)
	var messages service.MessagePage
	var sealed failure
	if may.Peek {
		messages, err = c.svc.PeekMessages(ctx, caller, name, peek)
		switch {
		case service.ErrorCode(err) == service.CodeMasterKeyMissing:
			sealed = formFailure(err)
		case err != nil:
			return err
		}
	}
	var redrive redriveView
	if may.Redrive {
		if redrive, err = c.readRedrive(ctx, name); err != nil {
			return err
		}
	}
	page := queueView{
		Queue:    queue,
		Counts:   newCounts(name, counts),
		Filters:  filters(name, peek.State),
		Messages: newMessageRows(name, messages.Messages, peek),
		Sealed:   sealed,
		State:    peek.State,
		Paged:    peek.Cursor != "",
		Send:     sendView{Queue: name},
		Redrive:  redrive,
		May:      may,
	}
	if messages.Cursor != "" {
		page.Next = withQuery(queueURL(name), "state", string(peek.State), "cursor", messages.Cursor)
	}
	return c.render(w, r, view{Template: "queue", Title: name, Notice: notice(r), Page: page})
}

// liveQueue answers the queue page's poll: the counts, or nothing (204) where they are as the page has them.
func (c *console) liveQueue(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("queue")
	counts, err := c.svc.GetQueueStats(r.Context(), auth.Caller(r.Context()), name)
	if err != nil {
		return err
	}
	if r.FormValue("seen") == fingerprint(counts) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.renderPart(w, "counts", newCounts(name, counts))
}

func newCounts(name string, counts service.Stats) countsView {
	return countsView{Stats: counts, Live: withQuery(liveURL(name), "seen", fingerprint(counts))}
}

func filters(name string, current service.State) []filter {
	states := []struct {
		label string
		state service.State
	}{
		{"All", ""}, {"Visible", service.StateVisible}, {"In flight", service.StateInFlight}, {"Delayed", service.StateDelayed},
	}
	links := make([]filter, len(states))
	for i, s := range states {
		address := withQuery(queueURL(name), "state", string(s.state))
		links[i] = filter{Label: s.label, URL: address, Current: s.state == current}
	}
	return links
}

// notice says what the form has done that led to this page. The texts are fixed:
// an address made by someone else cannot put words here.
func notice(r *http.Request) string {
	switch r.FormValue("done") {
	case "created":
		return "The queue was created."
	case "existed":
		return "The queue existed already, with these settings."
	case "deleted":
		return "The queue was deleted."
	case "sent":
		return "The message was sent."
	case "redriving":
		return "The redrive was started."
	case "cancelling":
		return "The redrive ends."
	case "purged":
		if n, err := strconv.ParseInt(r.FormValue("n"), 10, 64); err == nil && n >= 0 {
			return "Messages purged: " + formatCount(n) + "."
		}
	}
	return ""
}
