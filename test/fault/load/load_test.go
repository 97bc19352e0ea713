package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tusq/test/fault/history"
	"tusq/test/testserver"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

// losesAnswers carries out all requests, but the client of some loses its connection before the answer.
func losesAnswers(next http.Handler, share float64) http.Handler {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		lose := random.Float64() < share
		mu.Unlock()
		if !lose {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(httptest.NewRecorder(), r)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	})
}

// serve returns the address of a whole server, of which some answers are lost.
func serve(t *testing.T, share float64) string {
	t.Helper()
	server := httptest.NewServer(losesAnswers(testserver.Handler(testservice.New(t)), share))
	t.Cleanup(server.Close)
	return server.URL
}

// work runs and drains the load, and returns the history as it was written.
func work(t *testing.T, o Options, limit time.Duration) []history.Event {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history.gz")
	var err error
	if o.Recorder, err = history.NewRecorder(path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := CreateQueues(ctx, o); err != nil {
		t.Fatal(err)
	}
	running, end := context.WithTimeout(ctx, limit)
	defer end()
	if err := Run(running, o); err != nil {
		t.Fatal(err)
	}
	if err := Drain(ctx, o); err != nil {
		t.Fatal(err)
	}
	kept, err := o.Recorder.Close()
	if err != nil {
		t.Fatal(err)
	}
	events, err := history.Read(path)
	if err != nil || len(events) != len(kept) {
		t.Fatalf("read %d events of %d, %v", len(events), len(kept), err)
	}
	return events
}

// tally is what a history says, counted in the simplest way.
type tally struct {
	sent     map[string]map[string]bool // by UID: the ids that were acknowledged
	digests  map[string]string          // by UID, as sent
	received map[string]int             // by UID
	purged   map[string]bool            // queues
	seen     map[string]int             // what happened at all
}

func count(t *testing.T, events []history.Event) tally {
	t.Helper()
	all := tally{map[string]map[string]bool{}, map[string]string{}, map[string]int{}, map[string]bool{}, map[string]int{}}
	last := map[int]time.Duration{}
	for _, e := range events {
		if e.Invoked > e.Returned || e.Invoked < last[e.Client] {
			t.Errorf("the calls of client %d overlap: %+v", e.Client, e)
		}
		last[e.Client] = e.Returned
		all.seen[fmt.Sprintf("%s %s", e.Op, e.Outcome)]++
		all.seen[fmt.Sprintf("%s %s", e.Op, e.Surface)]++
		if e.Error == errAnswer {
			t.Errorf("an answer that makes no sense: %+v", e)
		}
		if e.Op == history.Purge {
			all.purged[e.Queue] = true
		}
		for _, m := range e.Messages {
			all.message(t, e, m)
		}
	}
	return all
}

func (all *tally) message(t *testing.T, e history.Event, m history.Message) {
	t.Helper()
	switch m.Error {
	case errMD5, errBody, errTwice, errUnanswered:
		t.Errorf("%s %s of %s: %s", e.Surface, e.Op, m.UID, m.Error)
	}
	switch {
	case e.Op == history.Send:
		all.digests[m.UID] = m.Digest
		if m.Outcome != history.OK {
			return
		}
		if all.sent[m.UID] == nil {
			all.sent[m.UID] = map[string]bool{}
		} else {
			all.seen["sent again"]++
		}
		all.sent[m.UID][m.ID] = true
		if (m.Sequence == "") != (m.Group == "") {
			t.Errorf("%s has group %q and sequence number %q", m.UID, m.Group, m.Sequence)
		}
	case e.Op == history.Receive:
		all.received[m.UID]++
		if all.digests[m.UID] != "" && m.Digest != all.digests[m.UID] { // a receive may return before its send
			t.Errorf("%s of %s was received with another digest", m.UID, e.Queue)
		}
		if m.Receives < 1 || m.Receipt == "" || m.ID == "" {
			t.Errorf("received %+v", m)
		}
	}
}

// want checks that all that was acknowledged was received, by one id, and that nothing is left.
func (all *tally) want(t *testing.T, events []history.Event, queues int) {
	t.Helper()
	for uid, ids := range all.sent {
		if all.received[uid] == 0 && len(all.purged) == 0 {
			t.Errorf("%s was acknowledged, but never received", uid)
		}
		if len(ids) != 1 {
			t.Errorf("%s has the ids %v", uid, ids)
		}
	}
	for uid := range all.received {
		if all.digests[uid] == "" {
			t.Errorf("%s was received, but never sent", uid)
		}
	}
	for _, e := range events {
		if e.Op == history.Stats && e.Counts.Total() != 0 {
			t.Errorf("queue %s holds %+v", e.Queue, *e.Counts)
		}
	}
	if all.seen["drained ok"] != queues || all.seen["stats ok"] != queues {
		t.Errorf("%d queues drained, %d counted, of %d", all.seen["drained ok"], all.seen["stats ok"], queues)
	}
}

// TestLoad uses all kinds of queues over both surfaces on a healthy server.
func TestLoad(t *testing.T) {
	t.Parallel()
	o := Defaults()
	o.URLs, o.Queues, o.Progress = []string{serve(t, 0)}, Mix(), new(Progress)
	o.Consumers, o.MaxVisibility, o.Messages = 12, 3, 6000
	o.Shares.Poison = 0.05
	began := time.Now()
	events := work(t, o, 20*time.Second)
	all := count(t, events)
	all.want(t, events, 6)
	t.Logf("%d messages, %d calls in %v: %v", len(all.sent), len(events), time.Since(began), all.seen)
	for _, what := range []string{"send rest", "send sqs", "receive rest", "receive sqs", "delete rest", "delete sqs",
		"extend rest", "extend sqs", "delete ok", "extend ok", "sent again"} {
		if all.seen[what] == 0 {
			t.Errorf("no %s", what)
		}
	}
	if p := o.Progress; len(all.sent) < 6000 || p.Sent.Load() < int64(len(all.sent)) || p.Deleted.Load() < int64(len(all.sent)) ||
		p.Unknown.Load() != 0 || p.LastSuccess().Before(began) {
		t.Errorf("%d messages were sent; the progress says %+v", len(all.sent), p)
	}
	dead := 0
	for _, e := range events {
		if e.Op == history.Receive && (e.Queue == "orders-dead" || e.Queue == "payments-dead.fifo") {
			dead += len(e.Messages)
		}
	}
	if dead == 0 {
		t.Error("no message came to a dead-letter queue")
	}
}

// TestLoadKnowsLostAnswers also where queues are purged and redriven.
func TestLoadKnowsLostAnswers(t *testing.T) {
	t.Parallel()
	o := Defaults()
	url := serve(t, 0.1)
	o.URLs = []string{"http://127.0.0.1:1", url} // nobody listens on the first
	o.Queues = []Queue{
		{Name: "plain"}, {Name: "orders", MaxReceives: 1, Redrive: true}, {Name: "purged", Purge: true},
		{Name: "payments.fifo", Groups: 8, MaxReceives: 2},
	}
	o.MaxVisibility, o.PurgeEvery, o.RedriveEvery = 2, time.Second, time.Second
	o.Rate, o.Shares.Repeat, o.Shares.Poison = 500, 1, 0.05
	events := work(t, o, 4*time.Second)
	all := count(t, events)
	t.Logf("%d messages, %d calls: %v", len(all.sent), len(events), all.seen)
	all.want(t, events, 6)
	for _, what := range []string{"send unknown", "receive unknown", "delete unknown", "sent again", "purge ok", "redrive ok"} {
		if all.seen[what] == 0 {
			t.Errorf("no %s", what)
		}
	}
	if n := len(all.sent); n < 500 || n > 2500 {
		t.Errorf("%d messages were sent in four seconds, of 500 each", n)
	}
}
