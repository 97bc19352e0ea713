package browser

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"tusq/service"
	"tusq/test/testservice"
)

// TestPagesKeepTheirPolicy opens a page of each form that links lead to, and those that only forms lead to. Their
// Content-Security-Policy allows all that they do: Chromium complains of nothing.
func TestPagesKeepTheirPolicy(t *testing.T) {
	c := setup(t)
	c.fill()
	b := c.open()
	b.signInAt("/console/queues")
	todo := []string{"/console", "/console/queues/orders/send", "/console/queues/dead/redrive"}
	opened := map[string]bool{} // forms
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if opened[form(path)] {
			continue
		}
		opened[form(path)] = true
		if status := b.goTo(b.url + path); status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		if path == "/docs" {
			b.do(chromedp.WaitVisible(chromedp.CSS(".opblock"))) // the specification is read
			continue
		}
		b.wantSignedIn()
		todo = append(todo, value[[]string](b, `[...document.querySelectorAll("a")].map(a => a.getAttribute("href")).filter(href => !href.startsWith("#"))`)...)
	}
	for _, want := range []string{
		"/docs", "/console/queues", "/console/audit", "/console/queues/orders", "/console/queues/orders?state=in_flight",
		"/console/queues/orders?cursor=*", "/console/queues/orders/messages/*", "/console/queues/orders/purge", "/console/queues/orders/delete",
		"/console/queues/steps.fifo", "/console/queues/steps.fifo/messages/*", "/console/queues/dead",
	} {
		if !opened[want] {
			t.Errorf("no link leads to %s, but to %v", want, opened)
		}
	}
	b.wantQuiet()
}

// form is an address without what differs from message to message, and from page to page of a list.
func form(address string) string {
	return ids.ReplaceAllString(cursors.ReplaceAllString(address, "cursor=*"), "*")
}

var (
	ids     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	cursors = regexp.MustCompile(`cursor=[^&]*`)
)

// fill makes queues whose pages have all that pages can have: a next one, messages in every state, attributes, groups.
func (c *console) fill() {
	c.t.Helper()
	c.createQueue("steps.fifo", service.QueueChange{Tags: map[string]string{"team": "a"}})
	c.send("steps.fifo", service.SendMessage{Body: "a step", GroupID: "g", DeduplicationID: "d"})
	c.send("orders", service.SendMessage{Body: "delayed", Delay: new(time.Hour)}, service.SendMessage{Body: "with attributes", Attributes: map[string]service.Attribute{
		"text": {Type: "String", Value: "a"}, "bytes": {Type: "Binary", Binary: []byte{0, 255}},
	}})
	c.send("dead", service.SendMessage{Body: "dead"})
	for range 30 {
		c.send("orders", service.SendMessage{Body: "visible"})
	}
	_, err := c.Service.ReceiveMessages(c.t.Context(), testservice.Caller, "orders", service.ReceiveMessages{Max: 1, Visibility: new(time.Hour)})
	c.must(err)
}

// TestPagesAreLive waits on the pages that update themselves until they have, without a complaint.
func TestPagesAreLive(t *testing.T) {
	c := setup(t)
	for range 30 {
		c.send("dead", service.SendMessage{Body: "a"})
	}
	_, err := c.Service.StartRedrive(t.Context(), testservice.Caller, service.StartRedrive{Source: "dead", Destination: "orders", Rate: 1})
	c.must(err)
	b := c.open()
	b.signInAt("/console/queues")
	for _, path := range []string{"/console/queues", "/console/queues/orders", "/console/queues/dead/redrive"} {
		b.goTo(b.url + path) // and the redrive moves on
		value[bool](b, `new Promise(done => document.addEventListener("htmx:afterSettle", () => done(true), {once: true}))`)
		if !value[bool](b, `document.getElementById("stale").hidden`) {
			t.Errorf("%s says that it is not live", path)
		}
	}
	b.wantQuiet()
}

const (
	markup  = `<script>alert(1)</script><img src=x onerror=alert(1)>`
	compact = `<svg/onload=alert(1)>` // has no spaces, as groups and ids must not
)

// TestMarkupIsText shows markup wherever a page shows what somebody has sent, also in a form that was refused.
func TestMarkupIsText(t *testing.T) {
	c := setup(t)
	c.createQueue("steps.fifo", service.QueueChange{})
	message := service.SendMessage{Body: markup, Attributes: map[string]service.Attribute{"name": {Type: "String", Value: "an attribute's " + markup}}}
	c.send("orders", message)
	message.GroupID, message.DeduplicationID = "group"+compact, "id"+compact
	c.send("steps.fifo", message)
	b := c.open()
	b.signInAt("/console/queues")
	for queue, texts := range map[string][]string{
		"orders":     {markup, "an attribute's " + markup},
		"steps.fifo": {markup, "an attribute's " + markup, "group" + compact, "id" + compact},
	} {
		b.goTo(b.url + "/console/queues/" + queue)
		b.wantOnlyText(texts...)
		b.do(chromedp.Click(chromedp.CSS("summary"))) // unfolds the message
		b.click(`a[href*="/messages/"]`)
		b.wantOnlyText(texts...)
	}
	b.goTo(b.url + "/console/queues/orders")
	b.enter("#body", "</textarea>"+markup)
	b.enter("#delay_seconds", `">`+markup)
	if status := b.click(`form[action$="/send"] button`); status != http.StatusBadRequest {
		t.Errorf("a wrong delay: status %d", status)
	}
	b.wantOnlyText("</textarea>" + markup)
}

// wantOnlyText checks that a page has texts, that no element was made of them, and that no dialog was opened.
func (b *tab) wantOnlyText(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		b.wantText(text)
	}
	if made := value[[]string](b, `[...document.querySelectorAll("body script, main img, main svg, [onerror], [onload]")].map(e => e.outerHTML)`); len(made) > 0 {
		b.t.Errorf("there are the elements %q", made)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.dialogs {
		b.t.Errorf("a dialog was opened: %s", text)
	}
}
