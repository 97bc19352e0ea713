package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tusq/client"
	"tusq/internal/pgtest"
	"tusq/service"
)

// cluster is three replicas behind the load balancer, on one database, with the environment
// that docker-compose.yml gives them: authentication is on.
type cluster struct {
	replicas    []*replica
	environment []string
	flags       []string
	url         string // of the load balancer
	admin       service.Credentials
}

func startCluster(t *testing.T, database string, flags ...string) *cluster {
	t.Helper()
	c := &cluster{admin: service.NewCredentials()}
	c.environment = composeEnvironment(t, map[string]string{
		"POSTGRES_PASSWORD": "none", "TUSQ_MASTER_KEY": service.NewMasterKey().Reveal(), "TUSQ_BOOTSTRAP_KEY": c.token(),
	})
	c.flags = append([]string{"--database-url", database, "--trusted-proxies", "127.0.0.1/32"}, flags...) // what differs here
	environment := os.Environ()
	for i := range 3 {
		r := c.serve(t, freeAddress(t))
		c.replicas = append(c.replicas, r)
		environment = append(environment, fmt.Sprintf("TUSQ_REPLICA%d=%s", i+1, r.address))
	}
	frontend := freeAddress(t)
	balancer := exec.Command(haproxy(t), "-db", "-f", deployed(t, "haproxy.cfg"))
	balancer.Env = append(environment, "TUSQ_FRONTEND="+frontend)
	start(t, balancer)
	c.url = "http://" + frontend
	eventually(t, 10*time.Second, "the load balancer forwards", func() bool { return status(c.url+"/readyz") == http.StatusOK })
	return c
}

func (c *cluster) serve(t *testing.T, address string) *replica {
	t.Helper()
	return serveIn(t, c.environment, address, c.flags...)
}

// token is the administrator's.
func (c *cluster) token() string { return c.admin.Token().Reveal() }

// client is the administrator's, by way of the load balancer.
func (c *cluster) client(t *testing.T) *client.Client {
	t.Helper()
	return newClient(t, c.url, client.WithToken(c.token()))
}

// command is a tusq of the administrator's, by way of the load balancer.
func (c *cluster) command(args ...string) *exec.Cmd {
	command := exec.Command(binary, append(args, "--url", c.url)...)
	command.Env = append(os.Environ(), "TUSQ_TOKEN="+c.token())
	return command
}

// haproxy finds the load balancer, which Debian keeps out of most users' PATH.
func haproxy(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"haproxy", "/usr/sbin/haproxy"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("haproxy is not installed: run make setup-test")
	return ""
}

// nastyLines are n lines of all that text can hold, and one of a mebibyte.
func nastyLines(n int) []string {
	shapes := []string{
		"plain %d", `quotes " ' \ %d`, "tab\tand CR\r%d\r", "é 漢字 😀 \u2028 %d", "<tag> &amp; %d", "%d " + strings.Repeat("long ", 200),
		`{"json": %d}`, "\u007f\u0080 \uFFFD %d", " leading and trailing %d ",
	}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(shapes[rand.IntN(len(shapes))], i)
	}
	lines[n/2] = strings.Repeat("x", 1<<20)
	return lines
}

// consume starts a tusq receive that deletes what it prints.
func (c *cluster) consume(t *testing.T, queue string) (*child, *buffer) {
	t.Helper()
	out := &buffer{}
	command := c.command("receive", queue, "--delete", "--wait", "1")
	command.Stdout = out
	return start(t, command), out
}

func count(lines []string) map[string]int {
	counts := map[string]int{}
	for _, line := range lines {
		counts[line]++
	}
	return counts
}

func printed(outputs []*buffer) map[string]int {
	var all strings.Builder
	for _, out := range outputs {
		all.WriteString(out.String())
	}
	return count(strings.Split(strings.TrimSuffix(all.String(), "\n"), "\n"))
}

// TestMainJob sends lines through the load balancer, some of which no message can
// hold, and has three consumers print every other line exactly once.
func TestMainJob(t *testing.T) {
	t.Parallel()
	c := startCluster(t, pgtest.New(t))
	lines := nastyLines(20_000)
	input := strings.Join(lines[:100], "\n") + "\n\n" + // an empty line
		strings.Repeat("y", 1<<20+1) + "\n" + "bad \x00 character\n" + "bad \xff UTF-8\n" +
		strings.Join(lines[100:], "\n") // without a line feed at the end
	send := c.command("send", "demo", "--lines", "-")
	send.Stdin = strings.NewReader(input)
	sender := start(t, send)
	var exit *exec.ExitError
	if err := sender.wait(2 * time.Minute); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("send with refused lines ended with %v, want exit status 1", err)
	}
	for _, number := range []string{"102", "103", "104"} {
		if !strings.Contains(sender.log.String(), number) {
			t.Errorf("line %s is not named as refused:\n%s", number, tail(sender.log.String()))
		}
	}
	c.drainExactlyOnce(t, "demo", lines, nil)
}

// drainExactlyOnce runs three consumers, and disturb while they are at it. Undisturbed,
// every line must be printed exactly once; else at least once.
func (c *cluster) drainExactlyOnce(t *testing.T, queue string, lines []string, disturb func()) {
	t.Helper()
	var consumers []*child
	var outputs []*buffer
	for range 3 {
		p, out := c.consume(t, queue)
		consumers, outputs = append(consumers, p), append(outputs, out)
	}
	if disturb != nil {
		disturb()
	}
	for _, p := range consumers {
		if err := p.wait(3 * time.Minute); err != nil {
			t.Errorf("consumer: %v", err)
		}
	}
	got := printed(outputs)
	for line, n := range count(lines) {
		if got[line] < n || disturb == nil && got[line] > n {
			t.Errorf("line %.60q was printed %d times, want %d", line, got[line], n)
		}
		delete(got, line)
	}
	for line := range got {
		t.Errorf("line %.60q was never sent", line)
	}
	stats, err := c.client(t).QueueStats(t.Context(), queue)
	if err != nil || stats != (client.QueueStats{}) {
		t.Errorf("left in the queue: %+v, %v", stats, err)
	}
}

// TestReplicaKilledMidway kills one replica without warning while consumers are at
// work. Nothing is lost; what was in flight to the killed one may be printed again.
func TestReplicaKilledMidway(t *testing.T) {
	t.Parallel()
	c := startCluster(t, pgtest.New(t))
	lines := nastyLines(20_000)
	api := c.client(t)
	short := 2
	if _, _, err := api.CreateQueue(t.Context(), client.CreateQueue{Name: "demo", Settings: client.Settings{VisibilityTimeout: &short}}); err != nil {
		t.Fatal(err)
	}
	send := c.command("send", "demo", "--lines", "-")
	send.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if err := start(t, send).wait(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	c.drainExactlyOnce(t, "demo", lines, func() {
		eventually(t, time.Minute, "the consumers are midway", func() bool {
			stats, err := api.QueueStats(t.Context(), "demo")
			return err == nil && stats.Total < int64(len(lines)*3/4)
		})
		c.replicas[0].signal(syscall.SIGKILL)
	})
}

// TestRollingRestart stops and starts each replica under load: no request fails, open
// receives end early, and each stop takes less than 10 seconds.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	c := startCluster(t, pgtest.New(t), "--drain-delay", "4s") // a load balancer that the machine halts looks in time too
	api := c.client(t)
	for _, name := range []string{"work", "idle"} {
		if _, _, err := api.CreateQueue(t.Context(), client.CreateQueue{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	load := startLoad(t, c)
	for _, r := range c.replicas {
		load.awaitProgress()
		asked := time.Now()
		r.signal(syscall.SIGTERM)
		if err := r.wait(10 * time.Second); err != nil {
			t.Errorf("the replica ended with %v", err)
		}
		t.Logf("stopped in %v", time.Since(asked).Round(time.Millisecond))
		c.serve(t, r.address)
		before := load.answered.Load()
		eventually(t, 10*time.Second, "the load balancer uses the replica again", func() bool { return load.answered.Load() > before+50 })
	}
	load.end()
	if n := load.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed, the first with: %v", n, load.answered.Load(), load.first)
	}
	stats, err := api.QueueStats(t.Context(), "work")
	if err != nil || stats.Total != load.sent.Load() {
		t.Errorf("%d messages are there of %d acknowledged, %v", stats.Total, load.sent.Load(), err)
	}
}

// load is senders on one queue and long polls on another, without retries.
type load struct {
	t        *testing.T
	url      string
	token    string
	http     *http.Client
	stop     context.CancelFunc
	workers  sync.WaitGroup
	answered atomic.Int64
	sent     atomic.Int64
	failed   atomic.Int64
	once     sync.Once
	first    error
}

func startLoad(t *testing.T, c *cluster) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, url: c.url, token: c.token(), stop: cancel, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	for range 8 {
		l.workers.Go(func() {
			l.repeat(ctx, "/v1/queues/work/messages", `{"body": "job"}`, func() { l.sent.Add(1) })
		})
	}
	for range 40 {
		l.workers.Go(func() {
			l.repeat(ctx, "/v1/queues/idle/messages/receive", `{"wait_seconds": 20}`, func() {})
		})
	}
	return l
}

// repeat posts until ctx ends; a post that has begun is finished.
func (l *load) repeat(ctx context.Context, path, body string, succeeded func()) {
	for ctx.Err() == nil {
		err := l.post(ctx, path, body)
		switch {
		case err == nil:
			l.answered.Add(1)
			succeeded()
		case ctx.Err() == nil || !errors.Is(err, context.Canceled):
			l.failed.Add(1)
			l.once.Do(func() { l.first = err })
		}
	}
}

func (l *load) post(ctx context.Context, path, body string) error {
	if strings.HasSuffix(path, "/messages") {
		ctx = context.WithoutCancel(ctx) // so that every send's outcome is known
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+l.token)
	response, err := l.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(answer))
	}
	return err
}

func (l *load) awaitProgress() {
	before := l.sent.Load()
	eventually(l.t, 20*time.Second, "the load makes progress", func() bool { return l.sent.Load() > before+100 })
}

func (l *load) end() {
	l.stop()
	l.workers.Wait()
}

// TestClientThatLeavesThroughTheLoadBalancer checks that a receive whose client
// vanishes behind the load balancer does not keep a message.
func TestClientThatLeavesThroughTheLoadBalancer(t *testing.T) {
	t.Parallel()
	c := startCluster(t, pgtest.New(t))
	api := c.client(t)
	if _, _, err := api.CreateQueue(t.Context(), client.CreateQueue{Name: "demo"}); err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"wait_seconds": 20}`
	fmt.Fprintf(connection, "POST /v1/queues/demo/messages/receive HTTP/1.1\r\nHost: tusq\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", c.token(), len(body), body)
	eventually(t, 10*time.Second, "the receive waits", func() bool { return c.waiting(t) > 0 })
	connection.Close()
	eventually(t, 10*time.Second, "the receive has ended", func() bool { return c.waiting(t) == 0 })
	if _, err := api.Send(t.Context(), "demo", client.SendMessage{Body: "job"}); err != nil {
		t.Fatal(err)
	}
	wait := 10
	messages, err := api.Receive(t.Context(), "demo", client.Receive{Max: 1, WaitSeconds: &wait})
	if err != nil || len(messages) != 1 || messages[0].ReceiveCount != 1 {
		t.Errorf("received %+v, %v", messages, err)
	}
}

// waiting is the number of receives that wait on the replicas.
func (c *cluster) waiting(t *testing.T) (n int) {
	t.Helper()
	for _, r := range c.replicas {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+c.token())
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			var here int
			if _, err := fmt.Sscanf(line, `tusq_receives_waiting %d`, &here); err == nil {
				n += here
			}
		}
	}
	return n
}
