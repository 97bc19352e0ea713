package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tusq/client"
	"tusq/test/testserver"
)

// setupRedrive makes a server with the queue orders and its dead-letter queue dead, which
// holds a message of its own for each body.
func setupRedrive(t *testing.T, bodies ...string) string {
	t.Helper()
	server := testserver.New(t)
	mustRun(t, server, nil, "queue", "create", "dead")
	mustRun(t, server, nil, "queue", "create", "orders", "--dead-letter", "dead", "--max-receives", "1")
	if len(bodies) > 0 {
		mustRun(t, server, nil, append([]string{"send", "dead"}, bodies...)...)
	}
	return server
}

var started = regexp.MustCompile(`^redrive (\S+) moves (\d+) messages; to end it: tusq queue cancel-redrive (\S+)\n`)

func TestRedriveAndWait(t *testing.T) {
	t.Parallel()
	server := setupRedrive(t, "a", "b", "c")
	out := mustRun(t, server, nil, "queue", "redrive", "dead", "--destination", "orders", "--rate", "500", "--wait").stdout
	words := started.FindStringSubmatch(out)
	if words == nil || words[1] != words[3] || words[2] != "3" || !strings.HasSuffix(out, "\nmoved 3 messages\n") {
		t.Errorf("printed %q", out)
	}
	if got := mustRun(t, server, nil, "receive", "orders").stdout; len(got) != len("a\nb\nc\n") {
		t.Errorf("received %q", got)
	}
	list := mustRun(t, server, nil, "queue", "redrives", "dead").stdout
	if !strings.HasPrefix(list, "ID ") || !regexp.MustCompile(`(?m)^`+words[1]+` +\S+Z +completed +3 of 3 +orders at 500/s$`).MatchString(list) {
		t.Errorf("listed\n%s", list)
	}
	if _, err := run(t.Context(), server, nil, "queue", "cancel-redrive", words[1]); client.ErrorCode(err) != "redrive_ended" {
		t.Errorf("cancelled what has ended: %v", err)
	}
}

func TestRedriveThatFails(t *testing.T) {
	t.Parallel()
	server := setupRedrive(t, "homeless")
	out, err := run(t.Context(), server, nil, "queue", "redrive", "dead", "--wait", "--json")
	if err == nil || err.Error() != "the redrive failed after 0 messages: source_unknown" {
		t.Errorf("ended with %v", err)
	}
	var redrive client.Redrive
	if err := json.Unmarshal([]byte(out.stdout), &redrive); err != nil || redrive.Status != client.RedriveFailed || redrive.ToMove != 1 {
		t.Errorf("printed %s, %v", out.stdout, err)
	}
	if list := mustRun(t, server, nil, "queue", "redrives", "dead").stdout; !strings.Contains(list, "failed: source_unknown  0 of 1  (origins)") {
		t.Errorf("listed\n%s", list)
	}
	if _, err := run(t.Context(), server, nil, "queue", "redrive", "orders"); client.ErrorCode(err) != "not_dead_letter_queue" {
		t.Errorf("of another queue: %v", err)
	}
}

// A redrive goes on when the command that follows it is interrupted, and can be cancelled.
func TestRedriveOutlivesTheCommand(t *testing.T) {
	t.Parallel()
	server := setupRedrive(t, strings.Split("a redrive that takes long", "")...)
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	looks := make(chan string, 100) // at a redrive, by the command
	proxy := httputil.NewSingleHostReverseProxy(target)
	watched := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			looks <- path.Base(r.URL.Path)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(watched.Close)
	ctx, interrupt := context.WithCancel(t.Context())
	c, err := client.New(server)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := run(ctx, watched.URL, nil, "queue", "redrive", "dead", "--destination", "orders", "--rate", "1", "--wait")
		ended <- err
	}()
	id := <-looks
	interrupt()
	if err := <-ended; err == nil || err.Error() != "interrupted: redrive "+id+" goes on; to end it: tusq queue cancel-redrive "+id {
		t.Errorf("ended with %v", err)
	}
	now, err := c.GetRedrive(t.Context(), id)
	if err != nil || now.Ended() {
		t.Fatalf("the redrive is %+v, %v", now, err)
	}
	if out := mustRun(t, server, nil, "queue", "cancel-redrive", id).stdout; !strings.HasPrefix(out, "the redrive ends; it has moved ") {
		t.Errorf("printed %q", out)
	}
	for !now.Ended() {
		if now, err = c.GetRedrive(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	var listed client.Redrive
	out := mustRun(t, server, nil, "queue", "redrives", "dead", "--json", "--max", "1").stdout
	if err := json.Unmarshal([]byte(out), &listed); err != nil || listed.Status != client.RedriveCancelled || listed.ID != id {
		t.Errorf("listed %s, %v", out, err)
	}
}

// A redrive that is not waited for is printed once.
func TestRedriveWithoutWaiting(t *testing.T) {
	t.Parallel()
	server := setupRedrive(t, slices.Repeat([]string{"a"}, 20)...)
	var redrive client.Redrive
	out := mustRun(t, server, nil, "queue", "redrive", "dead", "--destination", "orders", "--rate", "1", "--json").stdout
	if err := json.Unmarshal([]byte(out), &redrive); err != nil || redrive.Status != client.RedriveRunning || redrive.ToMove != 20 || redrive.Rate != 1 {
		t.Errorf("printed %s, %v", out, err)
	}
	if _, err := run(t.Context(), server, nil, "queue", "redrive", "dead"); client.ErrorCode(err) != "redrive_running" {
		t.Errorf("a second one: %v", err)
	}
}
