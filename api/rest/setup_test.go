package rest_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"tusq/api"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/canary"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

const typeJSON = "application/json"

// server is a real service behind the real router.
type server struct {
	t      *testing.T
	svc    *service.Service
	router http.Handler
	url    string
}

func setup(t *testing.T) *server {
	t.Parallel()
	return serve(t, testservice.New(t))
}

func serve(t *testing.T, svc *service.Service) *server {
	t.Helper()
	router := api.NewRouter(api.Options{
		Service: svc,
		Logger:  slog.New(canary.Watch(t, slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))),
		Metrics: telemetry.New(),
		Account: testservice.Account,
		SQS:     http.NotFoundHandler(),
		Console: http.NotFoundHandler(),
	})
	listener := httptest.NewServer(router)
	t.Cleanup(listener.Close)
	return &server{t: t, svc: svc, router: router, url: listener.URL}
}

// answer is a response that has been read.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// call sends a JSON body, or none.
func (s *server) call(method, path, body string) *answer {
	s.t.Helper()
	media := typeJSON
	if body == "" {
		media = ""
	}
	return s.send(method, path, media, body)
}

func (s *server) send(method, path, media, body string) *answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if media != "" {
		request.Header.Set("Content-Type", media)
	}
	return s.do(request)
}

func (s *server) do(request *http.Request) *answer {
	s.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if response.Header.Get("X-Request-Id") == "" {
		s.t.Errorf("%s %s was answered without a request id", request.Method, request.URL.Path)
	}
	wantSpecified(s.t, request, response.StatusCode)
	return &answer{t: s.t, status: response.StatusCode, header: response.Header, body: string(body)}
}

// want fails the test unless the answer has the status, and returns its JSON value.
func (a *answer) want(status int) value {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("got %d, want %d: %.300s", a.status, status, a.body)
	}
	if status == http.StatusNoContent {
		if a.body != "" {
			a.t.Fatalf("204 with a body: %q", a.body)
		}
		return nil
	}
	if got := a.header.Get("Content-Type"); got != typeJSON {
		a.t.Fatalf("got the Content-Type %q", got)
	}
	var v value
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("%v in %.300s", err, a.body)
	}
	return v
}

// wantProblem fails the test unless the answer is this error, and returns it.
func (a *answer) wantProblem(status int, code service.Code) value {
	a.t.Helper()
	var v value
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatalf("got %d: %v in %.300s", a.status, err, a.body)
	}
	if a.status != status || v["code"] != string(code) {
		a.t.Errorf("got %d %v, want %d %s: %.300s", a.status, v["code"], status, code, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("got the Content-Type %q", got)
	}
	whole := v["type"] == "about:blank" && v["title"] == http.StatusText(status) && v["status"] == float64(status) &&
		v["detail"] != "" && v["request_id"] == a.header.Get("X-Request-Id")
	if !whole {
		a.t.Errorf("the problem is not whole: %s", a.body)
	}
	return v
}

// value is a JSON object.
type value map[string]any

// list returns the objects of an array.
func (v value) list(name string) []value {
	array, _ := v[name].([]any)
	objects := make([]value, len(array))
	for i := range array {
		objects[i], _ = array[i].(map[string]any)
	}
	return objects
}

func (v value) text(name string) string {
	text, _ := v[name].(string)
	return text
}

// wantEqual compares what is JSON in both.
func wantEqual(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(normal(t, got), normal(t, want)) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func normal(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var result any
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	return result
}

func (s *server) createQueue(name string) string {
	s.t.Helper()
	s.call("POST", "/v1/queues", `{"name":"`+name+`"}`).want(http.StatusCreated)
	return "/v1/queues/" + name
}

// sendMessage sends one message and returns its id.
func (s *server) sendMessage(queue, body string) string {
	s.t.Helper()
	text, err := json.Marshal(value{"body": body})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.call("POST", queue+"/messages", string(text)).want(http.StatusCreated).text("id")
}

// receive receives up to max messages that are there.
func (s *server) receive(queue, request string) []value {
	s.t.Helper()
	return s.call("POST", queue+"/messages/receive", request).want(http.StatusOK).list("messages")
}

func (s *server) receiveOne(queue, request string) value {
	s.t.Helper()
	messages := s.receive(queue, request)
	if len(messages) != 1 {
		s.t.Fatalf("received %d messages", len(messages))
	}
	return messages[0]
}

func (s *server) wantStats(queue string, visible, inFlight, delayed int) {
	s.t.Helper()
	wantEqual(s.t, s.call("GET", queue+"/stats", "").want(http.StatusOK), value{
		"visible": visible, "in_flight": inFlight, "delayed": delayed, "total": visible + inFlight + delayed,
	})
}
