package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tusq/api/auth"
	"tusq/service"
	secrets "tusq/test/canary"
	"tusq/test/testservice"
)

// canary would add an element or run a script where it is not shown as text.
const canary = `"'><script>alert(1)</script><img src=x onerror=alert(2)><svg/onload=alert(3)>`

func TestEmptyListTellsANewcomerWhatToDo(t *testing.T) {
	f := setup(t)
	got := f.get("http://queues.example:9324/console/queues")
	got.want(t, http.StatusOK, "No queues yet", "tusq queue create orders",
		"curl http://queues.example:9324/v1/queues -H 'Content-Type: application/json'")
	got.polled(t, "rows") // a queue made elsewhere appears
}

// TestExamplesAreForTheBrowsersAddress: what the page says to type works where it is read.
func TestExamplesAreForTheBrowsersAddress(t *testing.T) {
	t.Parallel()
	svc := testservice.New(t)
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // where httptest's requests come from
	forwarded := http.Header{"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"queue.example:8443"}}
	for _, test := range []struct {
		name    string
		options Options
		header  http.Header
		want    string
	}{
		{"plain", Options{}, nil, "http://tusq:9324"},
		{"a proxy that is not trusted", Options{}, forwarded, "http://tusq:9324"},
		{"a trusted proxy", Options{TrustedProxies: proxies}, forwarded, "https://queue.example:8443"},
		{"a trusted proxy that keeps the host", Options{TrustedProxies: proxies}, http.Header{"X-Forwarded-Proto": {"https"}}, "https://tusq:9324"},
		{"a trusted proxy that sends no name", Options{TrustedProxies: proxies}, http.Header{"X-Forwarded-Host": {"a/b"}}, "http://tusq:9324"},
		{"a public URL", Options{PublicURL: "https://queue.example/", TrustedProxies: proxies}, forwarded, "https://queue.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.options.Logger = secrets.Logger(t)
			f := &fixture{t: t, svc: svc, handler: auth.Off(testservice.Account)(New(svc, test.options))}
			r := httptest.NewRequest(http.MethodGet, "http://tusq:9324/console/queues", nil)
			maps.Copy(r.Header, test.header)
			f.do(r).want(t, http.StatusOK, "curl "+test.want+"/v1/queues -H 'Content-Type", "their endpoint is "+test.want+".")
		})
	}
}

// TestExamplesShowWhereTheKeyGoes: where callers need one.
func TestExamplesShowWhereTheKeyGoes(t *testing.T) {
	b := setupSignIn(t, Options{})
	b.post("/console/signin", "account", testservice.Account, "user", "ann", "password", password)
	b.get("/console/queues").want(t, http.StatusOK, "curl http://localhost:9324/v1/queues -H \"Authorization: Bearer $TUSQ_TOKEN\" -H 'Content-Type",
		"curl http://localhost:9324/v1/queues/orders/messages -H \"Authorization: Bearer $TUSQ_TOKEN\" -H 'Content-Type", "TUSQ_TOKEN is")
}

func TestListShowsQueuesWithCounts(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.createQueue("invoices", service.QueueChange{})
	later := time.Minute
	f.send("orders", service.SendMessage{Body: "a"}, service.SendMessage{Body: "b"}, service.SendMessage{Body: "c", Delay: &later})
	if _, err := f.svc.ReceiveMessages(t.Context(), f.caller, "orders", service.ReceiveMessages{Max: 1}); err != nil {
		t.Fatal(err)
	}
	got := f.get("/console/queues")
	got.want(t, http.StatusOK)
	if rows := rowTexts(got); !slices.Equal(rows, []string{"invoices 0 0 0", "orders 1 1 1"}) {
		t.Errorf("rows %q", rows)
	}
	if link := got.link(t, "orders"); link != "/console/queues/orders" {
		t.Errorf("the queue's link leads to %q", link)
	}
}

func TestListPollsChangesOnly(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	live := f.get("/console/queues?prefix=ord").polled(t, "rows")
	if got := f.get(live); got.status != http.StatusNoContent || got.body != "" {
		t.Errorf("nothing has changed: status %d with %d bytes, want 204 with none", got.status, len(got.body))
	}
	f.send("orders", service.SendMessage{Body: "a"})
	f.createQueue("invoices", service.QueueChange{})
	changed := f.get(live)
	changed.want(t, http.StatusOK)
	if changed.body[:len("<tbody")] != "<tbody" {
		t.Errorf("the poll is answered with more than the table's body: %s", changed.body)
	}
	f.createQueue("orders-dead", service.QueueChange{})
	if got := f.get(live); got.status != http.StatusOK {
		t.Errorf("a queue was created: status %d, want 200", got.status)
	}
}

func TestListFiltersByPrefix(t *testing.T) {
	f := setup(t)
	f.createQueue("orders", service.QueueChange{})
	f.createQueue("invoices", service.QueueChange{})
	got := f.get("/console/queues?prefix=ord")
	if rows := rowTexts(got); !slices.Equal(rows, []string{"orders 0 0 0"}) {
		t.Errorf("rows %q", rows)
	}
	if typed := got.input(t, "prefix"); typed != "ord" {
		t.Errorf("the filter shows %q, want what was typed", typed)
	}
	f.get("/console/queues?prefix=zzz").want(t, http.StatusOK, "No queue’s name starts with zzz")
}

func TestListPages(t *testing.T) {
	f := setup(t)
	var names []string
	for i := range queuesPerPage + 1 {
		name := fmt.Sprintf("q-%02d", i)
		names = append(names, name+" 0 0 0")
		f.createQueue(name, service.QueueChange{})
	}
	f.createQueue("z-other", service.QueueChange{})

	first := f.get("/console/queues?prefix=q-")
	second := f.get(first.link(t, "Next page"))
	if got := append(rowTexts(first), rowTexts(second)...); !slices.Equal(got, names) {
		t.Errorf("rows of both pages: %q", got)
	}
	if got := f.get(second.polled(t, "rows")).status; got != http.StatusNoContent {
		t.Errorf("the second page polls another page: status %d, want 204", got)
	}
	if got := second.link(t, "First page"); got != "/console/queues?prefix=q-" {
		t.Errorf("the first page's link leads to %q", got)
	}
}

func TestListRefusesAForeignCursor(t *testing.T) {
	f := setup(t)
	got := f.get("/console/queues?prefix=ord&cursor=%21%21")
	got.want(t, http.StatusBadRequest, "cursor")
	if typed := got.input(t, "prefix"); typed != "ord" {
		t.Errorf("the filter shows %q, want what was typed", typed)
	}
}

func TestListShowsWhatIsTypedAsText(t *testing.T) {
	f := setup(t)
	got := f.get(withQuery(listPath, "prefix", canary))
	got.want(t, http.StatusOK, canary)
	if typed := got.input(t, "prefix"); typed != canary {
		t.Errorf("the filter shows %q, want what was typed", typed)
	}
	f.get(withQuery(listPath, "cursor", canary))
	f.get(withQuery(listPath, "done", canary))
	f.get(withQuery("/console/live/queues", "prefix", canary))
}

// rowTexts returns the list's rows: name, visible, in flight, delayed.
func rowTexts(p *page) []string {
	inBody := func(n *html.Node) bool { return n.Data == "tr" && n.Parent.Data == "tbody" }
	var rows []string
	for _, row := range p.find(inBody) {
		var text string
		for cell := range row.ChildNodes() {
			if cell.Type == html.ElementNode {
				text += " " + textOf(cell)
			}
		}
		rows = append(rows, text[1:])
	}
	return rows
}
