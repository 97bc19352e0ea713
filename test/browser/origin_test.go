package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tusq/service"
)

// hostile is a page of another site.
const hostile = `<!doctype html>
<title>hostile</title>
<script>
function post(action, fields) {
	const form = document.createElement("form");
	form.method = "post";
	form.action = action;
	for (const [name, value] of Object.entries(fields)) {
		const input = document.createElement("input");
		input.name = name;
		input.value = value;
		form.append(input);
	}
	document.body.append(form);
	form.submit();
}
function frame(src) {
	return new Promise((done) => {
		const frame = document.createElement("iframe");
		frame.onload = () => done(true);
		frame.src = src;
		document.body.append(frame);
	});
}
</script>
<body></body>`

func serveHostile(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprint(w, hostile)
}

// TestOtherOrigins has pages of other origins post the console's forms while somebody is signed in. To a browser
// another port is the same site: the cookie comes with the request, and only the check of Sec-Fetch-Site refuses it, the
// router's before the console's own.
func TestOtherOrigins(t *testing.T) {
	c := setup(t)
	otherPort := c.serve(serveHostile)
	plain := httptest.NewServer(http.HandlerFunc(serveHostile))
	t.Cleanup(plain.Close)
	b := c.open()
	b.signInAt("/console/queues")
	c.send("orders", service.SendMessage{Body: "kept"})
	c.send("dead", service.SendMessage{Body: "kept"})
	before := c.state()
	refuse := func(from, path, fields string, want request) {
		t.Helper()
		b.goTo(from)
		if status := b.load(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("post(%q, %s)", b.url+path, fields))); status != http.StatusBadRequest {
			t.Errorf("%s posts to %s: status %d", from, path, status)
		}
		want.method, want.path = http.MethodPost, path
		if got := c.last(http.MethodPost, path); got != want {
			t.Errorf("%s posts to %s: the request %+v, want %+v", from, path, got, want)
		}
		if after := c.state(); after != before {
			t.Errorf("%s, posting to %s, has changed\n%s\nto\n%s", from, path, before, after)
			before = after
		}
	}
	const purge = "/console/queues/orders/purge"
	refuse(strings.Replace(otherPort, "127.0.0.1", "localhost", 1), purge, `{confirm: "orders"}`, request{site: "cross-site"})
	refuse(plain.URL, purge, `{confirm: "orders"}`, request{site: "cross-site"})
	for path, fields := range map[string]string{
		purge:                           `{confirm: "orders"}`,
		"/console/queues":               `{name: "evil"}`,
		"/console/queues/orders/send":   `{body: "evil"}`,
		"/console/queues/orders/delete": `{confirm: "orders"}`,
		"/console/queues/dead/redrive":  `{destination: "orders"}`,
		"/console/signin":               fmt.Sprintf("{key: %q}", c.Token()),
		"/console/signout":              "{}",
	} {
		refuse(otherPort, path, fields, request{site: "same-site", session: true})
	}
	b.goTo(b.url + purge)
	b.wantSignedIn()
	b.enter("#confirm", "orders")
	b.click("form.fields button")
	if after := c.state(); after == before {
		t.Error("the console's own form changes nothing")
	}
}

// TestFrames has a page of another port frame the console. The answers come, with the session, and are not shown.
func TestFrames(t *testing.T) {
	c := setup(t)
	otherPort := c.serve(serveHostile)
	b := c.open()
	b.signInAt("/console/queues")
	for _, path := range []string{"/console/audit", "/console/signin"} {
		b.goTo(otherPort)
		value[bool](b, fmt.Sprintf("frame(%q)", b.url+path))
		if got, want := c.last(http.MethodGet, path), (request{http.MethodGet, path, "same-site", true}); got != want {
			t.Errorf("the request %+v, want %+v", got, want)
		}
		tree, err := chromedp.Call(b.ctx, page.GetFrameTree, cdp.Empty{})
		c.must(err)
		if n := len(tree.FrameTree.ChildFrames); n != 1 {
			t.Fatalf("%d frames", n)
		}
		if shown := tree.FrameTree.ChildFrames[0].Frame; shown.UnreachableURL == "" {
			t.Errorf("another page frames %s", shown.URL)
		}
	}
}
