package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// sendKeyed sends with Idempotency-Key headers.
func (s *server) sendKeyed(queue, media, body string, keys ...string) *answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+queue+"/messages", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Content-Type", media)
	request.Header["Idempotency-Key"] = keys
	return s.do(request)
}

// A repeated send with a key gets the first answer and stores nothing; the same key with
// other messages is refused, on another queue it is another's.
func TestIdempotencyKey(t *testing.T) {
	s := setup(t)
	for name, send := range map[string]struct {
		media, body, another string
		status, messages     int
	}{
		"one":  {typeJSON, `{"body":"a","group_id":"g"}`, `{"body":"a","group_id":"h"}`, http.StatusCreated, 1},
		"many": {typeJSON, `{"messages":[{"body":"a"},{"body":""},{"body":"b"}]}`, `{"messages":[{"body":"a"},{"body":"b"}]}`, http.StatusOK, 2},
		"not-base64": {
			typeJSON, `{"messages":[{"body":"a"},{"body":"b","attributes":{"x":{"type":"Binary","value":"%"}}}]}`,
			`{"messages":[{"body":"a"},{"body":"b","attributes":{"x":{"type":"Binary","value":"AA=="}}}]}`, http.StatusOK, 1,
		},
		"text": {"text/plain", "a", "b", http.StatusCreated, 1},
	} {
		queue, other := s.createQueue(name), s.createQueue(name+"-other")
		key := name + strings.Repeat("k", service.MaxCallKey-len(name))
		first := s.sendKeyed(queue, send.media, send.body, key).want(send.status)
		wantEqual(t, s.sendKeyed(queue, send.media, send.body, key).want(send.status), first)
		problem := s.sendKeyed(queue, send.media, send.another, key).wantProblem(http.StatusUnprocessableEntity, service.CodeKeyReused)
		wantEqual(t, problem["field"], "idempotency_key")
		s.wantStats(queue, send.messages, 0, 0)

		s.sendKeyed(other, send.media, send.body, key).want(send.status)
		s.wantStats(other, send.messages, 0, 0)
		s.sendKeyed(queue, send.media, send.body, "k").want(send.status)
		s.sendKeyed(queue, send.media, send.body).want(send.status)
		s.wantStats(queue, 3*send.messages, 0, 0)
	}
}

func TestIdempotencyKeyOnAFIFOQueue(t *testing.T) {
	s := setup(t)
	queue := s.createQueue("orders.fifo")
	const body = `{"body":"a","group_id":"g","deduplication_id":"d"}`
	first := s.sendKeyed(queue, typeJSON, body, "key").want(http.StatusCreated)
	number(t, first)
	wantEqual(t, s.sendKeyed(queue, typeJSON, body, "key").want(http.StatusCreated), first)
	s.wantStats(queue, 1, 0, 0)
}

func TestBadIdempotencyKeys(t *testing.T) {
	s := setup(t)
	queue := s.createQueue("orders")
	for _, keys := range [][]string{{""}, {strings.Repeat("k", service.MaxCallKey+1)}, {"a", "b"}} {
		problem := s.sendKeyed(queue, typeJSON, `{"body":"a"}`, keys...).wantProblem(http.StatusBadRequest, service.CodeInvalidParameter)
		wantEqual(t, problem["field"], "idempotency_key")
		s.sendKeyed(queue, "text/plain", "a", keys...).wantProblem(http.StatusBadRequest, service.CodeInvalidParameter)
	}
	s.wantStats(queue, 0, 0, 0)
}

// While a send is being carried out, another with its key is refused.
func TestIdempotencyKeyInUse(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	s := serve(t, testservice.On(t, database, service.Options{}))
	queue := s.createQueue("orders")
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE messages IN EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	answers := make(chan *answer)
	for range 2 {
		go func() { answers <- s.sendKeyed(queue, typeJSON, `{"body":"a"}`, "key") }()
	}
	problem := (<-answers).wantProblem(http.StatusConflict, service.CodeKeyInUse)
	wantEqual(t, problem["field"], "idempotency_key")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := (<-answers).want(http.StatusCreated)
	wantEqual(t, s.sendKeyed(queue, typeJSON, `{"body":"a"}`, "key").want(http.StatusCreated), first)
	s.wantStats(queue, 1, 0, 0)
}
