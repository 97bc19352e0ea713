package authorization

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"tusq/api/auth"
	"tusq/api/auth/sigv4"
	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testserver"
	"tusq/test/testservice"
	"tusq/web"
)

func TestMain(m *testing.M) { testservice.Main(m) }

const (
	home    = testservice.Account
	foreign = "999999999999"
	host    = "http://tusq.test"
)

// The queues of the tests.
const (
	orders    = "orders" // has dead as its dead-letter queue, a message in flight and a visible one
	dead      = "dead-of-orders"
	other     = "elsewhere-2"
	elsewhere = "elsewhere" // what callers without a right to the others have rights to
)

// secretBody is what messages hold.
const secretBody = "s3cret-body"

// world is a deployment with authentication, and the same queues in it whenever it is reset.
type world struct {
	t       *testing.T
	svc     *service.Service
	router  http.Handler
	owner   service.Caller
	keys    map[string]service.Credentials // by account and rights
	receipt string
	redrive string // its id
	other   string // the id of a key that nobody uses
}

func newWorld(t *testing.T, opts service.Options) *world {
	t.Helper()
	master, err := service.ParseMasterKeys(testserver.MasterKey.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	opts.MasterKeys = master
	svc := testservice.On(t, pgtest.New(t), opts)
	w := &world{
		t: t, svc: svc, router: testserver.SecureHandler(t, svc, sigv4.Options{}), owner: service.Owner(home), keys: map[string]service.Credentials{},
	}
	w.other = w.key(home, service.Rights{Actions: []service.Action{service.ActionGetQueue}, Queues: []string{"nobody"}}).KeyID
	_, err = svc.CreateUser(t.Context(), w.owner, service.CreateUser{
		Name: somebody, Password: "correct horse battery", Rights: service.Rights{Actions: []service.Action{service.ActionGetQueue}, Queues: []string{"nobody"}},
	})
	w.must(err)
	w.reset()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// key returns the credentials of a key of an account with some rights.
func (w *world) key(account string, rights service.Rights) service.Credentials {
	w.t.Helper()
	name := fmt.Sprint(account, rights)
	if known, ok := w.keys[name]; ok {
		return known
	}
	_, credentials, err := w.svc.CreateKey(w.t.Context(), w.owner, service.CreateKey{Name: "test", Account: account, Rights: rights})
	w.must(err)
	w.keys[name] = credentials
	return credentials
}

// caller is who a console's request is for.
func (w *world) caller(c service.Credentials) service.Caller {
	w.t.Helper()
	if c == (service.Credentials{}) {
		return service.Caller{}
	}
	caller, err := w.svc.CallerOfToken(w.t.Context(), c.Token().Reveal(), netip.Addr{})
	w.must(err)
	return caller
}

// reset makes the queues what they are at the beginning.
func (w *world) reset() {
	w.t.Helper()
	ctx := w.t.Context()
	w.remove()
	for _, create := range []service.CreateQueue{
		{Name: dead}, {Name: elsewhere}, {Name: other},
		{Name: orders, QueueChange: service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 9}}},
	} {
		_, _, err := w.svc.CreateQueue(ctx, w.owner, create)
		w.must(err)
	}
	started, err := w.svc.StartRedrive(ctx, w.owner, service.StartRedrive{Source: dead})
	w.must(err)
	w.redrive = started.ID
	for end := time.Now().Add(time.Minute); started.EndedAt.IsZero(); time.Sleep(5 * time.Millisecond) {
		started, err = w.svc.GetRedrive(ctx, w.owner, w.redrive)
		w.must(err)
		if time.Now().After(end) {
			w.t.Fatal("a redrive of nothing does not end")
		}
	}
	_, err = w.svc.SendMessages(ctx, w.owner, orders, service.SendMessages{Messages: []service.SendMessage{{Body: secretBody}, {Body: secretBody}}})
	w.must(err)
	got, err := w.svc.ReceiveMessages(ctx, w.owner, orders, service.ReceiveMessages{Max: 1, Visibility: new(time.Hour)})
	w.must(err)
	w.receipt = got[0].Receipt
}

// remove deletes all queues.
func (w *world) remove() {
	w.t.Helper()
	for _, account := range []string{home, foreign} {
		page, err := w.svc.ListQueues(w.t.Context(), service.Owner(account), service.ListQueues{})
		w.must(err)
		for _, queue := range page.Queues {
			w.must(w.svc.DeleteQueue(w.t.Context(), service.Owner(account), queue.Name))
		}
	}
}

// state is all that the account has: queues, messages, redrives, keys.
func (w *world) state() string {
	w.t.Helper()
	ctx := w.t.Context()
	var text strings.Builder
	page, err := w.svc.ListQueues(ctx, w.owner, service.ListQueues{})
	w.must(err)
	for _, queue := range page.Queues {
		deadLetter := service.DeadLetter{}
		if d := queue.Settings.DeadLetter; d != nil {
			deadLetter, queue.Settings.DeadLetter = *d, nil
		}
		messages, err := w.svc.PeekMessages(ctx, w.owner, queue.Name, service.PeekMessages{})
		w.must(err)
		redrives, err := w.svc.ListRedrives(ctx, w.owner, queue.Name, 100)
		w.must(err)
		fmt.Fprintf(&text, "%+v %v\n%+v\n%+v\n", queue, deadLetter, messages, redrives)
	}
	keys, err := w.svc.ListKeys(ctx, w.owner, service.ListKeys{})
	w.must(err)
	for _, key := range keys.Keys {
		key.LastUsedAt = time.Time{}
		fmt.Fprintf(&text, "%+v\n", key)
	}
	users, err := w.svc.ListUsers(ctx, w.owner, service.ListUsers{})
	w.must(err)
	fmt.Fprintf(&text, "%+v\n", users)
	return text.String()
}

// fill puts names into a request's text.
func (w *world) fill(text string) string {
	return strings.NewReplacer(
		"{queue}", orders, "{dead}", dead, "{receipt}", w.receipt, "{redrive}", w.redrive, "{key}", w.other, "{user}", somebody,
		"{url}", host+"/"+home+"/"+orders, "{deadurl}", host+"/"+home+"/"+dead,
		"{otherarn}", "arn:aws:sqs:"+testserver.Region+":"+home+":"+other, "{deadarn}", "arn:aws:sqs:"+testserver.Region+":"+home+":"+dead,
	).Replace(text)
}

// answer is what a caller sees.
type answer struct {
	status int
	text   string // headers and body, without what differs from answer to answer
}

var (
	changing    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	dateOrToken = regexp.MustCompile(`(?m)^Date: .*\r?\n`)
)

func serve(handler http.Handler, r *http.Request) answer {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	response := recorder.Result()
	var text bytes.Buffer
	_ = response.Header.Write(&text)
	body, _ := io.ReadAll(response.Body)
	text.Write(body)
	return answer{response.StatusCode, dateOrToken.ReplaceAllString(changing.ReplaceAllString(text.String(), "<uuid>"), "")}
}

// rest calls a route of REST.
func (w *world) rest(c service.Credentials, method, path, body string) answer {
	r := httptest.NewRequest(method, host+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c != (service.Credentials{}) {
		r.Header.Set("Authorization", "Bearer "+c.Token().Reveal())
	}
	return serve(w.router, r)
}

// sqs calls an action of SQS: of AWS JSON with a body, of AWS Query with a form.
func (w *world) sqs(c service.Credentials, action, body, form string) answer {
	text := body
	if form != "" {
		text = "Action=" + action + "&Version=2012-11-05" + form
	}
	r := httptest.NewRequest(http.MethodPost, host+"/", strings.NewReader(text))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	}
	if c != (service.Credentials{}) {
		hash := sha256.Sum256([]byte(text))
		err := v4.NewSigner().SignHTTP(w.t.Context(), aws.Credentials{AccessKeyID: c.KeyID, SecretAccessKey: c.Secret.Reveal()},
			r, hex.EncodeToString(hash[:]), "sqs", testserver.Region, time.Now())
		w.must(err)
	}
	return serve(w.router, r)
}

// console calls a route of the console.
func (w *world) console(c service.Credentials, method, path, form string) answer {
	r := httptest.NewRequest(method, host+path, strings.NewReader(form))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	handler := web.New(w.svc, web.Options{Logger: slog.New(slog.DiscardHandler)})
	return serve(handler, r.WithContext(auth.WithCaller(r.Context(), w.caller(c))))
}

// somebody is a user who is there at the beginning.
const somebody = "somebody"

// need is a right that a route asks for: an action with a queue. Without a queue: with all queues.
type need struct {
	action service.Action
	queue  string
	any    bool // with any queue at all: what the caller sees is what its rights cover
}

// someone is a caller of a route.
type someone struct {
	who     string
	key     service.Credentials
	allowed bool // the route serves it
	first   bool // it has the first right that the route asks for, and may know whether that queue exists
	foreign bool
}

// permits tells whether rights hold for a need.
func (n need) permits(rights service.Rights) bool {
	has := slices.Contains(rights.Actions, n.action)
	switch n.action { // what other rights include
	case service.ActionFindQueue:
		has = len(rights.Actions) > 0
	case service.ActionListSources:
		has = has || slices.Contains(rights.Actions, service.ActionGetQueue)
	}
	return has && (n.any || slices.ContainsFunc(rights.Queues, func(pattern string) bool {
		prefix, isPrefix := strings.CutSuffix(pattern, "*")
		return isPrefix && strings.HasPrefix(n.queue, prefix) || !isPrefix && n.queue == pattern
	}))
}

// callers are those whom a route that has these needs must tell apart.
func (w *world) callers(needs []need) []someone {
	w.t.Helper()
	var actions []service.Action
	var queues, beginnings []string
	ofQueues := true
	for _, n := range needs {
		actions = append(actions, n.action)
		switch {
		case n.queue != "":
			queues, beginnings = append(queues, n.queue), append(beginnings, n.queue[:len(n.queue)-2]+"*")
		case !n.any:
			ofQueues = false
		}
	}
	if len(queues) == 0 {
		queues, beginnings = []string{"*"}, []string{"*"}
	}
	made := func(who string, actions []service.Action, queues []string) someone {
		rights := service.Rights{Actions: actions, Queues: queues}
		lacks := func(n need) bool { return !n.permits(rights) }
		return someone{who: who, key: w.key(home, rights), allowed: !slices.ContainsFunc(needs, lacks), first: !lacks(needs[0])}
	}
	all := []someone{
		{who: "nobody"},
		made("exactly that", actions, queues),
		made("exactly that, by beginnings", actions, beginnings),
		made("an administrator", service.Actions(), []string{"*"}),
	}
	if ofQueues {
		all = append(all, someone{who: "another account", key: w.key(foreign, service.Everything()), foreign: true})
	}
	for _, single := range service.Actions() {
		all = append(all, made("only "+single.String(), []service.Action{single}, queues))
	}
	for _, n := range needs {
		but := slices.DeleteFunc(service.Actions(), func(a service.Action) bool { return a == n.action })
		all = append(all, made("all but "+n.action.String(), but, queues))
		if !n.any {
			others := slices.DeleteFunc(slices.Clone(queues), func(q string) bool { return q == n.queue || q == "*" })
			all = append(all, made("all, but not with "+n.queue, service.Actions(), append(others, elsewhere)))
		}
	}
	return all
}

// call is a way to call a route.
type call struct {
	name    string
	needs   []need
	nobody  int // the status for nobody
	creates bool
	origins bool // it looks for the second queue by means of the first
	do      func(service.Credentials) answer
}

// check calls each route as all its callers: what is refused is refused in the same words
// whether there are queues or not, and changes nothing; the others are served.
func (w *world) check(calls []call) {
	w.t.Helper()
	for _, c := range calls {
		w.callers(c.needs) // makes their keys
	}
	before := w.state()
	refused := map[string]answer{}
	for _, c := range calls {
		for _, who := range w.refused(c) {
			name := c.name + " as " + who.who
			got := c.do(who.key)
			refused[name] = got
			switch want := c.refusal(who); {
			case want != 0 && got.status != want:
				w.t.Errorf("%s: status %d, want %d: %.300s", name, got.status, want, got.text)
			case strings.Contains(got.text, secretBody):
				w.t.Errorf("%s: the answer has a message: %s", name, got.text)
			}
		}
		if after := w.state(); after != before {
			w.t.Fatalf("%s, refused, has changed\n%s\nto\n%s", c.name, before, after)
		}
	}
	w.same(calls, refused, true)
	w.remove()
	w.same(calls, refused, false)
	for _, c := range calls {
		for _, who := range w.callers(c.needs) {
			if !who.allowed {
				continue
			}
			w.reset()
			got := c.do(who.key)
			if got.status == http.StatusUnauthorized || got.status == http.StatusForbidden || got.status == http.StatusInternalServerError {
				w.t.Errorf("%s as %s: status %d: %.300s", c.name, who.who, got.status, got.text)
			}
		}
	}
}

// refused are the callers whom a route refuses.
func (w *world) refused(c call) []someone {
	return slices.DeleteFunc(w.callers(c.needs), func(who someone) bool { return who.allowed || who.foreign && c.creates })
}

// same checks that those who are refused get the same answers as when the queues were there. Those who
// have the first right of a call may know of the first queue: they are told apart, and for them the second one is removed.
func (w *world) same(calls []call, refused map[string]answer, first bool) {
	w.t.Helper()
	for _, c := range calls {
		if first {
			if len(c.needs) < 2 || c.needs[1].queue == "" || c.needs[1].queue == c.needs[0].queue || c.origins {
				continue
			}
			w.must(w.svc.DeleteQueue(w.t.Context(), w.owner, c.needs[1].queue))
		}
		for _, who := range w.refused(c) {
			name := c.name + " as " + who.who
			if who.first != first {
				continue
			}
			if again := c.do(who.key); again != refused[name] {
				w.t.Errorf("%s: the answer tells whether there is such a queue:\n%s\n%s", name, refused[name].text, again.text)
			}
		}
		if first {
			_, _, err := w.svc.CreateQueue(w.t.Context(), w.owner, service.CreateQueue{Name: c.needs[1].queue})
			w.must(err)
		}
	}
}

// refusal is the status of a refusal. To another account there are no such queues, which routes say in
// several ways (0): that it is the same answer as where there are none is what counts.
func (c call) refusal(who someone) int {
	switch {
	case who.foreign:
		return 0
	case who.who == "nobody":
		return c.nobody
	}
	return http.StatusForbidden
}
