package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"tusq/api/auth"
	"tusq/service"
	"tusq/test/testservice"
)

func TestPurgeAsksForTheName(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.send("orders", service.SendMessage{Body: "a"}, service.SendMessage{Body: "b"})
	f.get("/console/queues/orders/purge").want(t, http.StatusOK, "Purge the queue orders", "There are 2 messages now")
	for _, typed := range []string{"", "order", "Orders", "orders ", canary} {
		got := f.post("/console/queues/orders/purge", "confirm", typed)
		got.want(t, http.StatusBadRequest, "Nothing was changed")
		if shown := got.input(t, "confirm"); shown != typed {
			t.Errorf("the form has %q, want %q", shown, typed)
		}
	}
	if got := f.stats("orders").Total(); got != 2 {
		t.Errorf("%d messages before the purge was confirmed, want 2", got)
	}
	f.post("/console/queues/orders/purge", "confirm", "orders").wantRedirect(t, "/console/queues/orders?done=purged&n=2")
	f.get("/console/queues/orders?done=purged&n=2").want(t, http.StatusOK, "Messages purged: 2.", "The queue is empty")
	if got := f.stats("orders").Total(); got != 0 {
		t.Errorf("%d messages after the purge, want 0", got)
	}
}

func TestDeleteAsksForTheName(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.get("/console/queues/orders/delete").want(t, http.StatusOK, "Delete the queue orders", "There are 0 messages now")
	f.post("/console/queues/orders/delete", "confirm", "order").want(t, http.StatusBadRequest, "Nothing was changed")
	f.get("/console/queues/orders").want(t, http.StatusOK)

	f.post("/console/queues/orders/delete", "confirm", "orders").wantRedirect(t, "/console/queues?done=deleted")
	f.get("/console/queues?done=deleted").want(t, http.StatusOK, "The queue was deleted.", "No queues yet")
	f.get("/console/queues/orders").want(t, http.StatusNotFound)
	f.post("/console/queues/orders/delete", "confirm", "orders").want(t, http.StatusNotFound, "orders")
}

func TestPurgeAndDeleteAreLogged(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	var log bytes.Buffer
	f.handler = auth.Off(testservice.Account)(New(f.svc, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	for _, action := range []string{"purge", "delete"} {
		f.post("/console/queues/orders/"+action, "confirm", "order")
		if log.Len() != 0 {
			t.Errorf("logged without confirmation: %s", log.String())
		}
		f.post("/console/queues/orders/"+action, "confirm", "orders")
		if want := "action=" + action + " queue=orders account=" + testservice.Account + " caller=owner"; !strings.Contains(log.String(), want) {
			t.Errorf("logged %q, want %s", log.String(), want)
		}
		log.Reset()
	}
}

func TestLooksDoNotPurgeOrDelete(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.send("orders", service.SendMessage{Body: "a"})
	for _, path := range []string{"/console/queues/orders/purge", "/console/queues/orders/delete", "/console/queues/orders/send?body=b"} {
		f.get(withQuery(path, "confirm", "orders")).want(t, http.StatusOK)
	}
	if got := f.stats("orders").Total(); got != 1 {
		t.Errorf("%d messages after looking, want 1", got)
	}
}
