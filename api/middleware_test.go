package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tusq/internal/telemetry"
	"tusq/service"
)

func TestRequestID(t *testing.T) {
	s := setup(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, telemetry.RequestID(r.Context()))
	}), 0)
	for given, kept := range map[string]bool{
		"a-sane.request_id": true, "": false, "short": false, "with space and more": false,
		strings.Repeat("x", 65): false, `quote"quote"`: false,
	} {
		answer := s.send("POST", "/", "", "X-Request-Id", given)
		id := answer.Header.Get("X-Request-Id")
		if id != answer.text || len(id) < 8 || kept != (id == given) {
			t.Errorf("given %q: answered %q, inside %q", given, id, answer.text)
		}
	}
}

// What is put where a queue's name belongs may be a secret.
func TestAccessLogShowsNoSecretsAsNames(t *testing.T) {
	s := setup(t, nil, 0)
	token := service.NewCredentials().Token().Reveal()
	for path, want := range map[string]string{
		token: "[looks like a token]", strings.Repeat("a%20body", 100): "[not a name]", strings.Repeat("body", 40): "[not a name]", "none": "none",
	} {
		before := len(s.log.String())
		s.serve("GET", "/v1/queues/"+path, "")
		if log := s.log.String()[before:]; !strings.Contains(log, `"queue":"`+want+`"`) || strings.Contains(log, token) {
			t.Errorf("%.90s: %s", path, log)
		}
	}
}

// One line for each request, without what is secret or large.
func TestAccessLog(t *testing.T) {
	s := setup(t, nil, 0)
	s.serve("POST", "/v1/queues", `{"name":"orders"}`)
	s.serve("POST", "/v1/queues/orders/messages", `{"body":"my body"}`)
	s.serve("DELETE", "/v1/queues/orders/messages/my-receipt", "my-key")
	var lines []map[string]any
	for _, text := range strings.Split(strings.TrimSpace(s.log.String()), "\n") {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 3 {
		t.Fatalf("%d lines:\n%s", len(lines), s.log)
	}
	for i, want := range []struct {
		level, action, queue string
		status               float64
	}{
		{"DEBUG", "createQueue", "", 201},
		{"DEBUG", "sendMessages", "orders", 201},
		{"INFO", "deleteMessage", "orders", 400},
	} {
		line := lines[i]
		if line["level"] != want.level || line["action"] != want.action || line["queue"] != want.queue || line["status"] != want.status ||
			line["dialect"] != "rest" || line["request_id"] == "" || line["bytes"].(float64) == 0 || line["duration"].(float64) == 0 {
			t.Errorf("line %d: %v", i, line)
		}
	}
	for _, secret := range []string{"my body", "my-receipt", "my-key"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// ownForm is a dialect with its own form for errors.
type ownForm struct{ http.HandlerFunc }

func (ownForm) WriteError(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, "own "+string(service.ErrorCode(err)), http.StatusBadGateway)
}

func TestPanicIsAnsweredInTheDialectsForm(t *testing.T) {
	fail := func(http.ResponseWriter, *http.Request) { panic("a secret detail") }
	for name, handler := range map[string]http.Handler{
		"own internal": ownForm{fail},
		"internal":     http.HandlerFunc(fail),
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t, handler, 0)
			answer := s.serve("POST", "/", "")
			if answer.StatusCode < 500 || !strings.Contains(answer.text, name) || strings.Contains(answer.text, "secret") {
				t.Errorf("got %d %s", answer.StatusCode, answer.text)
			}
			log := s.log.String()
			if !strings.Contains(log, "a secret detail") || !strings.Contains(log, "middleware_test.go") || !strings.Contains(log, `"level":"WARN"`) {
				t.Errorf("the log has not the cause, the stack and the request: %s", log)
			}
		})
	}
}

// A panic in the midst of an answer cuts the connection: nobody may take half for whole.
func TestPanicInTheMidstOfAnAnswer(t *testing.T) {
	s := setup(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("late")
	}), 0)
	response, err := http.Post(s.url+"/", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("the answer %q ended as if it were whole", text)
	}
}

// Requests beyond the bytes that may be held are refused before their bodies are
// read, and accepted again when there is room.
func TestBytesInFlight(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := setup(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		entered <- struct{}{}
		<-leave
	}), 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve("POST", "/", strings.Repeat("a", 700))
	}()
	<-entered

	refused := s.serve("POST", "/v1/queues", strings.Repeat(" ", 301))
	refused.want(t, http.StatusServiceUnavailable, service.CodeOverloaded)
	if refused.Header.Get("Retry-After") == "" {
		t.Error("refused without Retry-After")
	}
	s.serve("POST", "/v1/queues", strings.Repeat(" ", 300)).want(t, http.StatusBadRequest, service.CodeInvalidRequest)
	s.serve("GET", "/v1/queues", "").want(t, http.StatusOK, "")
	metrics := s.serve("GET", "/metrics", "").text
	for _, line := range []string{
		"tusq_http_request_bytes_in_flight 700", "tusq_http_requests_overloaded_total 1",
		`tusq_http_requests_in_flight{dialect="sqs"} 1`, `tusq_http_requests_in_flight{dialect="rest"} 0`,
		`tusq_http_requests_total{action="createQueue",dialect="rest",status="4xx"} 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics have not %q", line)
		}
	}
	leave <- struct{}{}
	<-done
	s.serve("POST", "/v1/queues", strings.Repeat(" ", 1000)).want(t, http.StatusBadRequest, service.CodeInvalidRequest)
	s.serve("POST", "/v1/queues", strings.Repeat(" ", 1001)).want(t, http.StatusServiceUnavailable, service.CodeOverloaded)
}

// A body of unknown length holds the limit only until it has been read.
func TestBytesInFlightOfUnknownLength(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := setup(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		entered <- struct{}{}
		<-leave
	}), 8<<20)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("chunked"))))
	}()
	<-entered
	if metrics := s.serve("GET", "/metrics", "").text; !strings.Contains(metrics, "tusq_http_request_bytes_in_flight 7\n") {
		t.Error("the reservation did not shrink")
	}
	leave <- struct{}{}
	<-done
	if metrics := s.serve("GET", "/metrics", "").text; !strings.Contains(metrics, "tusq_http_request_bytes_in_flight 0\n") {
		t.Error("the reservation was not given back")
	}
}

func TestBodyLimits(t *testing.T) {
	s := setup(t, nil, 0)
	s.send("POST", "/", strings.Repeat("a", 8<<20)).want(t, http.StatusOK, "")
	s.send("POST", "/", strings.Repeat("a", 8<<20+1)).want(t, http.StatusRequestEntityTooLarge, service.CodeRequestTooLarge)
	s.send("POST", "/v1/queues", strings.Repeat(" ", 16<<20+1)).want(t, http.StatusRequestEntityTooLarge, service.CodeRequestTooLarge)
	chunked, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/queues",
		io.MultiReader(strings.NewReader(strings.Repeat(" ", 16<<20+1))))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(chunked)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	answer{response, string(text)}.want(t, http.StatusRequestEntityTooLarge, service.CodeRequestTooLarge)
}

// A page of another site must not reach a server through its visitor's browser.
func TestCrossOriginRequestsAreRefused(t *testing.T) {
	s := setup(t, nil, 0)
	s.send("POST", "/v1/queues", `{"name":"orders"}`)
	const path = "/v1/queues/orders/messages"
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"},
		{"Origin", "http://elsewhere.example", "Content-Type", "text/plain"},
	} {
		s.send("POST", path, "a", headers...).want(t, http.StatusBadRequest, service.CodeInvalidRequest)
		s.send("POST", "/", "a", headers...).want(t, http.StatusBadRequest, service.CodeInvalidRequest)
	}
	s.send("POST", path, "a", "Sec-Fetch-Site", "same-origin", "Content-Type", "text/plain").want(t, http.StatusCreated, "")
	s.send("POST", path, "a", "Content-Type", "text/plain").want(t, http.StatusCreated, "")
}

// A draining replica says so to load balancers, serves on, and asks keep-alive clients to leave.
func TestDraining(t *testing.T) {
	entered := make(chan struct{})
	s := setup(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-entered
	}), 0)
	if s.send("POST", "/v1/queues", `{"name":"orders"}`).Close {
		t.Error("closed before it drains")
	}
	late := make(chan answer)
	go func() { late <- s.send("POST", "/", "") }()
	<-entered
	s.svc.Drain()
	entered <- struct{}{}
	if !(<-late).Close {
		t.Error("a request from before the drain was answered without Connection: close")
	}
	got := s.send("GET", "/v1/queues/orders", "")
	got.want(t, http.StatusOK, "")
	if !got.Close {
		t.Error("answered without Connection: close")
	}
	ready := s.send("GET", "/readyz", "")
	if ready.StatusCode != http.StatusServiceUnavailable || ready.Header.Get("Retry-After") == "" || len(ready.text) < 5 {
		t.Errorf("readyz: %d %q", ready.StatusCode, ready.text)
	}
	if live := s.send("GET", "/livez", ""); live.StatusCode != http.StatusOK {
		t.Errorf("livez: %d", live.StatusCode)
	}
}

// A client that sends its header and waits is told 503 before it sends its body.
func TestOverloadIsAnsweredBeforeTheBody(t *testing.T) {
	s := setup(t, nil, 10)
	var dialer net.Dialer
	connection, err := dialer.DialContext(context.Background(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_, err = io.WriteString(connection, "POST /v1/queues HTTP/1.1\r\nHost: tusq\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), httptest.NewRequest("POST", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %d", response.StatusCode)
	}
}
