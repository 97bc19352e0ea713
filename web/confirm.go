package web

import (
	"net/http"
	"strconv"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// destruction is a change that cannot be undone, and the words that ask for it.
type destruction struct {
	Path    string // below the queue's
	Heading string
	Effect  string
	Button  string
}

var (
	purging = destruction{
		Path: "purge", Heading: "Purge queue", Button: "Purge the queue",
		Effect: "All messages that were sent until now are deleted, those in flight too. The queue stays.",
	}
	deletion = destruction{
		Path: "delete", Heading: "Delete queue", Button: "Delete the queue",
		Effect: "The queue, its settings and all its messages are deleted.",
	}
)

type confirmView struct {
	destruction
	Queue   string
	Counts  *service.Stats // nil where they were not asked for
	Confirm string         // what was typed
	Failure failure
}

func (c *console) confirmForm(asked destruction) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		name := r.PathValue("queue")
		counts, err := c.svc.GetQueueStats(r.Context(), auth.Caller(r.Context()), name)
		if err != nil {
			return err
		}
		page := confirmView{destruction: asked, Queue: name, Counts: &counts}
		return c.render(w, r, view{Template: "confirm", Title: asked.Heading + " " + name, Page: page})
	}
}

func (c *console) purgeQueue(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("queue")
	return c.confirmed(w, r, purging, func() (string, error) {
		purged, err := c.svc.PurgeQueue(r.Context(), auth.Caller(r.Context()), service.PurgeQueue{Name: name})
		return withQuery(queueURL(name), "done", "purged", "n", strconv.FormatInt(purged, 10)), err
	})
}

func (c *console) deleteQueue(w http.ResponseWriter, r *http.Request) error {
	return c.confirmed(w, r, deletion, func() (string, error) {
		err := c.svc.DeleteQueue(r.Context(), auth.Caller(r.Context()), r.PathValue("queue"))
		return withQuery(listPath, "done", "deleted"), err
	})
}

// confirmed carries out what was asked for when the queue's name was typed, and
// redirects to the address that carry returns; otherwise it asks again.
func (c *console) confirmed(w http.ResponseWriter, r *http.Request, asked destruction, carry func() (string, error)) error {
	if err := readForm(r); err != nil {
		return err
	}
	name, typed := r.PathValue("queue"), r.PostFormValue("confirm")
	err := invalidInput("confirm", "Nothing was changed: what you typed is not the queue's name.")
	if typed == name {
		var next string
		if next, err = carry(); err == nil {
			c.log.InfoContext(r.Context(), "confirmed on the console", "request_id", telemetry.RequestID(r.Context()),
				"action", asked.Path, "queue", name, "account", auth.Caller(r.Context()).Account, "caller", auth.Caller(r.Context()).Name())
			http.Redirect(w, r, next, http.StatusSeeOther)
			return nil
		}
	}
	page := confirmView{destruction: asked, Queue: name, Confirm: typed, Failure: formFailure(err)}
	return c.refill(w, r, err, view{Template: "confirm", Title: asked.Heading + " " + name, Page: page})
}
