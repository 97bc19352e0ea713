package web

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tusq/api/auth"
	"tusq/internal/pgtest"
	"tusq/service"
	secrets "tusq/test/canary"
	"tusq/test/testservice"
)

func TestQueuePageShowsSettingsAndCounts(t *testing.T) {
	f := setup(t)
	timeout := 90 * time.Second
	f.createQueue("orders-dead", service.QueueChange{})
	f.createQueue("orders", service.QueueChange{
		VisibilityTimeout: &timeout,
		DeadLetter:        &service.DeadLetter{Queue: "orders-dead", MaxReceives: 5},
		Tags:              map[string]string{"team": "checkout"},
	})
	f.send("orders", service.SendMessage{Body: "a"}, service.SendMessage{Body: "b"})
	got := f.get("/console/queues/orders")
	got.want(t, http.StatusOK)
	for label, want := range map[string]string{
		"Visible": "2", "In flight": "0", "Total": "2", "Visibility timeout": "1 min 30 s", "Retention": "4 days",
		"Largest message": "1 MiB", "Durability": "as the database is set", "Dead-letter queue": "orders-dead after 5 receives", "Tag team": "checkout",
	} {
		if said := got.fact(t, label); said != want {
			t.Errorf("%s: %q, want %q", label, said, want)
		}
	}
	if link := got.link(t, "orders-dead"); link != "/console/queues/orders-dead" {
		t.Errorf("the dead-letter queue's link leads to %q", link)
	}
}

func TestQueuePageTellsThatTheDeadLetterQueueIsGone(t *testing.T) {
	f := setup(t)
	f.createQueue("orders-dead", service.QueueChange{})
	f.createQueue("orders", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "orders-dead", MaxReceives: 1}})
	if err := f.svc.DeleteQueue(t.Context(), f.caller, "orders-dead"); err != nil {
		t.Fatal(err)
	}
	f.get("/console/queues/orders").want(t, http.StatusOK, "orders-dead (does not exist) after 1 receive")
}

func TestQueuePagePollsChangesOnly(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	live := f.get("/console/queues/orders").polled(t, "counts")
	if got := f.get(live); got.status != http.StatusNoContent {
		t.Errorf("nothing has changed: status %d, want 204", got.status)
	}
	f.send("orders", service.SendMessage{Body: "a"})
	changed := f.get(live)
	changed.want(t, http.StatusOK)
	if said := changed.fact(t, "Visible"); said != "1" {
		t.Errorf("visible: %q, want 1", said)
	}
}

func TestQueuePageThatPollsLoadsAgainWhenTheQueueIsGone(t *testing.T) {
	f := setup(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/console/live/queues/gone", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("HX-Request", "true")
	got := f.do(r)
	if got.status != http.StatusNotFound || got.header.Get("HX-Refresh") != "true" {
		t.Errorf("status %d, HX-Refresh %q, want 404 and true", got.status, got.header.Get("HX-Refresh"))
	}
}

// TestQueuePageWithoutTheMasterKey: only the messages cannot be shown.
func TestQueuePageWithoutTheMasterKey(t *testing.T) {
	t.Parallel()
	keys, err := service.ParseMasterKeys(service.NewMasterKey().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	database := pgtest.New(t)
	f := &fixture{t: t, caller: testservice.Caller, svc: testservice.On(t, database, service.Options{MasterKeys: keys})}
	f.createQueue("orders", service.QueueChange{Encryption: new(service.EncryptionBody)})
	f.send("orders", service.SendMessage{Body: "a"}, service.SendMessage{Body: "b"})

	f.svc = testservice.On(t, database, service.Options{})
	f.handler = auth.Off(testservice.Account)(New(f.svc, Options{Logger: secrets.Logger(t)}))
	got := f.get("/console/queues/orders")
	got.want(t, http.StatusOK, "does not have the master key")
	if said := got.fact(t, "Visible"); said != "2" || got.has("The queue is empty") {
		t.Errorf("visible: %q, want 2, and no word of an empty queue:\n%s", said, got.text())
	}
	for _, text := range []string{"Purge…", "Delete…"} {
		if len(got.links(text)) != 1 {
			t.Errorf("the page has no link %q", text)
		}
	}
}

func TestUnknownQueue(t *testing.T) {
	f := setup(t)
	for _, below := range []string{"", "/send", "/purge", "/delete", "/redrive", "/messages/x"} {
		f.get("/console/queues/gone"+below).want(t, http.StatusNotFound, "Not found", "gone")
	}
	name := queueURL(canary)
	for _, below := range []string{"", "/send", "/purge", "/delete", "/redrive", "/messages/x"} {
		if got := f.get(name + below).status; got != http.StatusBadRequest && got != http.StatusNotFound {
			t.Errorf("a name that cannot be one, %s: status %d, want 400 or 404", below, got)
		}
	}
	f.post(name+"/send", "body", "kept").want(t, http.StatusBadRequest, canary)
	f.post(name+"/delete", "confirm", canary).want(t, http.StatusBadRequest, canary)
}

func TestPeekShowsMessagesAsText(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.send("orders", service.SendMessage{
		Body: "\n" + canary,
		Attributes: map[string]service.Attribute{
			"tenant": {Type: "String.<b>" + canary, Value: canary},
			"blob":   {Type: "Binary", Binary: []byte("12345")},
		},
	})
	got := f.get("/console/queues/orders")
	got.want(t, http.StatusOK, "tenant", "String.<b>"+canary, "blob", "5 B")
	if bodies := got.texts("text"); !slices.Equal(bodies, []string{"\n" + canary, canary}) {
		t.Errorf("texts %q, want the body and the attribute's value", bodies)
	}
	whole := f.get(got.link(t, "Whole message"))
	whole.want(t, http.StatusOK, "String.<b>"+canary, f.peek("orders")[0].ID)
	if bodies := whole.texts("text"); !slices.Equal(bodies, []string{"\n" + canary, canary}) {
		t.Errorf("texts of the whole message %q, want the body and the attribute's value", bodies)
	}
}

func TestPeekShortensLargeBodies(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	body := strings.Repeat("ü", 1+excerptBytes)
	f.send("orders", service.SendMessage{Body: body})
	got := f.get("/console/queues/orders")
	got.want(t, http.StatusOK, "The first 4 KiB of 8 KiB.")
	if shown := got.texts("text")[0]; shown != body[:excerptBytes] {
		t.Errorf("the excerpt has %d bytes, want the first %d", len(shown), excerptBytes)
	}
	if shown := f.get(got.link(t, "Whole message")).texts("text")[0]; shown != body {
		t.Errorf("the whole message has %d bytes, want %d", len(shown), len(body))
	}
}

func TestPeekFiltersByState(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.send("orders", service.SendMessage{Body: "flying"})
	if _, err := f.svc.ReceiveMessages(t.Context(), f.caller, "orders", service.ReceiveMessages{Max: 1}); err != nil {
		t.Fatal(err)
	}
	later := time.Minute
	f.send("orders", service.SendMessage{Body: "waiting"}, service.SendMessage{Body: "sleeping", Delay: &later})
	all := f.get("/console/queues/orders")
	for label, want := range map[string][]string{
		"All": {"flying", "waiting", "sleeping"}, "Visible": {"waiting"}, "In flight": {"flying"}, "Delayed": {"sleeping"},
	} {
		got := f.get(all.link(t, label))
		got.want(t, http.StatusOK)
		bodies := got.texts("preview")
		slices.Sort(bodies)
		slices.Sort(want)
		if !slices.Equal(bodies, want) {
			t.Errorf("%s: bodies %q, want %q", label, bodies, want)
		}
		if current := got.current(); !slices.Equal(current, []string{label}) {
			t.Errorf("%s: the links %q are marked as current", label, current)
		}
		for _, link := range got.links("Whole message") {
			f.get(link).want(t, http.StatusOK)
		}
	}
}

func TestPeekPages(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	var want []string
	for i := range messagesPerPage + 2 {
		want = append(want, "message "+strconv.Itoa(i))
		f.send("orders", service.SendMessage{Body: want[i]})
	}
	first := f.get("/console/queues/orders?state=visible")
	second := f.get(first.link(t, "Next page"))
	shown := append(first.texts("preview"), second.texts("preview")...)
	if len(first.texts("preview")) != messagesPerPage || len(shown) != len(want) {
		t.Fatalf("pages of %d and %d messages", len(first.texts("preview")), len(second.texts("preview")))
	}
	slices.Sort(shown)
	slices.Sort(want)
	if !slices.Equal(shown, want) {
		t.Errorf("both pages show %q", shown)
	}
	for i, link := range second.links("Whole message") {
		body := second.texts("preview")[i]
		if got := f.get(link).texts("text"); !slices.Equal(got, []string{body}) {
			t.Errorf("the whole message of %q shows %q", body, got)
		}
	}
	if got := second.link(t, "First page"); got != "/console/queues/orders?state=visible" {
		t.Errorf("the first page's link leads to %q", got)
	}
}

func TestPeekChangesNothing(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.send("orders", service.SendMessage{Body: "a"}, service.SendMessage{Body: "b"})
	before, counts := f.peek("orders"), f.stats("orders")
	for range 3 {
		got := f.get("/console/queues/orders")
		for _, link := range got.links("Whole message") {
			f.get(link).want(t, http.StatusOK)
		}
		f.get("/console/queues/orders?state=visible")
	}
	if after := f.peek("orders"); !reflect.DeepEqual(after, before) {
		t.Errorf("messages after peeks: %+v, before %+v", after, before)
	}
	if after := f.stats("orders"); after != counts {
		t.Errorf("counts after peeks: %+v, before %+v", after, counts)
	}
	received, err := f.svc.ReceiveMessages(t.Context(), f.caller, "orders", service.ReceiveMessages{Max: 2})
	if err != nil || len(received) != 2 || received[0].ReceiveCount != 1 {
		t.Errorf("receive after peeks: %+v, %v, want both messages for the first time", received, err)
	}
}

func TestPeekOfAMessageThatIsGone(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.get("/console/queues/orders/messages/gone").want(t, http.StatusNotFound, "not here any more")
	f.get(queueURL("orders", "messages", canary)).want(t, http.StatusNotFound)
}

func TestPeekRefusesBadParameters(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	for _, bad := range []string{canary, "\x00", "\xff"} {
		f.get(withQuery("/console/queues/orders", "state", bad)).want(t, http.StatusBadRequest, "state")
		f.get(withQuery("/console/queues/orders", "cursor", bad)).want(t, http.StatusBadRequest)
	}
}

func TestNoticesCannotBeMadeByOthers(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	for _, query := range []string{"done=" + "call+us", "done=purged&n=call+us", "done=purged&n=-1"} {
		if got := f.get("/console/queues/orders?" + query).texts("notice"); got != nil {
			t.Errorf("%s: the page says %q", query, got)
		}
	}
}

// fact returns what the description list on the page says of a label.
func (p *page) fact(t *testing.T, label string) string {
	t.Helper()
	found := p.find(func(n *html.Node) bool { return n.Data == "dt" && textOf(n) == label })
	if len(found) != 1 {
		t.Fatalf("the page has %d facts %q, want 1", len(found), label)
	}
	for node := found[0]; node != nil; node = node.NextSibling {
		if node.Data == "dd" {
			return textOf(node)
		}
	}
	return ""
}

// links returns the addresses of the links with this text.
func (p *page) links(text string) []string {
	var links []string
	for _, node := range p.find(func(n *html.Node) bool { return n.Data == "a" && textOf(n) == text }) {
		links = append(links, value(node, "href"))
	}
	return links
}

// current returns the texts of the links that are marked as the current one.
func (p *page) current() []string {
	var texts []string
	for _, node := range p.find(func(n *html.Node) bool { return value(n, "aria-current") != "" }) {
		texts = append(texts, textOf(node))
	}
	return texts
}
