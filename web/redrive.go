package web

import (
	"context"
	"net/http"

	"tusq/api/auth"
	"tusq/internal/telemetry"
	"tusq/service"
)

// sourcesShown bounds how many queues the page of their dead-letter queue names.
const sourcesShown = 20

// redriveView is the part of a dead-letter queue's page that moves its messages: the
// newest redrive and, while none runs, the form for another, as it was filled in.
type redriveView struct {
	Queue       string
	Sources     []string // queues whose dead-letter queue this is
	More        bool     // and there are others
	Last        *progressView
	Live        string // where to ask for the next state while a redrive runs; else empty
	Failure     failure
	Destination string
	Rate        string
}

// Shown tells whether the queue's page has this part.
func (v redriveView) Shown() bool { return len(v.Sources) > 0 || v.Live != "" }

// progressView is how far a redrive is.
type progressView struct {
	service.Redrive
	Label  string
	Reason string // why it failed; empty unless it did
	Of     int64  // what Moved is compared with: never 0
}

var redriveLabels = map[service.RedriveStatus]string{
	service.RedriveRunning:    "Running",
	service.RedriveCancelling: "Ending",
	service.RedriveCancelled:  "Cancelled",
	service.RedriveCompleted:  "Completed",
	service.RedriveFailed:     "Failed",
}

var redriveReasons = map[string]string{
	service.FailureNoDestination: "The queue to move to does not exist any more.",
	service.FailureNoSource:      "A message was sent to this queue itself: name a destination for it.",
}

// readRedrive reads what a queue's page shows of redrives.
func (c *console) readRedrive(ctx context.Context, name string) (redriveView, error) {
	part := redriveView{Queue: name}
	list := service.ListQueues{DeadLetter: name, Limit: sourcesShown}
	sources, err := c.svc.ListQueues(ctx, auth.Caller(ctx), list)
	if err != nil {
		return part, err
	}
	for _, source := range sources.Queues {
		part.Sources = append(part.Sources, source.Name)
	}
	part.More = sources.Cursor != ""
	redrives, err := c.svc.ListRedrives(ctx, auth.Caller(ctx), name, 1)
	if err != nil || len(redrives) == 0 {
		return part, err
	}
	part.Last = newProgress(redrives[0])
	if redrives[0].EndedAt.IsZero() {
		part.Live = withQuery(liveURL(name)+"/redrive", "seen", fingerprint(redrives[0]))
	}
	return part, nil
}

func newProgress(redrive service.Redrive) *progressView {
	return &progressView{
		Redrive: redrive,
		Label:   redriveLabels[redrive.Status],
		Reason:  redriveReasons[redrive.Failure],
		Of:      max(redrive.ToMove, redrive.Moved, 1),
	}
}

// liveRedrive answers the poll for a redrive's progress: the part, or nothing (204) where
// it is as the page has it.
func (c *console) liveRedrive(w http.ResponseWriter, r *http.Request) error {
	part, err := c.readRedrive(r.Context(), r.PathValue("queue"))
	if err != nil {
		return err
	}
	if part.Last != nil && r.FormValue("seen") == fingerprint(part.Last.Redrive) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.renderPart(w, "redrive_part", part)
}

// redriveForm shows the part alone: the address that its form is posted to can be opened, too.
func (c *console) redriveForm(w http.ResponseWriter, r *http.Request) error {
	part, err := c.readRedrive(r.Context(), r.PathValue("queue"))
	if err != nil {
		return err
	}
	return c.render(w, r, view{Template: "redrive", Title: "Redrive " + part.Queue, Page: part})
}

func (c *console) startRedrive(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	form := redriveView{
		Queue:       r.PathValue("queue"),
		Destination: r.PostFormValue("destination"),
		Rate:        r.PostFormValue("rate"),
	}
	start, err := form.request()
	if err == nil {
		var redrive service.Redrive
		if redrive, err = c.svc.StartRedrive(r.Context(), auth.Caller(r.Context()), start); err == nil {
			c.logRedrive(r, "redrive started on the console", redrive)
			http.Redirect(w, r, withQuery(queueURL(form.Queue), "done", "redriving"), http.StatusSeeOther)
			return nil
		}
	}
	form.Failure = formFailure(err)
	return c.refill(w, r, err, view{Template: "redrive", Title: "Redrive " + form.Queue, Page: form})
}

// request reads the form's values.
func (v redriveView) request() (service.StartRedrive, error) {
	start := service.StartRedrive{Source: v.Queue, Destination: v.Destination}
	rate, err := parseNumber("rate", "The rate", v.Rate)
	switch {
	case err != nil || rate == nil:
		return start, err
	case *rate == 0: // to the service: as fast as it goes
		return start, invalidInput("rate", "The rate must be at least 1 message per second.")
	}
	start.Rate = *rate
	return start, nil
}

func (c *console) cancelRedrive(w http.ResponseWriter, r *http.Request) error {
	redrive, err := c.svc.CancelRedrive(r.Context(), auth.Caller(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	c.logRedrive(r, "redrive cancelled on the console", redrive)
	// #nosec G710 -- the path begins with the console's, and the name is escaped
	http.Redirect(w, r, withQuery(queueURL(r.PathValue("queue")), "done", "cancelling"), http.StatusSeeOther)
	return nil
}

func (c *console) logRedrive(r *http.Request, what string, redrive service.Redrive) {
	c.log.InfoContext(r.Context(), what, "request_id", telemetry.RequestID(r.Context()),
		"action", "redrive", "queue", redrive.Source, "caller", auth.Caller(r.Context()).Account, "redrive", redrive.ID)
}
