package web

import (
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// sendView is the form for a message, as it was filled in.
type sendView struct {
	Queue      string
	Failure    failure
	Body       string
	Delay      string
	Attributes string

	Group           string // these two of a FIFO queue only
	DeduplicationID string
}

// FIFO tells whether the form is one for a FIFO queue: a message has a group there, and no
// delay of its own.
func (v sendView) FIFO() bool { return service.IsFIFO(v.Queue) }

// sendForm shows the form alone: the address that it is posted to can be opened, too.
func (c *console) sendForm(w http.ResponseWriter, r *http.Request) error {
	queue, err := c.svc.GetQueue(r.Context(), auth.Caller(r.Context()), r.PathValue("queue"))
	if err != nil {
		return err
	}
	return c.render(w, r, view{Template: "send", Title: "Send to " + queue.Name, Page: sendView{Queue: queue.Name}})
}

func (c *console) sendMessage(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	form := sendView{
		Queue:      r.PathValue("queue"),
		Body:       textArea(r.PostFormValue("body")),
		Delay:      r.PostFormValue("delay_seconds"),
		Attributes: textArea(r.PostFormValue("attributes")),

		Group:           r.PostFormValue("group_id"),
		DeduplicationID: r.PostFormValue("deduplication_id"),
	}
	if err := c.send(r, form); err != nil {
		form.Failure = formFailure(err)
		return c.refill(w, r, err, view{Template: "send", Title: "Send to " + form.Queue, Page: form})
	}
	http.Redirect(w, r, withQuery(queueURL(form.Queue), "done", "sent"), http.StatusSeeOther)
	return nil
}

func (c *console) send(r *http.Request, form sendView) (err error) {
	message := service.SendMessage{Body: form.Body, GroupID: form.Group, DeduplicationID: form.DeduplicationID}
	if message.Delay, err = parseDuration("delay_seconds", "The delay", form.Delay); err != nil {
		return err
	}
	if message.Attributes, err = parseAttributes(form.Attributes); err != nil {
		return err
	}
	send := service.SendMessages{Messages: []service.SendMessage{message}}
	sent, err := c.svc.SendMessages(r.Context(), auth.Caller(r.Context()), form.Queue, send)
	if err != nil {
		return err
	}
	return sent[0].Err
}
