package sqs_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestLostReceiveLeavesNothingLocked(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"hello"}`)
	for codec, ask := range map[string]func() *http.Request{
		"JSON":  func() *http.Request { return request("ReceiveMessage", `{"QueueUrl":"jobs"}`) },
		"Query": func() *http.Request { return query("/000000000000/jobs", "Action=ReceiveMessage") },
	} {
		s.handler.ServeHTTP(lostWriter{make(http.Header)}, ask())
		s.checkUntouched(codec + ": after a broken connection")

		s.handler.ServeHTTP(unflushable{httptest.NewRecorder()}, ask())
		s.checkUntouched(codec + ": after a failed flush")

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if w := s.do(ask().WithContext(ctx)); w.Code == http.StatusOK {
			t.Errorf("a receive for a client that has gone was answered: %s", w.Body)
		}
		s.checkUntouched(codec + ": after the client has gone")
	}
}

// checkUntouched receives the one message for no time, perhaps after it was released, and checks that it is its first
// receive.
func (s *setup) checkUntouched(when string) {
	s.t.Helper()
	answer := s.receive("jobs", `,"WaitTimeSeconds":20,"VisibilityTimeout":0,"AttributeNames":["ApproximateReceiveCount"]`)
	if !strings.Contains(answer, `"ApproximateReceiveCount":"1"`) {
		s.t.Fatalf("%s: %s", when, answer)
	}
	s.must("PurgeQueue", `{"QueueUrl":"jobs"}`)
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"hello"}`)
}

// unflushable is a connection that takes an answer and cannot pass it on.
type unflushable struct{ *httptest.ResponseRecorder }

func (unflushable) FlushError() error { return io.ErrClosedPipe }

// A client that hangs up while its receive waits must not lock what is sent next.
func TestAbandonedLongPollLeavesNothingLocked(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)

	entered := make(chan struct{})
	ended := make(chan struct{})
	watched := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		s.handler.ServeHTTP(w, r)
		close(ended)
	}))
	defer watched.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	poll := request("ReceiveMessage", `{"QueueUrl":"jobs","WaitTimeSeconds":20}`).WithContext(ctx)
	outbound, err := http.NewRequestWithContext(ctx, poll.Method, watched.URL, poll.Body)
	if err != nil {
		t.Fatal(err)
	}
	outbound.Header = poll.Header
	answered := make(chan error, 1)
	go func() {
		response, err := watched.Client().Do(outbound)
		if err == nil {
			_ = response.Body.Close()
		}
		answered <- err
	}()
	<-entered
	cancel()
	if err := <-answered; err == nil {
		t.Fatal("the poll was answered")
	}
	<-ended
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"hello"}`)
	s.checkUntouched("after a poll whose client has gone")
}
