package web

import (
	"net/http"
	"testing"
	"time"

	"tusq/service"
)

func TestCreateQueueWithDefaults(t *testing.T) {
	f := setup(t)
	f.post("/console/queues", "name", "orders").wantRedirect(t, "/console/queues/orders?done=created")
	f.get("/console/queues/orders?done=created").want(t, http.StatusOK, "The queue was created.")
	queue, err := f.svc.GetQueue(t.Context(), f.caller, "orders")
	if err != nil {
		t.Fatal(err)
	}
	if queue.Settings != service.DefaultSettings() {
		t.Errorf("settings %+v, want the defaults", queue.Settings)
	}
	f.post("/console/queues", "name", "orders").wantRedirect(t, "/console/queues/orders?done=existed")
}

func TestCreateQueueWithSettings(t *testing.T) {
	f := setup(t)
	f.createQueue("orders-dead", service.QueueChange{})
	f.post("/console/queues", "name", "orders", "visibility_timeout", "90", "delay_seconds", "5s", "retention_seconds", "2d",
		"wait_seconds", "20 s", "max_message_size", "2048", "dead_letter.queue", "orders-dead", "dead_letter.max_receives", "3", "durability", "async",
	).wantRedirect(t, "/console/queues/orders?done=created")
	queue, err := f.svc.GetQueue(t.Context(), f.caller, "orders")
	if err != nil {
		t.Fatal(err)
	}
	dead := queue.Settings.DeadLetter
	if dead == nil || dead.Queue != "orders-dead" || dead.MaxReceives != 3 {
		t.Errorf("dead-letter policy %+v, want orders-dead after 3", dead)
	}
	queue.Settings.DeadLetter = nil
	want := service.Settings{
		VisibilityTimeout: 90 * time.Second, Delay: 5 * time.Second, Retention: 48 * time.Hour,
		ReceiveWait: 20 * time.Second, MaxMessageSize: 2048, Durability: service.DurabilityAsync,
		Encryption: service.EncryptionNone,
	}
	if queue.Settings != want {
		t.Errorf("settings %+v, want %+v", queue.Settings, want)
	}
}

func TestCreateQueueGivesBackWhatWasTyped(t *testing.T) {
	f := setup(t)
	f.createQueue("taken", service.QueueChange{})
	tests := []struct {
		field, typed string
		status       int
		also         []string
	}{
		{field: "name", typed: "", status: http.StatusBadRequest},
		{field: "name", typed: canary, status: http.StatusBadRequest},
		{field: "name", typed: "nul\x00", status: http.StatusBadRequest},
		{field: "visibility_timeout", typed: canary, status: http.StatusBadRequest},
		{field: "visibility_timeout", typed: "13h", status: http.StatusBadRequest},
		{field: "visibility_timeout", typed: "1h", status: http.StatusConflict, also: []string{"name", "taken"}},
		{field: "delay_seconds", typed: "16m", status: http.StatusBadRequest},
		{field: "retention_seconds", typed: "5s", status: http.StatusBadRequest},
		{field: "wait_seconds", typed: "-1", status: http.StatusBadRequest},
		{field: "max_message_size", typed: "1k", status: http.StatusBadRequest},
		{field: "max_message_size", typed: "99999999999", status: http.StatusBadRequest},
		{field: "dead_letter.queue", typed: "missing", status: http.StatusBadRequest, also: []string{"dead_letter.max_receives", "3"}},
		{field: "dead_letter.queue", typed: "", status: http.StatusBadRequest, also: []string{"dead_letter.max_receives", "3"}},
		{field: "dead_letter.max_receives", typed: "", status: http.StatusBadRequest, also: []string{"dead_letter.queue", "taken"}},
		{field: "dead_letter.max_receives", typed: "1001", status: http.StatusBadRequest, also: []string{"dead_letter.queue", "taken"}},
	}
	for _, test := range tests {
		form := map[string]string{"name": "orders", "retention_seconds": "3d", "delay_seconds": "7s"}
		form[test.field] = test.typed
		for i := 0; i < len(test.also); i += 2 {
			form[test.also[i]] = test.also[i+1]
		}
		var pairs []string
		for name, typed := range form {
			pairs = append(pairs, name, typed)
		}
		got := f.post("/console/queues", pairs...)
		got.want(t, test.status)
		if len(got.texts("failure")) != 1 {
			t.Errorf("%s %q: the page shows the errors %q, want one", test.field, test.typed, got.texts("failure"))
		}
		wantForm(t, got, test.field, form)
	}
	if _, err := f.svc.GetQueue(t.Context(), f.caller, "orders"); service.ErrorCode(err) != service.CodeQueueNotFound {
		t.Errorf("a refused form has made a queue: %v", err)
	}
}

// wantForm checks that a form has what was typed, and that the field that is wrong is marked.
func wantForm(t *testing.T, got *page, wrong string, typed map[string]string) {
	t.Helper()
	for name, text := range typed {
		if shown := got.input(t, name); shown != browserText(text) {
			t.Errorf("input %s has %q, want %q", name, shown, text)
		}
	}
	if marked := got.invalidInputs(); len(marked) != 1 || marked[0] != wrong {
		t.Errorf("marked inputs %q, want %q", marked, wrong)
	}
}

func TestFormsThatCannotBeRead(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	for _, path := range []string{"/console/queues", "/console/queues/orders/send", "/console/queues/orders/purge"} {
		f.postRaw(path, "name=%zz").want(t, http.StatusBadRequest, "cannot be read")
		f.postRaw(path, "body="+string(make([]byte, maxForm))).want(t, http.StatusRequestEntityTooLarge, "larger than 4 MiB")
	}
}
