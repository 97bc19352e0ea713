package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"tusq/api/auth"
	"tusq/service"
)

const (
	messagesPerPage = 25
	previewBytes    = 160     // of a body in the table's row
	excerptBytes    = 4 << 10 // of a body below the row; the message's own page has all of it
)

// messageRow is a peeked message as the pages show it.
type messageRow struct {
	service.Message
	StateLabel string
	Age        string // since it was sent
	Ahead      string // until it becomes visible; empty when it is
	Preview    string
	Excerpt    string
	Shortened  bool // the excerpt is not all of the body
	Named      []namedAttribute
	URL        string // its own page
}

type namedAttribute struct {
	Name   string
	Type   string
	Value  string
	Binary bool
}

type messageView struct {
	Queue   string
	Message messageRow
}

var stateLabels = map[service.State]string{
	service.StateVisible:  "Visible",
	service.StateInFlight: "In flight",
	service.StateDelayed:  "Delayed",
}

func readPeek(r *http.Request) service.PeekMessages {
	return service.PeekMessages{
		State:  service.State(r.FormValue("state")),
		Limit:  messagesPerPage,
		Cursor: r.FormValue("cursor"),
	}
}

// peekMessage shows one message whole. Messages are peeked by the page, so it looks for
// the message where the link was found.
func (c *console) peekMessage(w http.ResponseWriter, r *http.Request) error {
	name, id, peek := r.PathValue("queue"), r.PathValue("id"), readPeek(r)
	page, err := c.svc.PeekMessages(r.Context(), auth.Caller(r.Context()), name, peek)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(page.Messages, func(m service.Message) bool { return m.ID == id })
	if at < 0 {
		return service.Errorf(service.CodeMessageNotFound,
			"The message is not here any more: it was deleted, has expired, or has moved on since the page was loaded.")
	}
	message := newMessageRows(name, page.Messages[at:at+1], peek)[0]
	return c.render(w, r, view{Template: "message", Title: "Message " + id, Page: messageView{Queue: name, Message: message}})
}

func newMessageRows(queue string, messages []service.Message, peek service.PeekMessages) []messageRow {
	now := time.Now()
	rows := make([]messageRow, len(messages))
	for i, message := range messages {
		row := messageRow{
			Message:    message,
			StateLabel: stateLabels[message.State],
			Age:        formatAge(now.Sub(message.SentAt)),
			Preview:    oneLine(message.Body, previewBytes),
			Named:      nameAttributes(message.Attributes),
			URL:        withQuery(queueURL(queue, "messages", message.ID), "state", string(peek.State), "cursor", peek.Cursor),
		}
		if message.State != service.StateVisible {
			row.Ahead = formatAge(message.VisibleAt.Sub(now))
		}
		row.Excerpt, row.Shortened = cutText(message.Body, excerptBytes)
		rows[i] = row
	}
	return rows
}

// nameAttributes lists attributes in the order of their names.
func nameAttributes(attributes map[string]service.Attribute) []namedAttribute {
	named := make([]namedAttribute, 0, len(attributes))
	for name, attribute := range attributes {
		one := namedAttribute{Name: name, Type: attribute.Type, Value: attribute.Value}
		if attribute.Binary != nil {
			one.Value, one.Binary = formatBytes(len(attribute.Binary)), true
		}
		named = append(named, one)
	}
	slices.SortFunc(named, func(a, b namedAttribute) int { return strings.Compare(a.Name, b.Name) })
	return named
}
