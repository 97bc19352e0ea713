package browser

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"tusq/test/testservice"
)

// bound is how long Chromium may run for a test.
const bound = 2 * time.Minute

// flags are Chromium's: it does without the sandbox, which root cannot have, and asks for nothing by itself.
var flags = []string{
	"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "no-default-browser-check", "disable-dev-shm-usage",
	"disable-background-networking", "disable-component-update", "disable-sync", "disable-breakpad", "no-proxy-server",
}

// tab is the only one of a Chromium.
type tab struct {
	*console
	ctx context.Context

	mu         sync.Mutex
	complaints []string // of Chromium about pages
	dialogs    []string // that pages have opened
}

// open starts Chromium with a new profile. Both are gone at the test's end; on Linux Chromium ends with the process, too.
func (c *console) open() *tab {
	c.t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		c.t.Fatalf("%v: `make test-browser` installs it from Debian's packages", err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Flag("ignore-certificate-errors-spki-list", c.trusted()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"), // nothing leaves the machine
	}
	for _, name := range flags {
		options = append(options, chromedp.Flag(name, true))
	}
	b := &tab{console: c}
	bounded, cancel := context.WithTimeout(context.Background(), bound)
	allocator, stop := chromedp.NewExecAllocator(bounded, options...)
	b.ctx, _ = chromedp.NewContext(allocator, chromedp.WithListener(b.listen))
	c.t.Cleanup(func() {
		if err := chromedp.Cancel(b.ctx); err != nil {
			c.t.Errorf("end Chromium: %v", err)
		}
		stop() // and waits until all its processes have ended
		cancel()
	})
	return b
}

// listen notes what Chromium says about pages, and closes their dialogs.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complain := func(format string, a ...any) { b.complaints = append(b.complaints, fmt.Sprintf(format, a...)) }
	switch e := event.(type) {
	case *log.EventEntryAdded: // violations of the policy are here
		complain("%s: %s: %s", e.Entry.URL, e.Entry.Level, e.Entry.Text)
	case *runtime.EventConsoleAPICalled:
		complain("console.%s: %v", e.Type, e.Args)
	case *runtime.EventExceptionThrown:
		complain("%s: %v", e.ExceptionDetails.URL, e.ExceptionDetails)
	case *network.EventLoadingFailed:
		complain("not loaded: %s: %s %s", e.Type, e.ErrorText, e.BlockedReason)
	case *page.EventJavascriptDialogOpening:
		b.dialogs = append(b.dialogs, e.Message)
		go chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, steps...))
}

// load takes steps that lead to another page, waits for it, and returns its status.
func (b *tab) load(steps ...chromedp.Action[chromedp.Void]) (status int64) {
	b.t.Helper()
	response, err := chromedp.RunResponse(b.ctx, steps...)
	b.must(err)
	return response.Status
}

func (b *tab) goTo(address string) (status int64) {
	b.t.Helper()
	return b.load(chromedp.Navigate(address))
}

func (b *tab) click(selector string) (status int64) {
	b.t.Helper()
	return b.load(chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) enter(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// value evaluates an expression in the page.
func value[T any](b *tab, expression string) T {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	b.must(err)
	return got
}

// signIn signs somebody in by the form, which the tab is at.
func (b *tab) signIn(user, password string) (status int64) {
	b.t.Helper()
	b.enter("#user", user)
	b.enter("#password", password)
	return b.click("form:has(#password) button")
}

// signInAt opens a page of the console as the user.
func (b *tab) signInAt(path string) {
	b.t.Helper()
	b.goTo(b.url + path)
	b.signIn(user, password)
	b.wantAt(path)
	b.wantSignedIn()
}

// wantSignedIn checks that a page is shown to the user.
func (b *tab) wantSignedIn() {
	b.t.Helper()
	b.wantText(user + " in account " + testservice.Account)
}

// signInByKey signs in by the administrator's key at the form, which the tab is at.
func (b *tab) signInByKey() (status int64) {
	b.t.Helper()
	b.enter("#key", b.Token())
	return b.click("form:has(#key) button")
}

func (b *tab) wantAt(path string) {
	b.t.Helper()
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	b.must(err)
	if at != b.url+path {
		b.t.Fatalf("came to %s, want %s", at, path)
	}
}

// wantText checks that a page has a text, also where it is folded up.
func (b *tab) wantText(text string) {
	b.t.Helper()
	if got := value[string](b, "document.body.textContent"); !strings.Contains(got, text) {
		b.t.Errorf("the page has no %q:\n%s", text, got)
	}
}

func (b *tab) cookies() []*network.Cookie {
	b.t.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url + "/console/queues"}})
	b.must(err)
	return got.Cookies
}

// wantQuiet checks that pages have opened no dialogs, and that Chromium has not complained of them.
func (b *tab) wantQuiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.complaints {
		b.t.Error(text)
	}
	for _, text := range b.dialogs {
		b.t.Errorf("a dialog: %s", text)
	}
}
