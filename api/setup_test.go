package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"tusq/api"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

// server is the router over a real service, with a stand-in for SQS's dialect.
type server struct {
	t      *testing.T
	svc    *service.Service
	router http.Handler
	url    string
	log    *safeBuffer
}

// setup serves; sqs and bytesInFlight may be nil and 0.
func setup(t *testing.T, sqs http.Handler, bytesInFlight int64) *server {
	t.Parallel()
	return serve(t, api.Options{SQS: sqs, MaxBytesInFlight: bytesInFlight})
}

// serve fills in the options that are not given.
func serve(t *testing.T, o api.Options) *server {
	t.Helper()
	s := &server{t: t, svc: testservice.New(t), log: new(safeBuffer)}
	if o.SQS == nil {
		o.SQS = echo("sqs")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	o.Service, o.Metrics, o.Account, o.Console = s.svc, telemetry.New(), testservice.Account, echo("console")
	s.router = api.NewRouter(o)
	listener := httptest.NewServer(s.router)
	t.Cleanup(listener.Close)
	s.url = listener.URL
	return s
}

// echo answers with its name, and reads the request's body.
func echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		_, _ = io.WriteString(w, name)
	})
}

// client does not follow redirects.
var client = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

type answer struct {
	*http.Response
	text string
}

func (s *server) send(method, path, body string, headers ...string) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{response, string(text)}
}

// serve is send without a network: when it returns, the request has been logged and counted.
func (s *server) serve(method, path, body string) answer {
	recorder := httptest.NewRecorder()
	s.router.ServeHTTP(recorder, httptest.NewRequest(method, path, strings.NewReader(body)))
	return answer{recorder.Result(), recorder.Body.String()}
}

// want fails the test unless the answer has the status and, in a problem, the code.
func (a answer) want(t *testing.T, status int, code service.Code) {
	t.Helper()
	var problem struct{ Code string }
	_ = json.Unmarshal([]byte(a.text), &problem)
	if a.StatusCode != status || problem.Code != string(code) {
		t.Errorf("got %d %s, want %d %s: %.200s", a.StatusCode, problem.Code, status, code, a.text)
	}
}

// safeBuffer is a buffer that many may write.
type safeBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
