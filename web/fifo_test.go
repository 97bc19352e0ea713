package web

import (
	"net/http"
	"strconv"
	"testing"

	"golang.org/x/net/html"

	"tusq/service"
)

func TestCreateFIFOQueue(t *testing.T) {
	f := setup(t)
	f.post("/console/queues", "name", "plain.fifo").wantRedirect(t, "/console/queues/plain.fifo?done=created")
	f.post("/console/queues", "name", "grouped.fifo", "content_deduplication", "true", "deduplication_scope", "group").wantRedirect(t, "/console/queues/grouped.fifo?done=created")
	for name, want := range map[string]service.Settings{
		"plain.fifo":   {FIFO: true, DeduplicationScope: service.ScopeQueue},
		"grouped.fifo": {FIFO: true, ContentDeduplication: true, DeduplicationScope: service.ScopeGroup},
	} {
		queue, err := f.svc.GetQueue(t.Context(), f.caller, name)
		if err != nil {
			t.Fatal(err)
		}
		got := service.Settings{
			FIFO:                 queue.Settings.FIFO,
			ContentDeduplication: queue.Settings.ContentDeduplication,
			DeduplicationScope:   queue.Settings.DeduplicationScope,
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for name, want := range map[string]string{"plain.fifo": "by id, in the queue", "grouped.fifo": "by id or content, in each group"} {
		page := f.get("/console/queues/" + name)
		if kind, said := page.fact(t, "Kind"), page.fact(t, "Deduplication"); kind != "FIFO" || said != want {
			t.Errorf("%s: kind %q, deduplication %q, want %q", name, kind, said, want)
		}
	}
}

// What only a FIFO queue can have is refused for others, and stays filled in.
func TestCreateRefusesFIFOSettingsOfOthers(t *testing.T) {
	f := setup(t)
	for field, typed := range map[string]string{"content_deduplication": "true", "deduplication_scope": "group"} {
		got := f.post("/console/queues", "name", "orders", field, typed)
		got.want(t, http.StatusBadRequest, "Only a FIFO queue")
		wantForm(t, got, field, map[string]string{"name": "orders"})
		kept := got.find(func(n *html.Node) bool { return hasAttribute(n, "checked") || hasAttribute(n, "selected") })
		if len(kept) != 1 || value(kept[0], "value") != typed {
			t.Errorf("%s: the form has %d chosen values, want %q", field, len(kept), typed)
		}
	}
	got := f.post("/console/queues", "name", "orders.fifo", "deduplication_scope", canary)
	got.want(t, http.StatusBadRequest)
	wantForm(t, got, "deduplication_scope", map[string]string{"name": "orders.fifo"})
}

func hasAttribute(node *html.Node, name string) bool {
	for _, a := range node.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func TestSendToAFIFOQueue(t *testing.T) {
	f := setup(t)
	f.createQueue("orders.fifo", service.QueueChange{})
	form := f.get("/console/queues/orders.fifo")
	if inputs := form.find(func(n *html.Node) bool { return value(n, "name") == "delay_seconds" }); len(inputs) != 0 {
		t.Error("the form of a FIFO queue has a delay")
	}
	form.input(t, "group_id")
	f.post("/console/queues/orders.fifo/send", "body", "a", "group_id", "customer-7", "deduplication_id", "order-1").wantRedirect(t, "/console/queues/orders.fifo?done=sent")
	message := f.peek("orders.fifo")[0]
	if message.GroupID != "customer-7" || message.DeduplicationID != "order-1" {
		t.Errorf("sent %+v", message)
	}
	number := strconv.FormatInt(message.Sequence, 10)
	page := f.get("/console/queues/orders.fifo")
	page.want(t, http.StatusOK, "Group customer-7, sequence "+number+", deduplication id order-1")
	whole := f.get(page.link(t, "Whole message"))
	for label, want := range map[string]string{"Group": "customer-7", "Sequence": number, "Deduplication id": "order-1"} {
		if said := whole.fact(t, label); said != want {
			t.Errorf("%s: %q, want %q", label, said, want)
		}
	}
}

func TestSendToAFIFOQueueGivesBackWhatWasTyped(t *testing.T) {
	f := setup(t)
	f.createQueue("orders.fifo", service.QueueChange{})
	for _, test := range []struct{ field, typed string }{
		{"group_id", ""}, {"group_id", canary}, {"deduplication_id", ""}, {"deduplication_id", canary},
	} {
		form := map[string]string{"body": "kept", "group_id": "g", "deduplication_id": "d"}
		form[test.field] = test.typed
		got := f.post("/console/queues/orders.fifo/send", "body", form["body"], "group_id", form["group_id"], "deduplication_id", form["deduplication_id"])
		got.want(t, http.StatusBadRequest)
		wantForm(t, got, test.field, form)
	}
	if messages := f.peek("orders.fifo"); len(messages) != 0 {
		t.Errorf("refused forms have sent %d messages", len(messages))
	}
}

func TestStandardQueuesShowNothingOfFIFO(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.send("orders", service.SendMessage{Body: "a"})
	page := f.get("/console/queues/orders")
	page.input(t, "delay_seconds")
	fifoInputs := page.find(func(n *html.Node) bool {
		return value(n, "name") == "group_id" || value(n, "name") == "deduplication_id"
	})
	if len(fifoInputs) != 0 || page.has("Deduplication") || page.has("sequence") || f.get(page.link(t, "Whole message")).has("Sequence") {
		t.Errorf("the page of a standard queue tells of FIFO:\n%s", page.text())
	}
}
