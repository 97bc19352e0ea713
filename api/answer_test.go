package api_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/api"
)

// A client that does not read its answer does not keep the handler.
func TestAnswerThatNobodyReads(t *testing.T) {
	t.Parallel()
	written := make(chan error, 1)
	s := serve(t, api.Options{
		AnswerTimeout: 50 * time.Millisecond,
		SQS: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, 16<<20)) // more than the system buffers
			written <- err
		}),
	})
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: tusq\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-written:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the answer was written: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the handler is held")
	}
}

// connection is an answer whose deadlines are kept, relative to now, in minutes; -1 is
// none.
type connection struct {
	header    http.Header
	deadlines []int
}

func (c *connection) Header() http.Header         { return c.header }
func (c *connection) WriteHeader(int)             {}
func (c *connection) Write(p []byte) (int, error) { return len(p), nil }

func (c *connection) SetWriteDeadline(t time.Time) error {
	minutes := -1
	if !t.IsZero() {
		minutes = int(time.Until(t).Round(time.Minute).Minutes())
	}
	c.deadlines = append(c.deadlines, minutes)
	return nil
}

// A long answer has more time, in proportion. The last answer's deadline does not hold
// for what is written before the next.
func TestAnswerDeadlines(t *testing.T) {
	t.Parallel()
	s := serve(t, api.Options{
		AnswerTimeout: 10 * time.Minute,
		SQS: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for range r.ContentLength {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		}),
	})
	for _, test := range []struct {
		mebibytes int
		expect    string
		want      []int
	}{
		{0, "", []int{10}},
		{1, "", []int{10}},
		{2, "", []int{10}},
		{5, "", []int{10, 20, 20, 30}},
		{1, "100-continue", []int{-1, 10}},
	} {
		w := &connection{header: http.Header{}}
		r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", test.mebibytes)))
		if test.expect != "" {
			r.Header.Set("Expect", test.expect)
		}
		s.router.ServeHTTP(w, r)
		if !slices.Equal(w.deadlines, test.want) {
			t.Errorf("%d MiB: the deadlines are %v, want %v", test.mebibytes, w.deadlines, test.want)
		}
	}
}
