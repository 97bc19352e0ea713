package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"tusq/client"
	"tusq/test/testserver"
)

func TestCreateFIFOQueues(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	mustRun(t, server, nil, "queue", "create", "a.fifo")
	mustRun(t, server, nil, "queue", "create", "b.fifo", "--content-deduplication", "--deduplication-scope", "group")
	out := mustRun(t, server, nil, "queue", "list").stdout
	if !strings.Contains(out, "visibility=30s retention=345600s content-deduplication deduplication-scope=group\n") || strings.Count(out, "deduplication") != 2 {
		t.Errorf("listed\n%s", out)
	}
	if _, err := run(t.Context(), server, nil, "queue", "create", "b.fifo", "--deduplication-scope", "queue"); client.ErrorCode(err) != "queue_exists" {
		t.Errorf("create with another scope: %v", err)
	}
	for _, args := range [][]string{{"c.fifo", "--deduplication-scope", "other"}, {"c", "--content-deduplication"}} {
		if _, err := run(t.Context(), server, nil, append([]string{"queue", "create"}, args...)...); err == nil {
			t.Errorf("create %v succeeded", args)
		}
	}
}

// receivedJSON receives and deletes all messages of a queue.
func receivedJSON(t *testing.T, server, queue string) []client.Message {
	t.Helper()
	var messages []client.Message
	for line := range strings.Lines(mustRun(t, server, nil, "receive", queue, "--json", "--delete", "--max", "5000").stdout) {
		var m client.Message
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages
}

func TestSendBodiesToAFIFOQueue(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	if _, err := run(t.Context(), server, nil, "send", "q.fifo", "a"); err == nil || !strings.Contains(err.Error(), "--group") {
		t.Errorf("without a group: %v", err)
	}
	if out := mustRun(t, server, nil, "queue", "list", "--json"); out.stdout != "" {
		t.Errorf("a send that was refused has created %s", out.stdout)
	}
	// Equal bodies are messages of their own, unless they have the same id.
	mustRun(t, server, nil, "send", "q.fifo", "--group", "g", "same", "same")
	var sent [2]client.Sent
	for i := range sent {
		out := mustRun(t, server, nil, "send", "q.fifo", "--group", "g", "--deduplication-id", "d", "--json", fmt.Sprint("try ", i))
		if err := json.Unmarshal([]byte(out.stdout), &sent[i]); err != nil || sent[i].ID == "" || sent[i].Sequence == 0 {
			t.Errorf("sent %s, %v", out.stdout, err)
		}
	}
	if sent[0] != sent[1] {
		t.Errorf("the second is no duplicate: %+v", sent)
	}
	messages := receivedJSON(t, server, "q.fifo")
	if len(messages) != 3 || messages[2].DeduplicationID != "d" || messages[2].GroupID != "g" || messages[2].Sequence != sent[0].Sequence || messages[2].Body != "try 0" {
		t.Errorf("received %+v", messages)
	}
	for _, args := range [][]string{{"--deduplication-id", "d", "a", "b"}, {"--deduplication-id", "d", "--lines", "-"}} {
		if _, err := run(t.Context(), server, strings.NewReader("a\n"), append([]string{"send", "q.fifo", "--group", "g"}, args...)...); err == nil {
			t.Errorf("send %v succeeded", args)
		}
	}
	mustRun(t, server, nil, "send", "standard", "--group", "tenant", "a")
	if messages := receivedJSON(t, server, "standard"); len(messages) != 1 || messages[0].GroupID != "tenant" || messages[0].Sequence != 0 {
		t.Errorf("received %+v", messages)
	}
}

// Lines keep their order in a FIFO queue, and equal lines are messages of their own, unless
// the queue deduplicates by content.
func TestLinesToAFIFOQueue(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	var input strings.Builder
	const lines = 3000
	for i := range lines {
		fmt.Fprintln(&input, "line", i/2)
	}
	mustRun(t, server, nil, "queue", "create", "by-content.fifo", "--content-deduplication")
	for queue, copies := range map[string]int{"by-id.fifo": 2, "by-content.fifo": 1} {
		mustRun(t, server, strings.NewReader(input.String()), "send", queue, "--group", "g", "--lines", "-")
		messages := receivedJSON(t, server, queue)
		if len(messages) != lines/2*copies {
			t.Errorf("%s: received %d messages", queue, len(messages))
		}
		for i, m := range messages {
			if want := fmt.Sprint("line ", i/copies); m.Body != want {
				t.Fatalf("%s: message %d is %q, want %q", queue, i, m.Body, want)
			}
		}
	}
}
