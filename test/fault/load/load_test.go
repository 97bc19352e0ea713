package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

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
	server := httptest.NewServer(losesAnswers(testserver.Handler(t, testservice.New(t)), share))
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
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := CreateQueues(ctx, o); err != nil {
		t.Fatal(err)
	}
	running, end := context.WithTimeout(ctx, limit)
	defer end()
	if err := Run(running, o); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if err := Drain(short, o); err == nil {
		t.Error("a drain did not wait for the leases to end")
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
	sent     map[string]string          // by UID of what was acknowledged: its queue
	ids      map[string]map[string]bool // by UID: the ids that the service called it by
	digests  map[string]string          // by UID, as sent
	received map[string]int             // by UID
	upset    map[string]bool            // queues that were purged, and dead-letter queues that were redriven
	seen     map[string]int             // what happened at all
}

func count(t *testing.T, events []history.Event) tally {
	t.Helper()
	all := tally{map[string]string{}, map[string]map[string]bool{}, map[string]string{}, map[string]int{}, map[string]bool{}, map[string]int{}}
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
		if e.Op == history.Purge || e.Op == history.Redrive {
			all.upset[e.Queue] = true
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
	switch e.Op {
	case history.Send:
		all.digests[m.UID] = m.Digest
		if m.Outcome != history.OK {
			return
		}
		if all.sent[m.UID] != "" {
			all.seen["sent again"]++
		}
		all.sent[m.UID] = e.Queue
		all.name(m)
		if (m.Sequence == "") != (m.Group == "") {
			t.Errorf("%s has group %q and sequence number %q", m.UID, m.Group, m.Sequence)
		}
	case history.Receive:
		all.received[m.UID]++
		all.name(m)
		if all.digests[m.UID] != "" && m.Digest != all.digests[m.UID] { // a receive may return before its send
			t.Errorf("%s of %s was received with another digest", m.UID, e.Queue)
		}
		if m.Receives < 1 || m.Receipt == "" || m.ID == "" {
			t.Errorf("received %+v", m)
		}
	}
}

// name notes that the service called a message by an id.
func (all *tally) name(m history.Message) {
	if all.ids[m.UID] == nil {
		all.ids[m.UID] = map[string]bool{}
	}
	all.ids[m.UID][m.ID] = true
}

// wantOrder checks that the sequence numbers of each group increase in the order in which its producer sent.
func wantOrder(t *testing.T, events []history.Event) {
	t.Helper()
	type place struct{ queue, group string }
	last := map[place]history.Message{}
	known := map[string]bool{}
	for _, e := range events {
		for _, m := range e.Messages {
			if e.Op != history.Send || m.Outcome != history.OK || m.Group == "" {
				continue
			}
			if known[m.UID] {
				t.Errorf("%s was sent again although it had been acknowledged", m.UID)
			}
			known[m.UID] = true
			at := place{e.Queue, m.Group}
			before := last[at]
			if len(m.Sequence) < len(before.Sequence) || len(m.Sequence) == len(before.Sequence) && m.Sequence <= before.Sequence {
				t.Errorf("group %v: %s has sequence number %s, after %s with %s", at, m.UID, m.Sequence, before.UID, before.Sequence)
			}
			last[at] = m
		}
	}
	if len(last) < 8 {
		t.Errorf("only %d groups", len(last))
	}
}

// want checks that all that was acknowledged was received, by one id, and that nothing is left.
func (all *tally) want(t *testing.T, events []history.Event, queues int) {
	t.Helper()
	for uid, queue := range all.sent {
		if all.received[uid] == 0 && !all.upset[queue] {
			t.Errorf("%s was acknowledged, but never received", uid)
		}
		if dead := (Queue{Name: queue, MaxReceives: 1}).DeadLetter(); len(all.ids[uid]) != 1 && !all.upset[dead] {
			t.Errorf("%s has the ids %v", uid, all.ids[uid])
		}
	}
	wantOrder(t, events)
	for uid := range all.received {
		if all.digests[uid] == "" {
			t.Errorf("%s was received, but never sent", uid)
		}
	}
	counted, drained := 0, all.seen["drained ok"]
	for _, e := range events {
		if e.Op == history.Drained && e.Outcome == history.OK {
			drained--
		}
		if e.Op != history.Stats || e.Outcome != history.OK || drained > 0 { // of the load, or to be asked again
			continue
		}
		counted++
		if e.Counts.Total() != 0 {
			t.Errorf("queue %s holds %+v", e.Queue, *e.Counts)
		}
	}
	if all.seen["drained ok"] != queues || counted != queues {
		t.Errorf("%d queues drained, %d counted, of %d", all.seen["drained ok"], counted, queues)
	}
	if all.seen["stats ok"] == counted {
		t.Error("nothing was counted under load")
	}
}

// TestLoad uses all kinds of queues over both surfaces on a healthy server.
func TestLoad(t *testing.T) {
	t.Parallel()
	o := Defaults()
	o.URLs, o.Queues, o.Progress = []string{serve(t, 0)}, Mix(), new(Progress)
	o.Consumers, o.MaxVisibility, o.Messages = 12, 3, 4000
	o.Shares.Poison = 0.05
	began := time.Now()
	events := work(t, o, 40*time.Second)
	all := count(t, events)
	all.want(t, events, 6)
	t.Logf("%d messages, %d calls in %v: %v", len(all.sent), len(events), time.Since(began), all.seen)
	for _, what := range []string{"send rest", "send sqs", "receive rest", "receive sqs", "delete rest", "delete sqs",
		"extend rest", "extend sqs", "delete ok", "extend ok", "sent again"} {
		if all.seen[what] == 0 {
			t.Errorf("no %s", what)
		}
	}
	if p := o.Progress; len(all.sent) < 4000 || p.Sent.Load() != int64(len(all.sent)) || p.Deleted.Load() < int64(len(all.sent)) ||
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
	o.MaxVisibility, o.PurgeEvery, o.RedriveEvery = 2, 200*time.Millisecond, 200*time.Millisecond
	o.Rate, o.Shares.Repeat, o.Shares.Again, o.Shares.Poison = 500, 1, 0.2, 0.05
	events := work(t, o, 4*time.Second)
	all := count(t, events)
	t.Logf("%d messages, %d calls: %v", len(all.sent), len(events), all.seen)
	all.want(t, events, 6)
	for _, what := range []string{"send unknown", "receive unknown", "delete unknown", "sent again", "purge ok", "redrive ok"} {
		if all.seen[what] == 0 {
			t.Errorf("no %s", what)
		}
	}
	if n := len(all.sent); n < 50 || n > 2500 {
		t.Errorf("%d messages were sent in four seconds of 500 each at most", n)
	}
}

// TestDrainWaitsForLeases although the service says that the queue is empty.
func TestDrainWaitsForLeases(t *testing.T) {
	t.Parallel()
	whole := testserver.Handler(t, testservice.New(t))
	truthful := httptest.NewServer(whole)
	defer truthful.Close()
	lying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/stats") {
			fmt.Fprint(w, `{"visible":0,"in_flight":0,"delayed":0}`)
			return
		}
		whole.ServeHTTP(w, r)
	}))
	defer lying.Close()
	o := Defaults()
	o.URLs, o.Queues, o.MaxVisibility = []string{lying.URL}, []Queue{{Name: "plain"}}, 3
	o.Progress, o.Shares.Delay = new(Progress), 0
	var err error
	if o.Recorder, err = history.NewRecorder(filepath.Join(t.TempDir(), "history.gz")); err != nil {
		t.Fatal(err)
	}
	defer o.Recorder.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := CreateQueues(ctx, o); err != nil {
		t.Fatal(err)
	}
	c := newClient(&o, 0, newHTTP(1), newText(rand.New(rand.NewPCG(1, 1))))
	p := &producer{client: c, uids: uidPrefix}
	p.sendOnce(ctx, o.Queues[0], []outgoing{p.message(o.Queues[0], nil)})
	messages, _, _ := c.receive(ctx, "plain", receive{most: 1, visibility: 6, wait: 1})
	if len(messages) != 1 {
		t.Fatalf("received %v", messages)
	}
	if err := Drain(ctx, o); err != nil {
		t.Fatal(err)
	}
	c.URLs = []string{truthful.URL}
	if counts, err := c.counts(ctx, "plain"); err != nil || counts.Total() != 0 {
		t.Errorf("the drained queue holds %+v, %v", counts, err)
	}
}

// TestUnknownGroupsAreLeft: where Run ends before it is known whether a message was sent, nothing follows it in its group.
func TestUnknownGroupsAreLeft(t *testing.T) {
	t.Parallel()
	o := Defaults()
	o.Producers = 1
	o.URLs, o.Queues = []string{"http://127.0.0.1:1"}, []Queue{{Name: "ordered.fifo", Groups: 2}}
	var err error
	if o.Recorder, err = history.NewRecorder(filepath.Join(t.TempDir(), "history.gz")); err != nil {
		t.Fatal(err)
	}
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	p := &producer{client: newClient(&o, 0, newHTTP(1), newText(rand.New(rand.NewPCG(1, 1)))), uids: uidPrefix, retired: map[lane]int{}}
	ctx, end := context.WithCancel(t.Context())
	end()
	message := p.message(o.Queues[0], []int{1})
	p.sendInOrder(ctx, o.Queues[0], []outgoing{message})
	if p.group(o.Queues[0], 0) != "g0.0" || message.group != "g1.0" || p.group(o.Queues[0], 1) != "g1.1" {
		t.Errorf("the groups are now %s and %s", p.group(o.Queues[0], 0), p.group(o.Queues[0], 1))
	}
	events, err := o.Recorder.Close()
	if err != nil || len(events) != 1 || events[0].Outcome != history.Unknown || events[0].Error != errConnection ||
		events[0].Messages[0].Deduplication != message.uid || o.Progress.Sent.Load() != 0 {
		t.Errorf("recorded %+v, %v", events, err)
	}
}

// The end of the text may be in the middle of its longest characters.
func TestCutStaysInside(t *testing.T) {
	const n = 1001 // not a multiple of the characters' lengths
	text := strings.Repeat("🙂", n/4+3)
	for seed := range uint64(1000) {
		got := cut(text, n, rand.New(rand.NewPCG(seed, 0)))
		if len(got) < n || !utf8.ValidString(got) {
			t.Fatalf("seed %d: %d bytes, valid: %v", seed, len(got), utf8.ValidString(got))
		}
	}
}
