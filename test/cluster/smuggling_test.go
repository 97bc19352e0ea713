package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tusq/internal/pgtest"
)

// TestSmuggling sends what has two readings to tusq by way of each proxy, and straight. A
// second request that tusq finds in it has an answer of its own, which the sender gets: else
// the proxy took it for a part of the first one, and somebody else would get the answer. So
// every request names itself, and tusq's log tells which ones it has seen.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	r := serve(t, freeAddress(t), "--database-url", pgtest.New(t), "--log-level", "debug", "--log-format", "json")
	for name, test := range map[string]struct {
		address string
		texts   []ambiguity
	}{
		"straight": {r.address, ambiguous},
		"haproxy":  {startHAProxy(t, r.address), ambiguous},
		"nginx":    {startNGINX(t, r.address), ambiguous},
		"length":   {startLengthProxy(t, r.address), slices.Concat(bothLengths, encodings())},
	} {
		t.Run(name, func(t *testing.T) {
			target := target{name: name, address: test.address}
			var all sync.WaitGroup
			attempts := make([]*attempt, len(test.texts))
			for i, raw := range test.texts {
				id := fmt.Sprintf("%03d-%s", i, name)
				attempts[i] = &attempt{outer: fill(id+"-outer", len(outerID)), inner: fill(id+"-inner", len(innerID))}
				all.Go(func() { target.try(t, attempts[i], raw.text) })
			}
			all.Wait()
			for n := range 20 { // whoever comes next gets the own answer
				target.probe(t, fmt.Sprintf("%s-probe-%02d", name, n))
			}
			time.Sleep(time.Second) // for what nobody waits for
			log := r.log.String()
			for i, raw := range test.texts {
				attempts[i].check(t, raw, name, log)
			}
		})
	}
}

// fill makes an id as long as its place in a text.
func fill(id string, length int) string { return id + strings.Repeat("-", length-len(id)) }

// attempt is one connection on which a text was sent.
type attempt struct {
	outer, inner string // ids of the request, and of the one that is hidden in it
	answers      string
}

var (
	statusLine = regexp.MustCompile(`HTTP/1\.[01] ([2-5]\d\d)`)
	answeredID = regexp.MustCompile(`(?im)^x-request-id: (\S+)\r$`)
)

// statuses are the answers', 100 left out.
func (a *attempt) statuses() string {
	var all []string
	for _, match := range statusLine.FindAllStringSubmatch(a.answers, -1) {
		all = append(all, match[1])
	}
	return strings.Join(all, " ")
}

func (a *attempt) check(t *testing.T, raw ambiguity, target, log string) {
	t.Helper()
	var answered []string
	for _, match := range answeredID.FindAllStringSubmatch(a.answers, -1) {
		answered = append(answered, match[1])
	}
	for _, id := range []string{a.outer, a.inner} {
		if n := strings.Count(log, `"request_id":"`+id+`"`); n > 1 {
			t.Errorf("%s: %s was carried out %d times: %q", raw.name, id, n, a.answers)
		}
	}
	hidden := strings.Contains(log, a.inner)
	if hidden && !slices.Contains(answered, a.inner) {
		t.Errorf("%s: a request was carried out that has no answer of its own: %q", raw.name, a.answers)
	}
	if hidden && raw.one {
		t.Errorf("%s: what is a body was carried out: %q", raw.name, a.answers)
	}
	if target == "straight" && a.statuses() != raw.straight {
		t.Errorf("%s: answered %q, want %q: %q", raw.name, a.statuses(), raw.straight, a.answers)
	}
	if testing.Verbose() {
		t.Logf("%-45s %s", raw.name, a.statuses())
	}
}

// target is where texts are sent.
type target struct{ name, address string }

// try sends a text and reads answers until the connection is closed, or silent even when another request has been answered
// meanwhile: a machine that halts is silent too.
func (g target) try(t *testing.T, a *attempt, text string) {
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, strings.NewReplacer(outerID, a.outer, innerID, a.inner).Replace(text)) // it may be refused midway
	var got strings.Builder
	buffer := make([]byte, 64<<10)
	silence, probed := 5*time.Second, false
	for {
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		n, err := conn.Read(buffer)
		got.Write(buffer[:n])
		switch {
		case n > 0:
			silence, probed = 2*time.Second, false
		case errors.Is(err, os.ErrDeadlineExceeded) && !probed:
			g.probe(t, "silent-"+a.outer)
			silence, probed = time.Second, true
		case err != nil:
			a.answers = got.String()
			return
		}
	}
}

// probe is a plain request, which has to get its own answer.
func (g target) probe(t *testing.T, id string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.address+"/v1/queues", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Request-Id", id)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Errorf("%s: %v", id, err)
		return
	}
	defer response.Body.Close()
	if got := response.Header.Get("X-Request-Id"); got != id || response.StatusCode != http.StatusOK {
		t.Errorf("%s got %d, the answer of %s", id, response.StatusCode, got)
	}
}

// startHAProxy runs deploy/haproxy.cfg before one replica, under three names.
func startHAProxy(t *testing.T, replica string) string {
	t.Helper()
	frontend := freeAddress(t)
	balancer := exec.Command(haproxy(t), "-db", "-f", deployed(t, "haproxy.cfg"))
	balancer.Env = append(os.Environ(), "TUSQ_FRONTEND="+frontend, "TUSQ_REPLICA1="+replica, "TUSQ_REPLICA2="+replica, "TUSQ_REPLICA3="+replica)
	start(t, balancer)
	awaitForwarding(t, frontend)
	return frontend
}

// startNGINX runs deploy/nginx.conf, at other addresses and in directories of the test.
func startNGINX(t *testing.T, replica string) string {
	t.Helper()
	frontend, dir := freeAddress(t), t.TempDir()
	text, err := os.ReadFile(deployed(t, "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for _, change := range [][2]string{
		{"server 127.0.0.1:9324 ", "server " + replica + " "},
		{"listen 127.0.0.1:8080;", "listen " + frontend + ";"},
		{"http {\n", "http {\nclient_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\nuwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n"},
	} {
		if strings.Count(config, change[0]) != 1 {
			t.Fatalf("deploy/nginx.conf has not one %q", change[0])
		}
		config = strings.Replace(config, change[0], change[1], 1)
	}
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, exec.Command(nginx(t), "-p", dir, "-c", path, "-e", "stderr",
		"-g", "daemon off; master_process off; pid "+filepath.Join(dir, "pid")+"; error_log stderr;"))
	awaitForwarding(t, frontend)
	return frontend
}

// nginx finds the proxy, which Debian keeps out of most users' PATH.
func nginx(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("nginx is not installed: run make setup-test")
	return ""
}

func deployed(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../deploy/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func awaitForwarding(t *testing.T, address string) {
	t.Helper()
	eventually(t, 20*time.Second, "the proxy forwards", func() bool {
		return status("http://"+address+"/readyz") == http.StatusOK
	})
}

// startLengthProxy is a proxy with a fault that real ones have had: it goes by the first
// Content-Length whatever else a request says, and passes all on as it came, by one
// connection. What tusq takes for two requests is one to it.
func startLengthProxy(t *testing.T, replica string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go relayByLength(conn, replica)
			}
		}
	}()
	return listener.Addr().String()
}

var lengthHeader = regexp.MustCompile(`(?im)^content-length: *(\d+)\r$`)

// relayByLength passes one request on and one answer back. Then it leaves its connection to
// the replica open for a moment, as for the next client.
func relayByLength(client net.Conn, replica string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", replica)
	if err != nil {
		return
	}
	defer upstream.Close()
	in := bufio.NewReader(client)
	var text strings.Builder
	for !strings.HasSuffix(text.String(), "\r\n\r\n") {
		c, err := in.ReadByte()
		if err != nil {
			return
		}
		text.WriteByte(c)
	}
	if match := lengthHeader.FindStringSubmatch(text.String()); match != nil {
		length, _ := strconv.ParseInt(match[1], 10, 32)
		if _, err := io.CopyN(&text, in, length); err != nil {
			return
		}
	}
	_, _ = io.WriteString(upstream, text.String())
	response, err := http.ReadResponse(bufio.NewReader(upstream), nil)
	if err != nil {
		return
	}
	_ = response.Write(client)
	time.Sleep(time.Second)
}
