package web

import (
	"net/http"

	"tusq/api/auth"
	"tusq/service"
)

// createView is the form for a new queue, as it was filled in.
type createView struct {
	Failure           failure
	Name              string
	VisibilityTimeout string
	Delay             string
	Retention         string
	Wait              string
	MaxMessageSize    string
	DeadLetterQueue   string
	MaxReceives       string
	Durability        string

	ContentDeduplication bool
	DeduplicationScope   string
}

func (c *console) createQueue(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	form := readCreateForm(r)
	create, err := form.request()
	if err == nil {
		var created bool
		if _, created, err = c.svc.CreateQueue(r.Context(), auth.Caller(r.Context()), create); err == nil {
			done := "created"
			if !created {
				done = "existed"
			}
			http.Redirect(w, r, withQuery(queueURL(create.Name), "done", done), http.StatusSeeOther)
			return nil
		}
	}
	form.Failure = formFailure(err)
	return c.refill(w, r, err, view{Template: "create", Title: "Create a queue", Page: form})
}

func readCreateForm(r *http.Request) createView {
	return createView{
		Name:              r.PostFormValue("name"),
		VisibilityTimeout: r.PostFormValue("visibility_timeout"),
		Delay:             r.PostFormValue("delay_seconds"),
		Retention:         r.PostFormValue("retention_seconds"),
		Wait:              r.PostFormValue("wait_seconds"),
		MaxMessageSize:    r.PostFormValue("max_message_size"),
		DeadLetterQueue:   r.PostFormValue("dead_letter.queue"),
		MaxReceives:       r.PostFormValue("dead_letter.max_receives"),
		Durability:        r.PostFormValue("durability"),

		ContentDeduplication: r.PostFormValue("content_deduplication") != "",
		DeduplicationScope:   r.PostFormValue("deduplication_scope"),
	}
}

// request reads the form's values. What is left empty gets the service's default.
func (f createView) request() (create service.CreateQueue, err error) {
	create.Name = f.Name
	if create.VisibilityTimeout, err = parseDuration("visibility_timeout", "The visibility timeout", f.VisibilityTimeout); err != nil {
		return create, err
	}
	if create.Delay, err = parseDuration("delay_seconds", "The delay", f.Delay); err != nil {
		return create, err
	}
	if create.Retention, err = parseDuration("retention_seconds", "The retention", f.Retention); err != nil {
		return create, err
	}
	if create.ReceiveWait, err = parseDuration("wait_seconds", "The receive wait", f.Wait); err != nil {
		return create, err
	}
	if create.MaxMessageSize, err = parseNumber("max_message_size", "The largest message", f.MaxMessageSize); err != nil {
		return create, err
	}
	if f.Durability != "" {
		create.Durability = new(service.Durability(f.Durability))
	}
	if f.ContentDeduplication {
		create.ContentDeduplication = new(true)
	}
	if f.DeduplicationScope != "" {
		create.DeduplicationScope = new(service.DeduplicationScope(f.DeduplicationScope))
	}
	create.DeadLetter, err = f.deadLetter()
	return create, err
}

func (f createView) deadLetter() (*service.DeadLetter, error) {
	receives, err := parseNumber("dead_letter.max_receives", "The number of receives", f.MaxReceives)
	switch {
	case err != nil:
		return nil, err
	case f.DeadLetterQueue == "" && receives == nil:
		return nil, nil
	case f.DeadLetterQueue == "":
		return nil, invalidInput("dead_letter.queue", "Name the queue that takes messages received too often.")
	case receives == nil:
		return nil, invalidInput("dead_letter.max_receives", "Say after how many receives a message moves to the dead-letter queue.")
	}
	return &service.DeadLetter{Queue: f.DeadLetterQueue, MaxReceives: *receives}, nil
}
