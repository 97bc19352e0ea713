package clock

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tusq/migrations"
	"tusq/service"
	"tusq/test/fault/rig"
	"tusq/test/testservice"
)

// library is Debian's libfaketime. It is loaded into PostgreSQL alone: a Go program asks the kernel itself.
const library = "/usr/lib/*-linux-gnu/faketime/libfaketime.so.1"

// world is a service on a PostgreSQL whose clock can be set.
type world struct {
	*service.Service
	t      *testing.T
	ctx    context.Context
	offset string // path of the file that PostgreSQL's clock follows
	db     *rig.Postgres
}

func setup(t *testing.T) *world {
	t.Helper()
	found, err := filepath.Glob(library)
	if err != nil || len(found) == 0 {
		t.Skipf("SKIPPED, so jumps of the database's clock are not tested: there is no %s; install libfaketime", library)
	}
	dir, err := os.MkdirTemp("", "tusq-clock-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user passes
		t.Fatal(err)
	}
	w := &world{t: t, offset: filepath.Join(dir, "offset")}
	var cancel context.CancelFunc
	w.ctx, cancel = context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	w.jump(0)
	w.db, err = rig.NewPostgres(w.ctx, filepath.Join(dir, "postgres"), rig.PostgresOptions{Environment: []string{
		"LD_PRELOAD=" + found[0], "FAKETIME_TIMESTAMP_FILE=" + w.offset, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.Start(w.ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Kill)
	if _, err := migrations.Up(w.ctx, w.db.URL()); err != nil {
		t.Fatal(err)
	}
	w.Service = testservice.On(t, w.db.URL(), service.Options{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	return w
}

// jump sets the database's clock, seconds before or after the real one.
func (w *world) jump(seconds int) {
	w.t.Helper()
	next := w.offset + ".next"
	if err := os.WriteFile(next, fmt.Appendf(nil, "%+ds\n", seconds), 0o644); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(next, w.offset); err != nil {
		w.t.Fatal(err)
	}
	if w.db == nil {
		return
	}
	var off float64
	if err := w.db.QueryRow(w.ctx, []any{&off}, "SELECT extract(epoch FROM clock_timestamp() - $1)::float8", time.Now()); err != nil {
		w.t.Fatal(err)
	}
	if off < float64(seconds)-5 || off > float64(seconds)+5 {
		w.t.Fatalf("the database's clock is %v s off, want %d: this tests nothing", off, seconds)
	}
}

func (w *world) create(name string) {
	w.t.Helper()
	create := service.CreateQueue{Name: name, QueueChange: service.QueueChange{VisibilityTimeout: new(time.Minute)}}
	if _, _, err := w.CreateQueue(w.ctx, testservice.Caller, create); err != nil {
		w.t.Fatal(err)
	}
}

// send sends bodies, of one group where the queue is FIFO.
func (w *world) send(queue string, bodies ...string) {
	w.t.Helper()
	for _, body := range bodies {
		m := service.SendMessage{Body: body}
		if service.IsFIFO(queue) {
			m.GroupID, m.DeduplicationID = "g", body
		}
		sent, err := w.SendMessages(w.ctx, testservice.Caller, queue, service.SendMessages{Messages: []service.SendMessage{m}})
		if err != nil || sent[0].Err != nil {
			w.t.Fatalf("send %s: %v, %+v", body, err, sent)
		}
	}
}

// receive returns what comes within a while.
func (w *world) receive(queue string) []service.Message {
	w.t.Helper()
	got, err := w.ReceiveMessages(w.ctx, testservice.Caller, queue, service.ReceiveMessages{Max: 10, Wait: new(3 * time.Second)})
	if err != nil {
		w.t.Fatalf("receive: %v", err)
	}
	return got
}

func bodies(messages []service.Message) (all []string) {
	for _, m := range messages {
		all = append(all, m.Body)
	}
	return all
}

func (w *world) want(got []service.Message, want ...string) {
	w.t.Helper()
	if fmt.Sprint(bodies(got)) != fmt.Sprint(want) {
		w.t.Errorf("received %q, want %q", bodies(got), want)
	}
}

func (w *world) delete(queue string, messages []service.Message) {
	w.t.Helper()
	for _, m := range messages {
		errs, err := w.DeleteMessages(w.ctx, testservice.Caller, queue, []string{m.Receipt})
		if err != nil || errs[0] != nil {
			w.t.Errorf("delete %s: %v, %v", m.Body, err, errs)
		}
	}
}

func (w *world) wantEmpty(queue string) {
	w.t.Helper()
	stats, err := w.GetQueueStats(w.ctx, testservice.Caller, queue)
	if err != nil || stats != (service.Stats{}) {
		w.t.Errorf("queue %s holds %+v, %v", queue, stats, err)
	}
}

// TestClockJumpsForward ends leases early: the message comes again, with the next count, and the
// new lease holds.
func TestClockJumpsForward(t *testing.T) {
	w := setup(t)
	w.create("jobs")
	w.send("jobs", "a")
	w.want(w.receive("jobs"), "a")
	w.jump(600)
	again := w.receive("jobs")
	w.want(again, "a")
	if len(again) == 1 && again[0].ReceiveCount != 2 {
		t.Errorf("the message was received %d times, want 2", again[0].ReceiveCount)
	}
	w.send("jobs", "b")
	w.want(w.receive("jobs"), "b")
	w.delete("jobs", again)
}

// TestClockStepsBack keeps leases and delays longer, hides what was sent before the step until
// the clock comes to it again, loses nothing, and breaks nothing.
func TestClockStepsBack(t *testing.T) {
	w := setup(t)
	w.create("jobs")
	w.send("jobs", "held", "waiting")
	held, err := w.ReceiveMessages(w.ctx, testservice.Caller, "jobs", service.ReceiveMessages{Max: 1})
	if err != nil || len(held) != 1 {
		t.Fatalf("received %v, %v", held, err)
	}
	w.jump(-600)
	stats, err := w.GetQueueStats(w.ctx, testservice.Caller, "jobs")
	if err != nil || stats.Visible+stats.InFlight+stats.Delayed != 2 {
		t.Errorf("after the step the queue holds %+v, %v, want two messages", stats, err)
	}
	w.send("jobs", "new")
	fresh := w.receive("jobs")
	w.want(fresh, "new") // the other one is in the future
	w.delete("jobs", append(held, fresh...))
	w.jump(0)
	rest := w.receive("jobs")
	w.want(rest, "waiting")
	w.delete("jobs", rest)
	w.wantEmpty("jobs")
}

// TestOrderDoesNotDependOnTheClock sends to one group before and after steps in both directions.
func TestOrderDoesNotDependOnTheClock(t *testing.T) {
	w := setup(t)
	w.create("jobs.fifo")
	w.send("jobs.fifo", "1", "2")
	w.jump(-600)
	w.send("jobs.fifo", "3")
	w.jump(600)
	w.send("jobs.fifo", "4")
	w.jump(0)
	w.send("jobs.fifo", "5")
	w.jump(700) // all are visible
	got := w.receive("jobs.fifo")
	w.want(got, "1", "2", "3", "4", "5")
	for i := 1; i < len(got); i++ {
		if got[i].Sequence <= got[i-1].Sequence {
			t.Errorf("sequence %d of %s follows %d of %s", got[i].Sequence, got[i].Body, got[i-1].Sequence, got[i-1].Body)
		}
	}
	w.delete("jobs.fifo", got)
	w.wantEmpty("jobs.fifo")
}
