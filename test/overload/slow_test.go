package overload

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestReceiversThatNeverRead gives 200 receivers more than the system buffers of their
// connections hold. Others are served beside them, and the server's memory is bounded.
func TestReceiversThatNeverRead(t *testing.T) {
	s := serve(t, "")
	s.rest("", `{"name": "slow"}`).want(t, http.StatusCreated, "")
	s.rest("/slow/messages", toJSON(restBatch(bodies(5, mebibyte)))).want(t, http.StatusOK, "")
	for range 200 {
		s.receiveAndNeverRead()
	}
	s.checkServing()
	eventually(t, 20*time.Second, "all receives have got messages", func() bool {
		return s.metric("tusq_receives_waiting") == 0
	})
	s.checkServing()
	if hanging := s.metric("tusq_http_requests_in_flight"); hanging < 10 {
		t.Errorf("%v answers hang: this tests nothing", hanging)
	}
	s.checkMemory()
}

// receiveAndNeverRead asks for five messages of a mebibyte, which others may have at the
// same time, and leaves the answer on the connection.
func (s *server) receiveAndNeverRead() {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		s.t.Fatal(err)
	}
	body := `{"max": 5, "visibility_timeout": 0, "wait_seconds": 20}`
	_, err = fmt.Fprintf(conn, "POST /v1/queues/slow/messages/receive HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if err != nil {
		s.t.Fatal(err)
	}
}

// checkServing sends, receives and deletes small messages, in good time. Where calls hang for others, all do: one or two that are
// slow are the machine's.
func (s *server) checkServing() {
	s.t.Helper()
	const goodTime = 2 * time.Second
	var slow []time.Duration
	for i := range 20 {
		body := fmt.Sprint("small ", i)
		sent := s.messages("", object{"body": body})
		sent.want(s.t, http.StatusCreated, "")
		var page struct{ Messages []message }
		received := s.messages("/receive", object{})
		received.decode(s.t, &page)
		if len(page.Messages) != 1 || page.Messages[0].Body != body {
			s.t.Fatalf("received %d messages, want %q", len(page.Messages), body)
		}
		deleted := s.messages("/delete", object{"receipts": []string{page.Messages[0].Receipt}})
		deleted.want(s.t, http.StatusOK, "")
		for _, a := range []answer{sent, received, deleted} {
			if a.took > goodTime {
				slow = append(slow, a.took)
			}
		}
	}
	if len(slow) > 2 {
		s.t.Errorf("calls took %v while others did not read", slow)
	}
}
