package rest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A client that goes while it waits gets nothing, and the next receiver is the first.
func TestReceiveEndsWhenTheClientHasGone(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	entered, left := make(chan struct{}), make(chan struct{})
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		defer close(left)
		s.router.ServeHTTP(w, r)
	}))
	defer listener.Close()

	ctx, hangUp := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "POST", listener.URL+path+"/messages/receive",
		strings.NewReader(`{"wait_seconds":60,"visibility_timeout":600}`))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-entered
		hangUp()
	}()
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Fatalf("the receive was answered: %s", response.Status)
	}
	<-left

	s.sendMessage(path, "a")
	message := s.receiveOne(path, "")
	wantEqual(t, message["receive_count"], 1)
}

// brokenWriter is a connection that breaks while the answer is written or flushed.
type brokenWriter struct {
	*httptest.ResponseRecorder
	write, flush error
}

func (w brokenWriter) Write(p []byte) (int, error) {
	if w.write != nil {
		return 0, w.write
	}
	return w.ResponseRecorder.Write(p)
}

func (w brokenWriter) FlushError() error { return w.flush }

// Messages whose answer cannot be delivered are released, and not counted as received.
func TestReceiveReleasesWhatItCannotDeliver(t *testing.T) {
	s := setup(t)
	path := s.createQueue("orders")
	s.sendMessage(path, "a")
	s.sendMessage(path, "b")
	broken := errors.New("broken pipe")
	for name, writer := range map[string]brokenWriter{
		"write": {ResponseRecorder: httptest.NewRecorder(), write: broken},
		"flush": {ResponseRecorder: httptest.NewRecorder(), flush: broken},
	} {
		request := httptest.NewRequest("POST", path+"/messages/receive", strings.NewReader(`{"max":2,"visibility_timeout":600}`))
		s.router.ServeHTTP(writer, request)
		if writer.Code != http.StatusOK {
			t.Errorf("%s: answered %d", name, writer.Code)
		}
		s.wantStats(path, 2, 0, 0)
	}
	for _, message := range s.receive(path, `{"max":2}`) {
		wantEqual(t, message["receive_count"], 1)
	}
}
