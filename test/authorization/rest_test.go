package authorization

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"tusq/service"
)

// restRoutes are the routes of REST: what each needs, an example of a body, and other queries.
var restRoutes = map[string]struct {
	needs   []need
	body    string
	query   string
	creates bool
}{
	"POST /v1/queues": {needs: []need{{service.ActionCreateQueue, orders, false}, {service.ActionSendMessages, dead, false}},
		body: `{"name":"{queue}","dead_letter":{"queue":"{dead}","max_receives":9}}`, creates: true},
	"GET /v1/queues":         {needs: []need{{action: service.ActionListQueues, any: true}}},
	"GET /v1/queues/{queue}": {needs: []need{{service.ActionGetQueue, orders, false}}},
	"PATCH /v1/queues/{queue}": {needs: []need{{service.ActionUpdateQueue, orders, false}, {service.ActionSendMessages, dead, false}},
		body: `{"delay_seconds":7,"dead_letter":{"queue":"{dead}","max_receives":8}}`},
	"DELETE /v1/queues/{queue}":                    {needs: []need{{service.ActionDeleteQueue, orders, false}}},
	"POST /v1/queues/{queue}/purge":                {needs: []need{{service.ActionPurgeQueue, orders, false}}},
	"GET /v1/queues/{queue}/stats":                 {needs: []need{{service.ActionGetQueue, orders, false}}},
	"POST /v1/queues/{queue}/messages":             {needs: []need{{service.ActionSendMessages, orders, false}}, body: `{"body":"c"}`},
	"GET /v1/queues/{queue}/messages":              {needs: []need{{service.ActionPeekMessages, orders, false}}},
	"POST /v1/queues/{queue}/messages/receive":     {needs: []need{{service.ActionReceiveMessages, orders, false}}, body: `{"wait_seconds":0}`},
	"DELETE /v1/queues/{queue}/messages/{receipt}": {needs: []need{{service.ActionDeleteMessages, orders, false}}},
	"POST /v1/queues/{queue}/messages/delete":      {needs: []need{{service.ActionDeleteMessages, orders, false}}, body: `{"receipts":["{receipt}"]}`},
	"PATCH /v1/queues/{queue}/messages/{receipt}":  {needs: []need{{service.ActionExtendMessages, orders, false}}, body: `{"visibility_timeout":0}`},
	"POST /v1/queues/{queue}/messages/visibility": {needs: []need{{service.ActionExtendMessages, orders, false}},
		body: `{"messages":[{"receipt":"{receipt}","visibility_timeout":0}]}`},
	"POST /v1/queues/{queue}/redrive": {needs: []need{{service.ActionRedriveQueue, dead, false}, {service.ActionSendMessages, other, false}},
		body: `{"destination":"elsewhere-2"}`},
	"GET /v1/queues/{queue}/redrives": {needs: []need{{service.ActionRedriveQueue, dead, false}}},
	"GET /v1/redrives/{redrive}":      {needs: []need{{service.ActionRedriveQueue, dead, false}}},
	"DELETE /v1/redrives/{redrive}":   {needs: []need{{service.ActionRedriveQueue, dead, false}}},
	"GET /v1/audit":                   {needs: []need{{action: service.ActionReadAudit}}},
	"POST /v1/keys":                   {needs: []need{{action: service.ActionManageKeys}}, body: `{"name":"k","actions":["manage_keys"],"queues":["*"]}`},
	"GET /v1/keys":                    {needs: []need{{action: service.ActionManageKeys}}},
	"GET /v1/keys/{key}":              {needs: []need{{action: service.ActionManageKeys}}},
	"DELETE /v1/keys/{key}":           {needs: []need{{action: service.ActionManageKeys}, {action: service.ActionGetQueue}}},
	"POST /v1/users": {needs: []need{{action: service.ActionManageKeys}},
		body: `{"name":"new","password":"correct horse battery","actions":["manage_keys"],"queues":["*"]}`},
	"GET /v1/users":              {needs: []need{{action: service.ActionManageKeys}}},
	"GET /v1/users/{user}":       {needs: []need{{action: service.ActionManageKeys}}},
	"PATCH /v1/users/{user}":     {needs: []need{{action: service.ActionManageKeys}, {action: service.ActionGetQueue}}, body: `{"queues":["nobody"]}`},
	"DELETE /v1/users/{user}":    {needs: []need{{action: service.ActionManageKeys}, {action: service.ActionGetQueue}}},
	"POST /v1/keys/{key}/rotate": {needs: []need{{action: service.ActionManageKeys}, {action: service.ActionGetQueue}}, body: `{}`},
}

// otherRoutes are those that are not REST's, and what tests them.
var otherRoutes = map[string]string{
	"/": "sqs", "/{account:[0-9]{12}}/{queue}": "sqs", "/console": "console", "/console/*": "console",
	"/livez": "public", "/readyz": "public", "/openapi.json": "public", "/docs": "public", "/docs/{asset}": "public", "/metrics": "own key",
}

func TestRESTRoutes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service.Options{})
	var calls []call
	found := map[string]bool{}
	err := chi.Walk(w.router.(chi.Routes), func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		found[method+" "+pattern] = true
		if !strings.HasPrefix(pattern, "/v1/") {
			switch otherRoutes[pattern] {
			case "":
				t.Errorf("nothing is expected of %s %s", method, pattern)
			case "own key":
				stranger, sender := w.key("111111111111", service.Everything()), w.key(home, service.Rights{Actions: []service.Action{service.ActionSendMessages}, Queues: []string{orders}})
				for status, c := range map[int]service.Credentials{http.StatusUnauthorized: {}, http.StatusForbidden: stranger, http.StatusOK: sender} {
					if got := w.rest(c, method, pattern, ""); got.status != status {
						t.Errorf("%s: status %d, want %d", pattern, got.status, status)
					}
				}
			}
			return nil
		}
		route, expected := restRoutes[method+" "+pattern]
		if !expected {
			t.Errorf("nothing is expected of %s %s", method, pattern)
			return nil
		}
		path := pattern
		if strings.Contains(pattern, "/redrive") {
			path = strings.ReplaceAll(pattern, "{queue}", "{dead}")
		}
		calls = append(calls, call{
			name: "REST " + method + " " + pattern, needs: route.needs, nobody: http.StatusUnauthorized, creates: route.creates,
			do: func(c service.Credentials) answer { return w.rest(c, method, w.fill(path), w.fill(route.body)) },
		})
		return nil
	})
	w.must(err)
	for route := range restRoutes {
		if !found[route] {
			t.Errorf("there is no route %s", route)
		}
	}
	w.check(calls)
}

// TestRedriveToOrigins: messages that go back where they came from need the right to send there.
func TestRedriveToOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service.Options{})
	w.check([]call{
		{name: "REST redrive to the origins", origins: true, nobody: http.StatusUnauthorized,
			needs: []need{{service.ActionRedriveQueue, dead, false}, {service.ActionSendMessages, orders, false}},
			do:    func(c service.Credentials) answer { return w.rest(c, "POST", "/v1/queues/"+dead+"/redrive", "") }},
		{name: "REST sources of a dead-letter queue", nobody: http.StatusUnauthorized, needs: []need{{service.ActionListSources, dead, false}},
			do: func(c service.Credentials) answer { return w.rest(c, "GET", "/v1/queues?dead_letter="+dead, "") }},
	})
}

// TestRedriveToRecordedOrigins: what counts is where the messages came from, not whose dead-letter queue it is now.
func TestRedriveToRecordedOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service.Options{})
	ctx := t.Context()
	change := func(queue string, deadLetter service.DeadLetter) {
		_, err := w.svc.UpdateQueue(ctx, w.owner, queue, service.QueueChange{DeadLetter: &deadLetter})
		w.must(err)
	}
	change(orders, service.DeadLetter{Queue: dead, MaxReceives: 1})
	for range 2 {
		_, err := w.svc.ReceiveMessages(ctx, w.owner, orders, service.ReceiveMessages{Max: 10, Visibility: new(time.Duration(0))})
		w.must(err)
	}
	change(orders, service.DeadLetter{Queue: other, MaxReceives: 9})
	change(elsewhere, service.DeadLetter{Queue: dead, MaxReceives: 9})
	rights := service.Rights{Actions: []service.Action{service.ActionRedriveQueue, service.ActionSendMessages}, Queues: []string{dead, elsewhere}}
	some := w.key(home, rights)
	rights.Queues = append(rights.Queues, orders)
	all := w.key(home, rights)
	before := w.state()
	if got := w.rest(some, "POST", "/v1/queues/"+dead+"/redrive", ""); got.status != http.StatusForbidden || w.state() != before {
		t.Errorf("without the right to send to %s: status %d: %s", orders, got.status, got.text)
	}
	if got := w.rest(all, "POST", "/v1/queues/"+dead+"/redrive", ""); got.status >= 300 {
		t.Errorf("with all rights: status %d: %s", got.status, got.text)
	}
}

// TestListsShowWhatRightsCover: others' names are not told.
func TestListsShowWhatRightsCover(t *testing.T) {
	t.Parallel()
	w := newWorld(t, service.Options{})
	key := w.key(home, service.Rights{Actions: []service.Action{service.ActionListQueues}, Queues: []string{"else*"}})
	for _, got := range []answer{
		w.rest(key, "GET", "/v1/queues", ""), w.sqs(key, "ListQueues", `{}`, ""), w.sqs(key, "ListQueues", "", "&MaxResults=100"),
	} {
		if got.status != http.StatusOK || !strings.Contains(got.text, elsewhere) || strings.Contains(got.text, orders) {
			t.Errorf("status %d: %s", got.status, got.text)
		}
	}
}
