package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"tusq/client"
	"tusq/internal/pgtest"
	"tusq/internal/process"
	"tusq/service"
)

// binary is a tusq with fault points.
var binary string

// masterKey is that of all servers.
var masterKey = service.NewMasterKey().Reveal()

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tusq-crash-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "tusq")
	build := exec.Command("go", "build", "-tags", "fault", "-o", binary, "./cmd/tusq")
	build.Dir = filepath.Join("..", "..", "..") // its dependencies are not this module's
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tusq: %v\n%s", err, out)
		return 1
	}
	return pgtest.Run(m)
}

const (
	lease  = 30 * time.Second // of what is received
	bound  = 10 * time.Second // of every wait
	often  = "10ms"           // between two runs of a background job, in their own operations
	settle = 40 * time.Millisecond
)

// world is a database and a server that dies and is started again.
type world struct {
	t       *testing.T
	db      *pgxpool.Pool
	url     string
	address string
	control string
	server  *exec.Cmd
	dead    chan struct{}
	log     *os.File
	client  *client.Client
	named   int           // queues, keys and users
	ahead   time.Duration // of the database's time
	jobs    string        // how often they run; empty: as always
}

func newWorld(t *testing.T, jobs string) *world {
	t.Helper()
	return newServer(t, pgtest.New(t), jobs)
}

// newServer starts a server on a database, which others may use too.
func newServer(t *testing.T, url, jobs string) *world {
	t.Helper()
	w := &world{t: t, url: url, jobs: jobs}
	addresses, err := process.FreeAddresses(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	w.address, w.control = addresses[0], addresses[1]
	if w.db, err = pgxpool.New(t.Context(), w.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	if w.log, err = os.CreateTemp(t.TempDir(), "log"); err != nil {
		t.Fatal(err)
	}
	w.client, err = client.New("http://"+w.address, client.WithRetry(0), client.WithHTTPClient(&http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: bound,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.kill()
		if text, err := os.ReadFile(w.log.Name()); err == nil && t.Failed() {
			t.Logf("the server's log ends:\n%s", text[max(0, len(text)-3000):])
		}
	})
	w.start("")
	return w
}

// start starts the server with a plan, and waits until it serves and knows that it is alone:
// receivers are woken then, which would let operations pass more points.
func (w *world) start(plan string) {
	w.t.Helper()
	w.launch(plan)
	w.eventually("the server is ready", func() bool {
		if w.isDead() {
			w.t.Fatal("the server ended when it was started")
		}
		response, err := http.Get("http://" + w.address + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK && slices.Contains(w.passed(), "repository.notify")
	})
}

func (w *world) launch(plan string) {
	w.t.Helper()
	command := exec.Command(binary, "serve", "--listen", w.address, "--database-url", w.url, "--no-strict-aws")
	command.Env = append(os.Environ(), "TUSQ_FAULT="+plan, "TUSQ_FAULT_CONTROL="+w.control, "TUSQ_FAULT_JOBS="+w.jobs, "TUSQ_MASTER_KEY="+masterKey)
	command.Stdout, command.Stderr = w.log, w.log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		w.t.Fatal(err)
	}
	dead := make(chan struct{})
	w.server, w.dead = command, dead
	go func() {
		_ = command.Wait()
		close(dead)
	}()
}

func (w *world) kill() {
	if w.server != nil {
		_ = w.server.Process.Kill()
		<-w.dead
	}
}

func (w *world) isDead() bool {
	select {
	case <-w.dead:
		return true
	default:
		return false
	}
}

// awaitDeath tells whether the server dies soon.
func (w *world) awaitDeath() bool {
	select {
	case <-w.dead:
		return true
	case <-time.After(bound):
		return false
	}
}

// arm gives the server a plan.
func (w *world) arm(plan string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPut, "http://"+w.control, strings.NewReader(plan))
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		w.t.Fatalf("plan %q: %s", plan, answer)
	}
}

// passed are the points that were passed since the plan was made.
func (w *world) passed() []string {
	response, err := http.Get("http://" + w.control)
	if err != nil {
		return nil // it is dead
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// awaitPassed waits until a point has been passed, the call that passes it is over, or the
// server is dead.
func (w *world) awaitPassed(point string, over <-chan struct{}) {
	w.t.Helper()
	w.eventually(point+" is passed", func() bool {
		select {
		case <-over:
			return true
		default:
			return w.isDead() || slices.Contains(w.passed(), point)
		}
	})
}

// quiet returns the points that were passed once no more come.
func (w *world) quiet() []string {
	passed := w.passed()
	for {
		time.Sleep(settle) // what would be waited for is that nothing happens
		now := w.passed()
		if len(now) == len(passed) {
			return now
		}
		passed = now
	}
}

// eventually waits for a condition, which it checks every few milliseconds.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(bound)
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

// ended waits for a condition of the database, or for the server's death, which is an error.
func (w *world) ended(what, sql string, args ...any) error {
	w.t.Helper()
	var holds bool
	w.eventually(what, func() bool {
		holds = w.ask(sql, args...) == 1
		return holds || w.isDead()
	})
	if !holds {
		return errors.New("the server died")
	}
	return nil
}

// ask returns a query's only number.
func (w *world) ask(sql string, args ...any) (number int) {
	w.t.Helper()
	if err := w.db.QueryRow(w.t.Context(), sql, args...).Scan(&number); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return number
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// advance moves the database's time, so that leases end.
func (w *world) advance(by time.Duration) {
	w.t.Helper()
	w.ahead += by
	w.exec(fmt.Sprintf(`CREATE OR REPLACE FUNCTION tusq_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT now() + interval ''%d seconds'''`, int(w.ahead.Seconds())))
}

// newQueue makes a queue; change may alter its settings.
func (w *world) newQueue(suffix string, change func(*client.CreateQueue)) string {
	w.t.Helper()
	w.named++
	seconds := int(lease.Seconds())
	create := client.CreateQueue{Name: fmt.Sprintf("q%d%s", w.named, suffix)}
	create.VisibilityTimeout = &seconds
	if change != nil {
		change(&create)
	}
	if _, _, err := w.client.CreateQueue(w.t.Context(), create); err != nil {
		w.t.Fatal(err)
	}
	return create.Name
}

// receive receives up to ten messages that are visible.
func (w *world) receive(ctx context.Context, queue string) ([]client.Message, error) {
	return w.client.Receive(ctx, queue, client.Receive{Max: 10})
}

// bodies are those of all messages of a queue, in whatever state, sorted.
func (w *world) bodies(queue string) []string {
	w.t.Helper()
	rows, _ := w.db.Query(w.t.Context(), `
SELECT body FROM messages WHERE queue_id = (SELECT id FROM queues WHERE name = $1) ORDER BY body`, queue)
	bodies, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return bodies
}
