package overload

import (
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"
)

// TestNoFilesLeft opens more connections than the server may have files. Who is connected is
// served on, and when files are free again, so are others: nothing has to be restarted.
func TestNoFilesLeft(t *testing.T) {
	const files = 300 // of which the server keeps some for itself
	limited := exec.Command("/bin/sh", "-c", `ulimit -n 300; exec "$@"`, "sh", binary)
	s := serveBy(t, limited, "")
	s.checkServing()
	var held []net.Conn
	for range 2 * files {
		conn, err := net.Dial("tcp", s.address) // the kernel accepts what the server cannot
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn)
	}
	if got := s.stranger(2 * time.Second); got == http.StatusOK {
		t.Error("a new connection was served: files are left, this tests nothing")
	}
	s.checkServing()
	for _, conn := range held {
		conn.Close()
	}
	eventually(t, 10*time.Second, "a new connection is served", func() bool { return s.stranger(time.Second) == http.StatusOK })
	s.checkServing()
	if left := s.stats().Total; left != 0 {
		t.Errorf("%d messages are left", left)
	}
}

// stranger asks over a connection of its own; 0: there was no answer in time.
func (s *server) stranger(within time.Duration) int {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: within}
	response, err := client.Get(s.url("/livez"))
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}
