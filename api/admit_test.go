package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"tusq/api"
	"tusq/api/auth"
)

// dial opens a connection to the server, which ends with the test.
func (s *server) dial() net.Conn {
	s.t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { connection.Close() })
	return connection
}

// Header lines that may come once are refused twice, whatever they say.
func TestDoubledHeadersAreRefused(t *testing.T) {
	s := setup(t, nil, 0)
	s.send("POST", "/v1/queues", `{"name":"orders"}`)
	for _, path := range []string{"/v1/queues/orders/messages", "/", "/console/queues"} {
		for _, header := range []string{
			"Content-Type: application/json", "Authorization: Bearer a", "X-Amz-Target: AmazonSQS.ListQueues",
		} {
			connection := s.dial()
			fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: tusq\r\n%s\r\n%s\r\nContent-Length: 12\r\n\r\n{\"body\":\"a\"}", path, header, header)
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			name, _, _ := strings.Cut(header, ":")
			if response.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "The header "+name+" is given twice.") {
				t.Errorf("%s %s: %d %s", path, name, response.StatusCode, text)
			}
		}
	}
}

// serveBodies returns a server that reads bodies, and how that ends.
func serveBodies(t *testing.T, grace time.Duration) (*server, <-chan error) {
	read := make(chan error, 8) // none waits, also where the test fails
	return serve(t, api.Options{
		BodyGrace: grace,
		SQS: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			read <- err
		}),
	}), read
}

// A long body that does not come is given up.
func TestBodiesThatComeSlowly(t *testing.T) {
	t.Parallel()
	s, read := serveBodies(t, 200*time.Millisecond)
	const size = 1 << 20
	for name, test := range map[string]struct {
		header string
		body   int // bytes that are sent, a moment later
	}{
		"nothing comes":               {fmt.Sprintf("Content-Length: %d", size), 0},
		"one byte comes":              {fmt.Sprintf("Content-Length: %d", size), 1},
		"nothing comes, in chunks":    {"Transfer-Encoding: chunked", 0},
		"half of it comes, and stops": {fmt.Sprintf("Content-Length: %d", 4*size), 2 * size},
	} {
		connection := s.dial()
		fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: tusq\r\n%s\r\n\r\n", test.header)
		time.Sleep(150 * time.Millisecond)
		_, _ = connection.Write(make([]byte, test.body))
		select {
		case err := <-read:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the handler is held", name)
		}
	}
}

// A long body that comes at the pace may take longer than the grace.
func TestBodyThatComesInTime(t *testing.T) {
	t.Parallel()
	const grace = 4 * time.Second
	s, read := serveBodies(t, grace)
	connection := s.dial()
	half := make([]byte, 2<<20) // for which it has eight more seconds
	fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: tusq\r\nContent-Length: %d\r\n\r\n%s", 2*len(half), half)
	time.Sleep(grace + time.Second)
	_, _ = connection.Write(half)
	if err := <-read; err != nil {
		t.Error(err)
	}
}

// A body's deadline ends with the body: a receive may wait for longer.
func TestBodyDeadlineEnds(t *testing.T) {
	t.Parallel()
	s := serve(t, api.Options{
		BodyGrace: 50 * time.Millisecond,
		SQS: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
				http.Error(w, "the deadline has ended the request", http.StatusTeapot)
			case <-time.After(300 * time.Millisecond):
			}
		}),
	})
	s.send("POST", "/", strings.Repeat("a", 100<<10)).want(t, http.StatusOK, "")
}

// What follows a body in chunks is no request of this connection.
func TestNothingFollowsChunks(t *testing.T) {
	s := setup(t, nil, 0)
	connection := s.dial()
	fmt.Fprint(connection, "POST / HTTP/1.1\r\nHost: tusq\r\nContent-Length: 1000\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
		"DELETE /v1/queues/orders HTTP/1.1\r\nHost: tusq\r\n\r\n")
	all, err := io.ReadAll(connection)
	if n := strings.Count(string(all), "HTTP/1.1 "); err != nil || n != 1 || strings.Contains(s.log.String(), "deleteQueue") {
		t.Errorf("%d answers, %v:\n%s\n%s", n, err, all, s.log)
	}
}

// The client in the log is the peer, or whom a trusted proxy names.
func TestClientInTheLog(t *testing.T) {
	t.Parallel()
	for network, want := range map[string]string{"127.0.0.0/8": "198.51.100.7", "10.0.0.0/8": "127.0.0.1"} {
		inside := make(chan netip.Addr, 1)
		s := serve(t, api.Options{
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix(network)},
			SQS: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				inside <- auth.ClientIP(r.Context())
				w.WriteHeader(http.StatusForbidden)
			}),
		})
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = "127.0.0.1:1234"
		r.Header.Set("X-Forwarded-For", "192.0.2.1, 198.51.100.7")
		s.router.ServeHTTP(httptest.NewRecorder(), r)
		if got := <-inside; got.String() != want {
			t.Errorf("with proxies in %s the client is %v, want %s", network, got, want)
		}
		if !strings.Contains(s.log.String(), `"client":"`+want+`"`) {
			t.Errorf("with proxies in %s: %s", network, s.log)
		}
	}
}
