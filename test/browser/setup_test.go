// Package browser drives the console in Chromium, which alone keeps the rules that the console
// relies on: for cookies, for its Content-Security-Policy, and for what other sites may do. It is
// a module of its own, because the product does not need chromedp. `make test-browser` installs
// Chromium and runs it.
package browser

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"tusq/api/auth/sigv4"
	"tusq/internal/pgtest"
	"tusq/internal/testcert"
	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	user     = "ann"
	password = "correct horse battery staple"
)

// cookieName is that of the session's cookie over HTTPS.
const cookieName = "__Host-tusq"

// console is a whole server over HTTPS, with the queue orders, its dead-letter queue dead, and a user.
type console struct {
	*testserver.Secure
	t           *testing.T
	databaseURL string
	url         string
	certificate tls.Certificate // of all servers; Chromium trusts its key

	mu    sync.Mutex
	asked []request // by browsers
}

// request is one that came to the server.
type request struct {
	method, path string
	site         string // Sec-Fetch-Site: whose page has sent it
	session      bool   // it has the session's cookie
}

func setup(t *testing.T) *console {
	t.Helper()
	t.Parallel()
	c := &console{t: t, databaseURL: pgtest.New(t), certificate: testcert.New(t, "CA").Issue("127.0.0.1").TLS(t)}
	c.Secure = testserver.SecureOn(t, c.databaseURL, service.Options{})
	handler := testserver.SecureHandler(t, c.Service, sigv4.Options{})
	c.url = c.serve(func(w http.ResponseWriter, r *http.Request) {
		c.note(r)
		handler.ServeHTTP(w, r)
	})
	c.createQueue("dead", service.QueueChange{})
	c.createQueue("orders", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 3}})
	_, err := c.Service.CreateUser(t.Context(), testservice.Caller, service.CreateUser{Name: user, Password: password, Rights: service.Everything()})
	c.must(err)
	return c
}

// serve serves a handler over HTTPS on an address of its own, and returns its origin.
func (c *console) serve(handler http.HandlerFunc) (origin string) {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{c.certificate}}
	server.StartTLS()
	c.t.Cleanup(server.Close)
	return server.URL
}

// trusted names the certificate's key as Chromium does.
func (c *console) trusted() string {
	hash := sha256.Sum256(c.certificate.Leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(hash[:])
}

func (c *console) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *console) note(r *http.Request) {
	_, err := r.Cookie(cookieName)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, request{r.Method, r.URL.Path, r.Header.Get("Sec-Fetch-Site"), err == nil})
}

// last returns the last request with a method for a path.
func (c *console) last(method, path string) request {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.asked) - 1; i >= 0; i-- {
		if asked := c.asked[i]; asked.method == method && asked.path == path {
			return asked
		}
	}
	return request{}
}

func (c *console) createQueue(name string, change service.QueueChange) {
	c.t.Helper()
	_, _, err := c.Service.CreateQueue(c.t.Context(), testservice.Caller, service.CreateQueue{Name: name, QueueChange: change})
	c.must(err)
}

func (c *console) send(queue string, messages ...service.SendMessage) {
	c.t.Helper()
	_, err := c.Service.SendMessages(c.t.Context(), testservice.Caller, queue, service.SendMessages{Messages: messages})
	c.must(err)
}

// state is all queues and messages, and how many redrives there are.
func (c *console) state() string {
	c.t.Helper()
	ctx := c.t.Context()
	page, err := c.Service.ListQueues(ctx, testservice.Caller, service.ListQueues{})
	c.must(err)
	var text strings.Builder
	for _, queue := range page.Queues {
		peeked, err := c.Service.PeekMessages(ctx, testservice.Caller, queue.Name, service.PeekMessages{})
		c.must(err)
		redrives, err := c.Service.ListRedrives(ctx, testservice.Caller, queue.Name, 10)
		c.must(err)
		fmt.Fprintf(&text, "%s, %d redrives:", queue.Name, len(redrives))
		for _, message := range peeked.Messages {
			fmt.Fprintf(&text, " %q", message.Body)
		}
		text.WriteByte('\n')
	}
	return text.String()
}
