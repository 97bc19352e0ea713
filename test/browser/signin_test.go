package browser

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

const askedForOrders = "/console/signin?next=%2Fconsole%2Fqueues%2Forders"

func TestSigningInAndOut(t *testing.T) {
	c := setup(t)
	b := c.open()
	for _, way := range []struct{ who, user, password string }{
		{who: "user " + user, user: user, password: password},
		{who: "key " + c.Admin.KeyID},
	} {
		b.goTo(b.url + "/console/queues/orders")
		b.wantAt(askedForOrders)
		if way.user == "" {
			b.signInByKey()
		} else {
			b.signIn(way.user, way.password)
		}
		b.wantAt("/console/queues/orders")
		b.wantText(way.who + " in account " + testservice.Account)

		b.click("form.who button")
		b.wantAt("/console/signin")
		if left := b.cookies(); len(left) > 0 {
			t.Errorf("%s, signed out, has the cookie %+v", way.who, left[0])
		}
		b.load(chromedp.NavigateBack())
		b.wantAt(askedForOrders)
		b.load(chromedp.Reload())
		b.wantAt(askedForOrders)
	}
}

func TestWrongPassword(t *testing.T) {
	b := setup(t).open()
	b.goTo(b.url + "/console/queues/orders")
	if status := b.signIn(user, "a wrong password"); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	b.do(chromedp.WaitVisible(chromedp.CSS("#failure")))
	if got := b.cookies(); len(got) > 0 {
		t.Errorf("there is the cookie %+v", got[0])
	}
	b.goTo(b.url + "/console/queues/orders")
	b.wantAt(askedForOrders)
}

func TestCookie(t *testing.T) {
	b := setup(t).open()
	b.signInAt("/console/queues")
	got := b.cookies()
	if len(got) != 1 {
		t.Fatalf("%d cookies", len(got))
	}
	cookie := got[0]
	if cookie.Name != cookieName || !cookie.Secure || !cookie.HTTPOnly || cookie.SameSite != network.CookieSameSiteStrict ||
		cookie.Domain != "127.0.0.1" || cookie.Path != "/" || !cookie.Session {
		t.Errorf("the cookie is %+v", cookie)
	}
	if text := value[string](b, "document.cookie"); text != "" {
		t.Errorf("scripts see %s", text)
	}
}

// TestSessionEndsWithItsOwner ends sessions on another replica than the browser's.
func TestSessionEndsWithItsOwner(t *testing.T) {
	c := setup(t)
	other := testserver.SecureOn(t, c.databaseURL, service.Options{}).Service
	b := c.open()

	b.signInAt("/console/audit")
	c.must(other.DeleteUser(t.Context(), testservice.Caller, user))
	b.wantSentAway()

	b.goTo(b.url + "/console/audit")
	b.signInByKey()
	b.wantAt("/console/audit")
	c.must(other.RevokeKey(t.Context(), testservice.Caller, c.Admin.KeyID))
	b.wantSentAway()
}

// wantSentAway checks that the next click leads to the form, within 10 seconds.
func (b *tab) wantSentAway() {
	b.t.Helper()
	const form = "/console/signin?next=%2Fconsole%2Faudit"
	for end := time.Now().Add(10 * time.Second); ; {
		b.click(`nav a[href="/console/audit"]`)
		at, err := chromedp.Run(b.ctx, chromedp.Location())
		b.must(err)
		if at == b.url+form {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("after 10 seconds a click leads to %s", at)
		}
	}
}
