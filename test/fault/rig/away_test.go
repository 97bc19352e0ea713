package rig

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tusq/client"
)

// Bounds of the answers while the database is away. A busy machine has room in them.
const (
	outageTold  = 5*time.Second + 7*time.Second // outagePatience of package service
	atOnce      = 3 * time.Second               // most of what needs no database, or is asked once an outage is told
	cutOffTold  = 30 * time.Second              // the queue is read, the flush before ends, and its own: 10 seconds each
	undisturbed = 8 * time.Second               // calls of a replica that is not cut off; those of one that is take 10
	served      = 10 * time.Second              // the first send after the fault
)

// askers are how many make each request at a time.
const askers = 2

// answer is what became of a request.
type answer struct {
	status     int // 0: there was no answer
	retryAfter string
	at, took   time.Duration // since the asking began, since the request did
	err        error
}

func (a answer) done() bool { return a.status/100 == 2 }

// honest: it was done, or it can be tried again in a moment.
func (a answer) honest() bool {
	return a.err == nil && (a.done() || a.status == http.StatusServiceUnavailable && a.retryAfter != "")
}

func (a answer) String() string {
	return fmt.Sprintf("asked at %v, %d after %v, Retry-After %q, %v",
		a.at.Round(time.Millisecond), a.status, a.took.Round(time.Millisecond), a.retryAfter, a.err)
}

// request is one that is made again and again.
type request struct{ method, path, body string }

// The queue of these is called work.
var (
	sending   = request{http.MethodPost, "/v1/queues/work/messages", `{"messages":[{"body":"asked"}]}`}
	receiving = request{http.MethodPost, "/v1/queues/work/messages/receive", `{"max":1,"wait_seconds":0}`}
	living    = request{http.MethodGet, "/livez", ""}
	measuring = request{http.MethodGet, "/metrics", ""}
)

// ask makes the request on a connection of its own.
func (r request) ask(ctx context.Context, url string) (a answer) {
	began := time.Now()
	defer func() { a.took = time.Since(began) }()
	request, err := http.NewRequestWithContext(ctx, r.method, url+r.path, strings.NewReader(r.body))
	if err != nil {
		return answer{err: err}
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return answer{status: response.StatusCode, retryAfter: response.Header.Get("Retry-After"), err: err}
}

// asked is a request to a replica.
type asked struct {
	request request
	replica *Replica
}

// askAll makes all requests of all replicas for so long, and returns all answers.
func askAll(t *testing.T, c *Cluster, long time.Duration) map[asked][]answer {
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	answers := map[asked][]answer{}
	var mu sync.Mutex
	var loops sync.WaitGroup
	began := time.Now()
	loop := func(what asked) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			at := time.Since(began)
			got := what.request.ask(t.Context(), what.replica.URL())
			got.at = at
			mu.Lock()
			answers[what] = append(answers[what], got)
			mu.Unlock()
			<-tick.C
		}
	}
	for _, replica := range c.Replicas {
		for _, request := range []request{sending, receiving, living, measuring} {
			for range askers {
				loops.Go(func() { loop(asked{request, replica}) })
			}
		}
	}
	loops.Wait()
	return answers
}

// judge fails where an answer is not honest or is late, and returns how many were not 2xx.
func judge(t *testing.T, what asked, answers []answer, bound time.Duration) (refused int) {
	t.Helper()
	var longest time.Duration
	for _, a := range answers {
		if !a.honest() || a.took > bound {
			t.Errorf("%s of %s: %v; want 2xx, or 503 with Retry-After, within %v", what.request.path, what.replica.Name, a, bound)
		}
		if !a.done() {
			refused++
		}
		longest = max(longest, a.took)
	}
	t.Logf("%s of %s: %d answers, %d of them 503, the longest took %v", what.request.path, what.replica.Name,
		len(answers), refused, longest.Round(time.Millisecond))
	return refused
}

// judgePrompt fails where more is answered late than each asker's one call that a machine made wait: a replica that waits does so in
// every call.
func judgePrompt(t *testing.T, what asked, answers []answer) {
	t.Helper()
	late := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.took <= atOnce })
	if len(late) > min(askers, len(answers)/2) {
		t.Errorf("%s of %s: %d of %d answers took longer than %v: %v", what.request.path, what.replica.Name, len(late), len(answers), atOnce, late)
	}
}

// judgeOperations fails where a path that needs no database was not answered at once.
func judgeOperations(t *testing.T, r *Replica, answers map[asked][]answer) {
	t.Helper()
	for _, request := range []request{living, measuring} {
		what := asked{request, r}
		if refused := judge(t, what, answers[what], undisturbed); refused > 0 {
			t.Errorf("%s of %s: %d answers are not 2xx", request.path, r.Name, refused)
		}
		judgePrompt(t, what, answers[what])
	}
}

// judgeRecovery fails where no send is acknowledged soon.
func judgeRecovery(t *testing.T, r *Replica, healed time.Time) {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), healed.Add(served))
	defer cancel()
	var got answer
	for !got.done() && ctx.Err() == nil {
		got = sending.ask(ctx, r.URL())
	}
	if !got.done() {
		t.Errorf("no send to %s was acknowledged within %v; the last: %v", r.Name, served, got)
	}
	t.Logf("%s serves %v after the fault", r.Name, time.Since(healed).Round(time.Millisecond))
}

// startWork starts a cluster with the queue that the requests use.
func startWork(t *testing.T) *Cluster {
	t.Helper()
	c := startCluster(t, 2)
	_, _, err := api(t, c.URL()).CreateQueue(t.Context(), client.CreateQueue{Name: "work"})
	must(t, err)
	for _, r := range c.Replicas {
		if got := sending.ask(t.Context(), r.URL()); !got.done() {
			t.Fatal(got)
		}
	}
	return c
}

// TestConnectionsAreExhausted by others, for longer than a replica is patient: then calls are refused at once.
func TestConnectionsAreExhausted(t *testing.T) {
	t.Parallel()
	c := startWork(t)
	heal := inject(t, c, "exhaust connections")
	answers := askAll(t, c, 12*time.Second)
	healed := time.Now()
	heal()
	for _, r := range c.Replicas {
		judgeRecovery(t, r, healed)
	}
	refused := 0
	for _, r := range c.Replicas {
		for _, request := range []request{sending, receiving} {
			what := asked{request, r}
			refused += judge(t, what, answers[what], outageTold)
			judgePrompt(t, what, slices.DeleteFunc(answers[what], func(a answer) bool { return a.at < 6*time.Second }))
		}
		judgeOperations(t, r, answers)
	}
	if refused == 0 {
		t.Error("no call was refused: the connections were not exhausted")
	}
}

// TestReplicaIsCutOff from PostgreSQL, whose silence is all that it sees, for longer than all its timeouts.
func TestReplicaIsCutOff(t *testing.T) {
	t.Parallel()
	c := startWork(t)
	cutOff, other := c.Replicas[0], c.Replicas[1]
	must(t, c.Database[0].Add(both("timeout", map[string]any{"timeout": 0})...))
	answers := askAll(t, c, 21*time.Second)
	healed := time.Now()
	must(t, c.Heal(t.Context()))
	judgeRecovery(t, cutOff, healed)
	for _, request := range []request{sending, receiving} {
		what := asked{request, cutOff}
		if refused := judge(t, what, answers[what], cutOffTold); refused == 0 {
			t.Errorf("%s: no call was refused: the replica was not cut off", request.path)
		}
		what.replica = other
		if refused := judge(t, what, answers[what], undisturbed); refused > 0 {
			t.Errorf("%s: %d calls of the other replica were refused", request.path, refused)
		}
	}
	judgeOperations(t, cutOff, answers)
}
