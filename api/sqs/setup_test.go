package sqs_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/api/auth"
	"tusq/api/sqs"
	"tusq/internal/pgtest"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/canary"
	"tusq/test/testservice"
)

const (
	account   = "000000000000"
	publicURL = "http://queues.example"
	jsonType  = "application/x-amz-json-1.0"
	requestID = "7d8f1f6e-7a0e-4d0b-9a53-2f1c0f2d9b11"
)

var owner = service.Owner(account)

func TestMain(m *testing.M) { testservice.Main(m) }

// setup is a running service with the dialect before it.
type setup struct {
	t        *testing.T
	svc      *service.Service
	database string // its URL
	dialect  http.Handler
	handler  http.Handler // the dialect for the owner
}

// newSetup returns a service without Amazon's waits.
func newSetup(t *testing.T) *setup {
	t.Helper()
	t.Parallel()
	database := pgtest.New(t)
	s := &setup{t: t, svc: testservice.On(t, database, service.Options{Permits: sqs.Permits, TakesFrom: sqs.TakesFrom}), database: database}
	s.serve(false)
	return s
}

// serve puts the dialect before the service.
func (s *setup) serve(strict bool) {
	s.dialect = sqs.New(s.svc, sqs.Options{
		Region:    "eu-test-1",
		PublicURL: publicURL + "/",
		Strict:    strict,
		Logger:    canary.Logger(s.t),
	})
	s.handler = surrounded(s.dialect)
}

// travel sets the database's clock to some seconds after the real time.
func (s *setup) travel(seconds int) {
	s.t.Helper()
	s.exec(fmt.Sprintf(
		`CREATE OR REPLACE FUNCTION tusq_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() + interval '%d seconds' $$`, seconds))
}

// exec runs a statement on the database, for what no request can bring about in a test.
func (s *setup) exec(statement string, args ...any) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.database)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(s.t.Context(), statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

// state is all that a queue shows of itself: attributes, tags and messages.
func (s *setup) state(queue string) string {
	s.t.Helper()
	page, err := s.svc.PeekMessages(context.Background(), owner, queue, service.PeekMessages{})
	if err != nil {
		s.t.Fatal(err)
	}
	var text strings.Builder
	text.WriteString(s.must("GetQueueAttributes", `{"QueueUrl":"`+queue+`","AttributeNames":["All"]}`))
	text.WriteString(s.must("ListQueueTags", `{"QueueUrl":"`+queue+`"}`))
	for _, m := range page.Messages {
		fmt.Fprintf(&text, "\n%s %s %s %d %s", m.ID, m.Body, m.State, m.ReceiveCount, m.VisibleAt)
	}
	return text.String()
}

// unchanged runs something that must leave a queue as it is.
func (s *setup) unchanged(queue string, run func()) {
	s.t.Helper()
	before := s.state(queue)
	run()
	if after := s.state(queue); after != before {
		s.t.Errorf("the queue was changed\n from %s\n to   %s", before, after)
	}
}

// surrounded puts before the dialect what the router does.
func surrounded(dialect http.Handler) http.Handler {
	authenticated := auth.Off(account)(dialect)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := &telemetry.Request{ID: requestID}
		authenticated.ServeHTTP(w, r.WithContext(telemetry.WithRequest(r.Context(), request)))
	})
}

// request makes a request of AWS JSON.
func request(action, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", jsonType)
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	r.Header.Set("X-Amzn-Query-Mode", "true")
	return r
}

func (s *setup) do(r *http.Request) *httptest.ResponseRecorder {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// must does an action that has to succeed and returns its answer.
func (s *setup) must(action, body string) string {
	s.t.Helper()
	w := s.do(request(action, body))
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s %s: status %d, %s", action, body, w.Code, w.Body)
	}
	return w.Body.String()
}

// receive receives a message with a short poll and returns the answer.
func (s *setup) receive(queue, more string) string {
	s.t.Helper()
	return s.must("ReceiveMessage", `{"QueueUrl":"`+queue+`"`+more+`}`)
}

var receiptMember = regexp.MustCompile(`"ReceiptHandle":"([^"]+)"`)

// receipts returns the receipts in a receive's answer.
func receipts(answer string) []string {
	var list []string
	for _, match := range receiptMember.FindAllStringSubmatch(answer, -1) {
		list = append(list, match[1])
	}
	return list
}

// holes are what an expected body leaves open.
var holes = strings.NewReplacer(
	`<uuid>`, `[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`,
	`<task>`, `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`,
	`<receipt>`, `[A-Za-z0-9_-]{40,}`,
	`<seconds>`, `[0-9]{10}`,
	`<millis>`, `[0-9]{13}`,
)

// checkBody compares a body with the expected one, in which holes fit whatever
// has their form.
func checkBody(t *testing.T, got, want string) {
	t.Helper()
	if !regexp.MustCompile("^" + holes.Replace(regexp.QuoteMeta(want)) + "$").MatchString(got) {
		t.Errorf("body\n got %s\nwant %s", got, want)
	}
}

func checkHeader(t *testing.T, header http.Header, name, want string) {
	t.Helper()
	if got := header.Get(name); got != want {
		t.Errorf("header %s: got %q, want %q", name, got, want)
	}
}

// lostWriter is a connection that breaks when the answer is written.
type lostWriter struct{ header http.Header }

func (w lostWriter) Header() http.Header       { return w.header }
func (w lostWriter) WriteHeader(int)           {}
func (w lostWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
