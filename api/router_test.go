package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"tusq/openapi"
	"tusq/service"
)

// The routes of the REST dialect and the operations of the specification are the same.
func TestRoutesMatchTheSpecification(t *testing.T) {
	s := setup(t, nil, 0)
	routes := map[string]bool{}
	err := chi.Walk(s.router.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(route, "/v1/") {
			routes[method+" "+route] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	specification := map[string]bool{}
	for path, operations := range parsed(t).Paths {
		for method := range operations {
			specification[strings.ToUpper(method)+" "+path] = true
		}
	}
	if len(routes) == 0 || !maps.Equal(routes, specification) {
		t.Errorf("routes:\n%s\nspecification:\n%s",
			strings.Join(slices.Sorted(maps.Keys(routes)), "\n"), strings.Join(slices.Sorted(maps.Keys(specification)), "\n"))
	}
}

// document is what the tests read of the specification.
type document struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct {
				Minimum, Maximum               *float64
				MinLength, MaxLength, MaxItems *int
			}
		}
	}
}

func parsed(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openapi.JSON, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The ranges that the specification names are the service's limits.
func TestSpecificationNamesTheLimits(t *testing.T) {
	t.Parallel()
	schemas := parsed(t).Components.Schemas
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	for _, test := range []struct {
		schema, property string
		low, high        int
	}{
		{"QueueSettings", "visibility_timeout", 0, seconds(service.MaxVisibility)},
		{"QueueSettings", "delay_seconds", 0, seconds(service.MaxDelay)},
		{"QueueSettings", "retention_seconds", seconds(service.MinRetention), seconds(service.MaxRetention)},
		{"QueueSettings", "wait_seconds", 0, seconds(service.MaxQueueWait)},
		{"QueueSettings", "max_message_size", service.MinMaxMessageSize, service.MaxMessageBytes},
		{"Queue", "max_message_size", service.MinMaxMessageSize, service.MaxMessageBytes},
		{"DeadLetter", "max_receives", 1, service.MaxReceives},
		{"SendMessage", "delay_seconds", 0, seconds(service.MaxDelay)},
		{"ReceiveMessages", "max", 1, service.MaxBatch},
		{"ReceiveMessages", "wait_seconds", 0, seconds(service.MaxWait)},
		{"ReceiveMessages", "visibility_timeout", 0, seconds(service.MaxVisibility)},
		{"ExtendMessage", "visibility_timeout", 0, seconds(service.MaxVisibility)},
	} {
		p := schemas[test.schema].Properties[test.property]
		if p.Minimum == nil || p.Maximum == nil || int(*p.Minimum) != test.low || int(*p.Maximum) != test.high {
			t.Errorf("%s.%s is not said to be %d to %d", test.schema, test.property, test.low, test.high)
		}
	}
	name, body := schemas["CreateQueue"].Properties["name"], schemas["SendMessage"].Properties["body"]
	if *name.MaxLength != service.MaxQueueName || *body.MaxLength != service.MaxMessageBytes {
		t.Error("the length of names or bodies is wrong")
	}
	for schema, property := range map[string]string{"SendMessages": "messages", "DeleteMessages": "receipts", "ExtendMessages": "messages"} {
		if items := schemas[schema].Properties[property].MaxItems; items == nil || *items != service.MaxBatch {
			t.Errorf("%s.%s is not said to have %d items at most", schema, property, service.MaxBatch)
		}
	}
}

// Which handler answers which path.
func TestPaths(t *testing.T) {
	s := setup(t, nil, 0)
	for _, test := range []struct {
		method, path, accept string
		status               int
		text                 string
	}{
		{"POST", "/", "", http.StatusOK, "sqs"},
		{"GET", "/?Action=ListQueues", "text/html", http.StatusOK, "sqs"},
		{"GET", "/", "*/*", http.StatusOK, "sqs"},
		{"POST", "/000000000000/orders", "", http.StatusOK, "sqs"},
		{"GET", "/123456789012/orders?Action=GetQueueUrl", "", http.StatusOK, "sqs"},
		{"POST", "/12345678901/orders", "", http.StatusNotFound, ""},
		{"POST", "/1234567890123/orders", "", http.StatusNotFound, ""},
		{"POST", "/000000000000/orders/more", "", http.StatusNotFound, ""},
		{"GET", "/console", "", http.StatusOK, "console"},
		{"POST", "/console/queues/orders", "", http.StatusOK, "console"},
		{"GET", "/livez", "", http.StatusOK, "ok\n"},
		{"GET", "/readyz", "", http.StatusOK, "ok\n"},
		{"GET", "/docs/none", "", http.StatusNotFound, ""},
		{"GET", "/nothing", "", http.StatusNotFound, ""},
	} {
		answer := s.send(test.method, test.path, "", "Accept", test.accept)
		if answer.StatusCode != test.status || test.text != "" && answer.text != test.text {
			t.Errorf("%s %s: got %d %.80q", test.method, test.path, answer.StatusCode, answer.text)
		}
		if answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: answered without nosniff", test.method, test.path)
		}
	}
	// SDKs post AWS JSON to the path of whatever URL they are given.
	for path, status := range map[string]int{
		"/sqs": http.StatusOK, "/queue/orders/": http.StatusOK, "/000000000000/orders/": http.StatusOK, "/v1/nothing": http.StatusNotFound,
	} {
		answer := s.send("POST", path, "{}", "Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "AmazonSQS.ListQueues")
		if answer.StatusCode != status || status == http.StatusOK && answer.text != "sqs" {
			t.Errorf("AWS JSON at %s: got %d %.80q", path, answer.StatusCode, answer.text)
		}
	}
	home := s.send("GET", "/", "", "Accept", "text/html,application/xhtml+xml")
	if home.StatusCode != http.StatusFound || home.Header.Get("Location") != "/console" {
		t.Errorf("a browser got %d %q", home.StatusCode, home.Header.Get("Location"))
	}
}

// Who only wants to know whether something is there asks by HEAD, and gets GET's answer without its body.
func TestHeadOfWhatIsForOperation(t *testing.T) {
	s := setup(t, nil, 0)
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/init.js", "/docs/none"} {
		get, head := s.send("GET", path, ""), s.send("HEAD", path, "")
		if head.StatusCode != get.StatusCode || head.text != "" {
			t.Errorf("%s: got %d %.80q, and GET %d", path, head.StatusCode, head.text, get.StatusCode)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "Content-Security-Policy"} {
			if got, want := head.Header.Get(name), get.Header.Get(name); got != want {
				t.Errorf("%s: the %s is %q, and GET's %q", path, name, got, want)
			}
		}
	}
}

// The documentation loads everything from here, and from nowhere else.
func TestDocs(t *testing.T) {
	s := setup(t, nil, 0)
	page := s.send("GET", "/docs", "")
	policy := page.Header.Get("Content-Security-Policy")
	if page.StatusCode != http.StatusOK || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") {
		t.Errorf("got %d with the policy %q", page.StatusCode, policy)
	}
	if strings.Contains(page.text, "://") || regexp.MustCompile(`(?s)<script>|<style|\son\w+=`).MatchString(page.text) {
		t.Errorf("the page reaches elsewhere or has something inline: %s", page.text)
	}
	references := regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page.text, -1)
	if len(references) < 3 {
		t.Fatalf("found only %v", references)
	}
	for _, reference := range references {
		if got := s.send("GET", reference[1], ""); got.StatusCode != http.StatusOK || got.text == "" {
			t.Errorf("%s: %d", reference[1], got.StatusCode)
		}
	}
	start := s.send("GET", "/docs/init.js", "")
	if !strings.Contains(start.text, `"/openapi.json"`) || strings.Contains(start.text, "://") {
		t.Errorf("the page's script: %s", start.text)
	}
	specification := s.send("GET", "/openapi.json", "")
	if specification.text != string(openapi.JSON) || specification.Header.Get("Content-Type") != "application/json" {
		t.Error("the specification is not served as it is")
	}
}
