package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tusq/api/auth"
	"tusq/service"
	"tusq/test/testservice"
)

// setupRedrive makes the queue orders and its dead-letter queue, which holds a message of
// its own for each body: only with a destination can they be moved.
func setupRedrive(t *testing.T, bodies ...string) *fixture {
	t.Helper()
	f := setup(t)
	f.createQueue("dead", service.QueueChange{})
	f.createQueue("orders", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1}})
	for _, body := range bodies {
		f.send("dead", service.SendMessage{Body: body})
	}
	return f
}

// ended returns the newest redrive of the dead-letter queue when it has ended.
func (f *fixture) ended() service.Redrive {
	f.t.Helper()
	for f.t.Context().Err() == nil {
		redrives, err := f.svc.ListRedrives(f.t.Context(), f.caller, "dead", 1)
		if err != nil || len(redrives) != 1 {
			f.t.Fatalf("%v, %v", redrives, err)
		}
		if !redrives[0].EndedAt.IsZero() {
			return redrives[0]
		}
	}
	f.t.Fatal("the redrive does not end")
	return service.Redrive{}
}

// hasForm tells whether the page has the form that is posted to action.
func (p *page) hasForm(action string) bool {
	return len(p.find(func(n *html.Node) bool { return n.Data == "form" && value(n, "action") == action })) == 1
}

func TestRedriveIsOfferedOnDeadLetterQueues(t *testing.T) {
	f := setupRedrive(t)
	const action = "/console/queues/dead/redrive"
	dead := f.get("/console/queues/dead")
	dead.want(t, http.StatusOK, "Messages come here from orders.")
	if !dead.hasForm(action) || dead.link(t, "orders") != "/console/queues/orders" {
		t.Error("the dead-letter queue's page has no form or no link to its source")
	}
	if page := f.get("/console/queues/orders"); page.has("Redrive") {
		t.Error("the page of another queue has it, too")
	}
	if !f.get(action).hasForm(action) {
		t.Error("the form has no page of its own")
	}
}

func TestRedrive(t *testing.T) {
	f := setupRedrive(t, "a", "b")
	f.createQueue("elsewhere", service.QueueChange{})
	f.post("/console/queues/dead/redrive", "destination", "elsewhere", "rate", "500").wantRedirect(t, "/console/queues/dead?done=redriving")
	f.ended()
	if got := f.stats("elsewhere").Total(); got != 2 {
		t.Errorf("%d messages were moved, want 2", got)
	}
	page := f.get("/console/queues/dead?done=redriving")
	page.want(t, http.StatusOK, "The redrive was started.", "Completed: 2 of 2 moved to elsewhere, 500 per second at most.")
	if !page.hasForm("/console/queues/dead/redrive") {
		t.Error("another redrive cannot be started")
	}
	if polled := page.find(func(n *html.Node) bool { return value(n, "id") == "redrive" && value(n, "hx-get") != "" }); len(polled) != 0 {
		t.Error("the page polls a redrive that has ended")
	}
}

func TestRedriveThatRunsIsPolledAndCancelled(t *testing.T) {
	f := setupRedrive(t, strings.Split("a long redrive", "")...)
	f.createQueue("elsewhere", service.QueueChange{})
	f.post("/console/queues/dead/redrive", "destination", "elsewhere", "rate", "1").wantRedirect(t, "/console/queues/dead?done=redriving")
	page := f.get("/console/queues/dead")
	page.want(t, http.StatusOK, "Running", "of 14 moved to elsewhere")
	if page.hasForm("/console/queues/dead/redrive") {
		t.Error("a second redrive is offered while one runs")
	}
	redrives, err := f.svc.ListRedrives(t.Context(), f.caller, "dead", 1)
	if err != nil {
		t.Fatal(err)
	}
	cancel := "/console/queues/dead/redrives/" + redrives[0].ID + "/cancel"
	if !page.hasForm(cancel) {
		t.Fatal("the redrive cannot be cancelled")
	}
	f.post(cancel).wantRedirect(t, "/console/queues/dead?done=cancelling")
	f.get("/console/queues/dead?done=cancelling").want(t, http.StatusOK, "The redrive ends.")
	if ended := f.ended(); ended.Status != service.RedriveCancelled {
		t.Errorf("it ended as %+v", ended)
	}
	live := page.polled(t, "redrive")
	part := f.get(live)
	part.want(t, http.StatusOK, "Cancelled")
	if !part.hasForm("/console/queues/dead/redrive") || part.hasForm(cancel) {
		t.Error("the part has another form than that for a new redrive")
	}
	f.post(cancel).want(t, http.StatusConflict)
	f.post("/console/queues/dead/redrives/none/cancel").want(t, http.StatusNotFound)
}

// The poll answers what has changed only.
func TestRedrivePollsChangesOnly(t *testing.T) {
	f := setupRedrive(t)
	f.createQueue("elsewhere", service.QueueChange{})
	f.post("/console/queues/dead/redrive", "destination", "elsewhere").wantRedirect(t, "/console/queues/dead?done=redriving")
	ended := f.ended()
	live := withQuery("/console/live/queues/dead/redrive", "seen", fingerprint(ended))
	if got := f.get(live); got.status != http.StatusNoContent {
		t.Errorf("nothing has changed: status %d, want 204", got.status)
	}
	f.get("/console/live/queues/dead/redrive?seen=other").want(t, http.StatusOK, "Completed")
	f.get("/console/live/queues/orders/redrive").want(t, http.StatusOK)
}

func TestRedriveTellsWhyItFailed(t *testing.T) {
	f := setupRedrive(t, "homeless")
	f.post("/console/queues/dead/redrive").wantRedirect(t, "/console/queues/dead?done=redriving")
	f.ended()
	f.get("/console/queues/dead").want(t, http.StatusOK, "Failed: 0 of 1 moved to where they came from.", "was sent to this queue itself")
}

func TestRedriveGivesBackWhatWasTyped(t *testing.T) {
	f := setupRedrive(t, "a")
	f.createQueue("a.fifo", service.QueueChange{})
	for _, test := range []struct {
		field, typed string
		status       int
	}{
		{"rate", "0", http.StatusBadRequest},
		{"rate", "501", http.StatusBadRequest},
		{"rate", canary, http.StatusBadRequest},
		{"destination", "none", http.StatusNotFound},
		{"destination", canary, http.StatusNotFound},
		{"destination", "dead", http.StatusBadRequest},
		{"destination", "a.fifo", http.StatusBadRequest},
	} {
		form := map[string]string{"destination": "orders", "rate": "5"}
		form[test.field] = test.typed
		got := f.post("/console/queues/dead/redrive", "destination", form["destination"], "rate", form["rate"])
		got.want(t, test.status)
		if len(got.texts("failure")) != 1 {
			t.Errorf("%s %q: the page shows the errors %q, want one", test.field, test.typed, got.texts("failure"))
		}
		wantForm(t, got, test.field, form)
	}
	f.post("/console/queues/orders/redrive").want(t, http.StatusConflict, "No queue has this one as its dead-letter queue")
	f.post("/console/queues/gone/redrive", "rate", "5").want(t, http.StatusNotFound, "gone")
	if redrives, err := f.svc.ListRedrives(t.Context(), f.caller, "dead", 1); err != nil || len(redrives) != 0 {
		t.Errorf("a refused form has started %v, %v", redrives, err)
	}
}

func TestRedrivesAreLogged(t *testing.T) {
	f := setupRedrive(t, "a")
	var log bytes.Buffer
	f.handler = auth.Off(testservice.Account)(New(f.svc, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	f.post("/console/queues/dead/redrive", "destination", "none")
	if log.Len() != 0 {
		t.Errorf("logged what was refused: %s", log.String())
	}
	f.post("/console/queues/dead/redrive")
	if want := "action=redrive queue=dead caller=" + testservice.Account; !strings.Contains(log.String(), want) {
		t.Errorf("logged %q, want %s", log.String(), want)
	}
}
