package authorization

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"tusq/service"
)

// consoleRoutes are the pages and forms of the console: what each needs, and an example of a form.
var consoleRoutes = map[string]struct {
	needs   []need
	form    string
	creates bool
}{
	"GET /console/queues":      {needs: []need{{action: service.ActionListQueues, any: true}, {service.ActionGetQueue, "", true}}},
	"GET /console/live/queues": {needs: []need{{action: service.ActionListQueues, any: true}, {service.ActionGetQueue, "", true}}},
	"POST /console/queues": {needs: []need{{service.ActionCreateQueue, orders, false}, {service.ActionSendMessages, dead, false}}, creates: true,
		form: "name={queue}&dead_letter.queue={dead}&dead_letter.max_receives=9"},
	"GET /console/queues/{queue}":                       {needs: []need{{service.ActionGetQueue, orders, false}}}, // it shows what else is permitted
	"GET /console/live/queues/{queue}":                  {needs: []need{{service.ActionGetQueue, orders, false}}},
	"GET /console/queues/{queue}/messages/{id}":         {needs: []need{{service.ActionPeekMessages, orders, false}}},
	"GET /console/queues/{queue}/send":                  {needs: []need{{service.ActionGetQueue, orders, false}}},
	"POST /console/queues/{queue}/send":                 {needs: []need{{service.ActionSendMessages, orders, false}}, form: "body=c"},
	"GET /console/queues/{queue}/redrive":               {needs: []need{{service.ActionListSources, dead, false}, {service.ActionRedriveQueue, dead, false}}},
	"GET /console/live/queues/{queue}/redrive":          {needs: []need{{service.ActionListSources, dead, false}, {service.ActionRedriveQueue, dead, false}}},
	"POST /console/queues/{queue}/redrive":              {needs: []need{{service.ActionRedriveQueue, dead, false}, {service.ActionSendMessages, other, false}}, form: "destination=" + other},
	"POST /console/queues/{queue}/redrives/{id}/cancel": {needs: []need{{service.ActionRedriveQueue, dead, false}}},
	"GET /console/queues/{queue}/purge":                 {needs: []need{{service.ActionGetQueue, orders, false}}},
	"POST /console/queues/{queue}/purge":                {needs: []need{{service.ActionPurgeQueue, orders, false}}, form: "confirm={queue}"},
	"GET /console/queues/{queue}/delete":                {needs: []need{{service.ActionGetQueue, orders, false}}},
	"POST /console/queues/{queue}/delete":               {needs: []need{{service.ActionDeleteQueue, orders, false}}, form: "confirm={queue}"},
	"GET /console/audit":                                {needs: []need{{action: service.ActionReadAudit}}},
}

func TestConsoleRoutes(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../web/console.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`c\.handle\("([A-Z]+) (\S+)"`).FindAllStringSubmatch(string(source), -1)
	if len(listed) < 15 {
		t.Fatalf("%d routes were found", len(listed))
	}
	w := newWorld(t, service.Options{})
	var calls []call
	for _, match := range listed {
		method, pattern := match[1], match[2]
		route, expected := consoleRoutes[method+" "+pattern]
		if !expected {
			t.Errorf("nothing is expected of %s %s", method, pattern)
			continue
		}
		path := strings.ReplaceAll(pattern, "messages/{id}", "messages/0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55")
		path = strings.ReplaceAll(path, "{id}", "{redrive}")
		if strings.Contains(pattern, "/redrive") {
			path = strings.ReplaceAll(path, "{queue}", "{dead}")
		}
		calls = append(calls, call{
			name: "console " + method + " " + pattern, needs: route.needs, nobody: http.StatusUnauthorized, creates: route.creates,
			do: func(c service.Credentials) answer { return w.console(c, method, w.fill(path), w.fill(route.form)) },
		})
	}
	w.check(calls)
}
