package web

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/service"
)

func TestSendMessage(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.post("/console/queues/orders/send",
		"body", "\r\nline one\r\nline two\r\n", "attributes", "tenant=acme = co\r\n\r\n attempt:Number=42\r\n",
	).wantRedirect(t, "/console/queues/orders?done=sent")
	f.get("/console/queues/orders?done=sent").want(t, http.StatusOK, "The message was sent.")
	sent := f.peek("orders")[0]
	if sent.Body != "\nline one\nline two\n" {
		t.Errorf("body %q, want its line ends as they were typed", sent.Body)
	}
	want := map[string]service.Attribute{
		"tenant": {Type: "String", Value: "acme = co"}, "attempt": {Type: "Number", Value: "42"},
	}
	if !reflect.DeepEqual(sent.Attributes, want) {
		t.Errorf("attributes %+v, want %+v", sent.Attributes, want)
	}
}

func TestSendMessageWithDelay(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.post("/console/queues/orders/send", "body", "later", "delay_seconds", "15m").wantRedirect(t, "/console/queues/orders?done=sent")
	sent := f.peek("orders")[0]
	if wait := sent.VisibleAt.Sub(sent.SentAt).Round(time.Second); sent.State != service.StateDelayed || wait != 15*time.Minute {
		t.Errorf("%s for %s, want delayed for 15 minutes", sent.State, wait)
	}
}

func TestSendGivesBackWhatWasTyped(t *testing.T) {
	f := setup(t)
	small := service.MinMaxMessageSize
	f.createQueue("orders", service.QueueChange{MaxMessageSize: &small})
	tests := []struct {
		field, typed string
		status       int
	}{
		{"body", "", http.StatusBadRequest},
		{"body", "nul\x00", http.StatusBadRequest},
		{"body", "\n" + canary + strings.Repeat("x", service.MinMaxMessageSize), http.StatusRequestEntityTooLarge},
		{"delay_seconds", canary, http.StatusBadRequest},
		{"delay_seconds", "16m", http.StatusBadRequest},
		{"attributes", "no equals sign", http.StatusBadRequest},
		{"attributes", "\n" + canary + "=x", http.StatusBadRequest},
		{"attributes", "a=1\na=2", http.StatusBadRequest},
		{"attributes", "a:Number=" + canary, http.StatusBadRequest},
		{"attributes", "a:Binary=x", http.StatusBadRequest},
		{"attributes", "a=", http.StatusBadRequest},
	}
	for _, test := range tests {
		form := map[string]string{"body": "\nkept\n ", "delay_seconds": "5s", "attributes": "x=y"}
		form[test.field] = test.typed
		got := f.post("/console/queues/orders/send", "body", form["body"], "delay_seconds", form["delay_seconds"], "attributes", form["attributes"])
		got.want(t, test.status)
		if len(got.texts("failure")) != 1 {
			t.Errorf("%s %q: the page shows the errors %q, want one", test.field, test.typed, got.texts("failure"))
		}
		wantForm(t, got, test.field, form)
	}
	if messages := f.peek("orders"); len(messages) != 0 {
		t.Errorf("refused forms have sent %d messages", len(messages))
	}
}

func TestSendToAQueueThatIsGoneLosesNothing(t *testing.T) {
	f := setup(t)
	got := f.post("/console/queues/gone/send", "body", "precious")
	got.want(t, http.StatusNotFound, "gone")
	if typed := got.input(t, "body"); typed != "precious" {
		t.Errorf("the form has the body %q, want what was typed", typed)
	}
}

func TestSendFormHasAPageOfItsOwn(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	got := f.get("/console/queues/orders/send")
	got.want(t, http.StatusOK, "Send a message")
	if !slices.Equal(got.invalidInputs(), nil) || len(got.texts("failure")) != 0 {
		t.Error("the form shows an error before it was posted")
	}
}
