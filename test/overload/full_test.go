package overload

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/buffers"
)

const (
	// soon is how long the server may take to refuse what it cannot hold.
	soon = 500 * time.Millisecond
	// Of messages of a mebibyte, 64 MiB hold 63 beside what is kept with each, while one to
	// two flushes of 1 to 8 MiB are under way.
	leastHeld = 63
	mostHeld  = 63 + 2*8
)

// TestDatabaseHangs sends more than the server holds while nothing can be stored. What
// is too much is refused at once, and is not there afterwards; all else is, once.
func TestDatabaseHangs(t *testing.T) {
	s := serve(t, "")
	release := s.lockMessages()
	const senders = mostHeld + 20
	var mu sync.Mutex
	accepted := map[string]bool{}
	refused := make(chan answer, senders)
	var all sync.WaitGroup
	for sender := range senders {
		body := largeBody(sender)
		all.Go(func() {
			a, _ := s.send(sender, body)
			if a.err == nil && a.status == http.StatusServiceUnavailable {
				refused <- a
				return
			}
			if a.err != nil || a.status >= http.StatusBadRequest {
				t.Errorf("a send was answered %d %s: %v", a.status, a.code(), a.err)
			}
			mu.Lock()
			defer mu.Unlock()
			accepted[body] = true
		})
	}
	overflow, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range senders - mostHeld { // no flush can end: it stays full
		select {
		case a := <-refused:
			s.checkRefused("a send", a)
		case <-overflow.Done():
			t.Error("too few sends were refused")
		}
	}
	s.checkRefusals(strings.Repeat("r", mebibyte))
	s.checkMemory()
	release()
	all.Wait()
	if n := len(accepted); n < leastHeld || n > mostHeld {
		t.Errorf("%d messages of 1 MiB were accepted, want %d to %d", n, leastHeld, mostHeld)
	}
	s.checkOnceEach(accepted)
	s.checkMemory()
}

// lockMessages keeps the server from storing anything until release is called.
func (s *server) lockMessages() (release func()) {
	s.t.Helper()
	ctx := context.Background() // also at the test's end
	conn, err := pgx.Connect(ctx, s.database)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close(ctx) })
	if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE"); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			s.t.Error(err)
		}
	}
}

// checkRefusals sends a body in every form to a server that is full.
func (s *server) checkRefusals(body string) {
	s.t.Helper()
	for name, call := range map[string]func() answer{
		"REST":            func() answer { return s.messages("", object{"body": body}) },
		"REST, many":      func() answer { return s.messages("", restBatch([]string{body, body})) },
		"REST, text":      func() answer { return s.do("/v1/queues/"+queue+"/messages", "text/plain", "", body) },
		"SQS":             func() answer { return s.sqs("SendMessage", object{"MessageBody": body}) },
		"SQS, many":       func() answer { return s.sqs("SendMessageBatch", sqsBatch([]string{body})) },
		"SQS, as a query": func() answer { return s.sendForm([]string{body}) },
	} {
		fastest := time.Hour
		for range 3 { // other tests use the machine too
			a := call()
			s.checkRefused(name, a)
			fastest = min(fastest, a.took)
		}
		if fastest > soon {
			s.t.Errorf("%s: refused after %v, want at most %v", name, fastest, soon)
		}
	}
}

// checkRefused checks the form of a refusal.
func (s *server) checkRefused(name string, a answer) {
	s.t.Helper()
	want := map[string]string{"application/problem+json": "overloaded", "application/x-amz-json-1.0": "ServiceUnavailable", "text/xml": "ServiceUnavailable"}
	code, known := want[a.header.Get("Content-Type")]
	if a.err != nil || a.status != http.StatusServiceUnavailable || !known || a.code() != code {
		s.t.Errorf("%s: %d %s %.200s: %v", name, a.status, a.header, a.body, a.err)
	}
	if after := a.header.Get("Retry-After"); after != "1" {
		s.t.Errorf("%s: Retry-After is %q, want a second", name, after)
	}
}

// checkOnceEach receives all messages, which must be those with the bodies.
func (s *server) checkOnceEach(bodies map[string]bool) {
	s.t.Helper()
	all := s.receiveAll()
	for _, m := range all {
		if !bodies[m.Body] {
			s.t.Errorf("the message %.20q... was refused, or came twice", m.Body)
		}
		delete(bodies, m.Body)
	}
	for body := range bodies {
		s.t.Errorf("the accepted message %.20q... is lost", body)
	}
}

// onREST takes messages.
const onREST = "/v1/queues/" + queue + "/messages"

// announce begins requests whose bodies have so many bytes, of which the first ones come.
func (s *server) announce(requests int, path string, bytes, come int) []net.Conn {
	s.t.Helper()
	open := make([]net.Conn, requests)
	for i := range open {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { conn.Close() })
		open[i] = conn
		media := "application/x-www-form-urlencoded"
		switch path {
		case "/":
			media = "application/x-amz-json-1.0"
		case onREST:
			media = "application/json"
		}
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n"+
			"X-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: %d\r\n\r\n%s", path, media, bytes, strings.Repeat(" ", come))
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return open
}

// TestBodiesThatDoNotCome announces far more bytes than the server holds at a time. As they do not come, nobody is
// kept from sending.
func TestBodiesThatDoNotCome(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	const each = 200
	s.announce(each, onREST, 16*mebibyte, 1)
	s.announce(each, "/", 8*mebibyte, 1)
	s.announce(each, "/console/queues", 16*mebibyte, 1)
	eventually(t, 10*time.Second, "all have been admitted", func() bool {
		return s.metric("tusq_http_request_bytes_in_flight") >= 2*each
	})
	sent := map[string]bool{}
	for i := range 10 {
		body := strings.Repeat(fmt.Sprint(i), mebibyte-100)
		s.messages("", object{"body": body}).want(t, http.StatusCreated, "")
		sent[body] = true
	}
	s.checkOnceEach(sent)
	s.checkMemory()
}

// TestBodiesThatStop sends nearly as many bytes as the server holds at a time. More are
// refused before they are read, until clients go.
func TestBodiesThatStop(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	const limit, each = 256 * mebibyte, 16 * mebibyte
	paths := []string{onREST, "/", "/console/queues"}
	hold := func(requests, bytes int) []net.Conn {
		before := s.metric("tusq_http_request_bytes_in_flight")
		held := s.announce(requests, onREST, bytes, bytes-1)
		eventually(t, 20*time.Second, "they have come", func() bool {
			return s.metric("tusq_http_request_bytes_in_flight") == before+float64(requests*bytes)
		})
		return held
	}
	open := hold(limit/each-1, each)
	var early []net.Conn // which begin while there is room
	for _, path := range paths {
		early = append(early, s.announce(1, path, 4*mebibyte, 1)...)
	}
	eventually(t, 10*time.Second, "they have been admitted", func() bool {
		return s.metric("tusq_http_request_bytes_in_flight") == float64(limit-each+len(paths)*buffers.FirstBytes)
	})
	const rest = mebibyte - 64<<10 // too little for the second half of one of them
	hold(1, each-rest)
	for i, conn := range early {
		if _, err := conn.Write(bytes.Repeat([]byte(" "), mebibyte/2+1<<10)); err != nil {
			t.Fatal(err)
		}
		refused, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", paths[i], err)
		}
		if refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" {
			t.Errorf("%s: in the midst of a body there was no room for: %s %v", paths[i], refused.Status, refused.Header)
		}
	}
	eventually(t, 10*time.Second, "they have given back what they held", func() bool {
		return s.metric("tusq_http_request_bytes_in_flight") == limit-rest
	})
	hold(1, rest-8<<10)
	s.checkRefusals(strings.Repeat("r", 16<<10))
	if stored := s.stats().Total; stored != 0 { // what has no body is served
		t.Errorf("%d messages are there", stored)
	}
	open[0].Close()
	eventually(t, 10*time.Second, "the bytes of a client that has gone are free", func() bool {
		return s.messages("", object{"body": "small"}).status == http.StatusCreated
	})
	s.checkOnceEach(map[string]bool{"small": true})
	s.checkMemory()
}
