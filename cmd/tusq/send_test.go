package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tusq/client"
)

// sink is a transport that stands for a server which takes batches of messages.
type sink struct {
	mu      sync.Mutex
	bodies  []string
	calls   int
	largest int // bodies' bytes in one call
	most    int // messages in one call
	took    chan struct{}

	fault func(call int, body string) (status int, code string) // of one message; 0 and "": none
}

func (s *sink) RoundTrip(r *http.Request) (*http.Response, error) {
	var batch struct{ Messages []client.SendMessage }
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	type result map[string]any
	results, size := []result{}, 0
	for _, m := range batch.Messages {
		size += len(m.Body)
		status, code := 0, ""
		if s.fault != nil {
			status, code = s.fault(s.calls, m.Body)
		}
		switch {
		case status != 0:
			answer := httptest.NewRecorder()
			answer.WriteHeader(status)
			return answer.Result(), nil
		case code != "":
			results = append(results, result{"error": result{"code": code, "detail": "words"}})
		default:
			results = append(results, result{"id": fmt.Sprint(len(s.bodies))})
			s.bodies = append(s.bodies, m.Body)
		}
	}
	s.largest, s.most = max(s.largest, size), max(s.most, len(batch.Messages))
	if s.took != nil {
		s.took <- struct{}{}
	}
	answer := httptest.NewRecorder()
	err := json.NewEncoder(answer).Encode(result{"results": results})
	return answer.Result(), err
}

// sender returns a sender to the sink and what it remarks.
func (s *sink) sender(t *testing.T) (*lineSender, *bytes.Buffer) {
	t.Helper()
	c, err := client.New("http://tusq.test", client.WithRetry(0), client.WithHTTPClient(&http.Client{Transport: s}))
	if err != nil {
		t.Fatal(err)
	}
	var remarks bytes.Buffer
	return &lineSender{
		client: c, queue: "q", message: new(SendCmd).message(client.Queue{}), notes: &notes{out: &remarks}, atOnce: sendsAtOnce,
	}, &remarks
}

func TestSendLines(t *testing.T) {
	t.Parallel()
	server := &sink{fault: func(_ int, body string) (int, string) {
		if body == "disliked" {
			return 0, "invalid_message"
		}
		return 0, ""
	}}
	sender, remarks := server.sender(t)
	input := "one\n\ntwo\r\n\xff\none\ndisliked\n0123456789A\n\n<&>\u2028"
	if err := sender.run(t.Context(), newLineReader(strings.NewReader(input), 10)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(server.bodies)
	if want := []string{"<&>\u2028", "one", "one", "two\r"}; !slices.Equal(server.bodies, want) {
		t.Errorf("sent %q, want %q", server.bodies, want)
	}
	sum := sender.summary()
	sum.Seconds = 0
	if want := (sendSummary{Queue: "q", Lines: 9, Sent: 4, Bytes: 16, Empty: 2, Refused: 3}); sum != want {
		t.Errorf("summary %+v, want %+v", sum, want)
	}
	for _, want := range []string{"line 4 refused: not UTF-8", "line 6 refused: words (invalid_message)", "line 7 refused: 11 bytes"} {
		if !strings.Contains(remarks.String(), want) {
			t.Errorf("no remark %q in %q", want, remarks)
		}
	}
}

func TestSendLinesInBoundedBatches(t *testing.T) {
	t.Parallel()
	server := &sink{}
	sender, _ := server.sender(t)
	short, long := strings.Repeat("s\n", 10_000), strings.Repeat(strings.Repeat("l", 300_000)+"\n", 8)
	if err := sender.run(t.Context(), newLineReader(strings.NewReader(short+long), 1<<20)); err != nil {
		t.Fatal(err)
	}
	if len(server.bodies) != 10_008 || server.most != client.MaxBatch || server.largest > batchBytes {
		t.Errorf("%d messages in %d calls of up to %d and %d bytes", len(server.bodies), server.calls, server.most, server.largest)
	}
	if server.calls > 25 {
		t.Errorf("%d calls", server.calls)
	}
}

// TestSendLinesDoesNotHoldBack: lines of an input that stays open are sent.
func TestSendLinesDoesNotHoldBack(t *testing.T) {
	t.Parallel()
	server := &sink{took: make(chan struct{}, 1)}
	sender, _ := server.sender(t)
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- sender.run(t.Context(), newLineReader(in, 10)) }()
	for i := range 3 {
		fmt.Fprintf(out, "line %d\nhalf", i)
		select {
		case <-server.took:
		case <-time.After(10 * time.Second):
			t.Fatal("the line was not sent")
		}
	}
	out.Close()
	if err := <-ended; err != nil || server.calls != 4 {
		t.Errorf("ended with %v after %d calls: %q", err, server.calls, server.bodies)
	}
}

func TestSendLinesNamesTheFirstLostLine(t *testing.T) {
	t.Parallel()
	server := &sink{fault: func(call int, _ string) (int, string) {
		if call > 3 {
			return http.StatusServiceUnavailable, ""
		}
		return 0, ""
	}}
	sender, _ := server.sender(t)
	var input strings.Builder
	for i := range 10_000 {
		fmt.Fprintln(&input, i+1)
	}
	err := sender.run(t.Context(), newLineReader(strings.NewReader(input.String()), 10))
	var refusal *client.Error
	if !errors.As(err, &refusal) {
		t.Fatalf("ended with %v", err)
	}
	got := make(map[string]bool)
	for _, body := range server.bodies {
		got[body] = true
	}
	first := int64(1)
	for got[fmt.Sprint(first)] {
		first++
	}
	if want := fmt.Sprintf("line %d is the first that was not acknowledged", first); !strings.Contains(err.Error(), want) || sender.summary().Resume != first {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestSendLinesTellsAReadError(t *testing.T) {
	t.Parallel()
	server := &sink{}
	sender, _ := server.sender(t)
	broken := errors.New("broken disk")
	in, out := io.Pipe()
	go func() {
		_, _ = out.Write([]byte("a\nb\nc"))
		out.CloseWithError(broken)
	}()
	err := sender.run(t.Context(), newLineReader(in, 10))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 3 is the first") || len(server.bodies) != 2 {
		t.Errorf("got %v with %q sent", err, server.bodies)
	}
}

func TestSendLinesEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	server := &sink{took: make(chan struct{}, 1)}
	sender, _ := server.sender(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	t.Cleanup(func() { out.Close() })
	ended := make(chan error, 1)
	go func() { ended <- sender.run(ctx, newLineReader(in, 10)) }()
	fmt.Fprint(out, "a\nb\n")
	<-server.took
	cancel()
	if err := <-ended; !errors.Is(err, errInterrupted) || !strings.Contains(err.Error(), "line 3 is the first") {
		t.Errorf("ended with %v", err)
	}
}

func TestSendLinesRepeatsItemsThatFailForTheMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &sink{fault: func(call int, body string) (int, string) {
			if body == "b" && call < 5 {
				return 0, "overloaded"
			}
			return 0, ""
		}}
		sender, _ := server.sender(t)
		err := sender.run(t.Context(), newLineReader(strings.NewReader("a\nb\nc\n"), 10))
		if slices.Sort(server.bodies); err != nil || strings.Join(server.bodies, "") != "abc" {
			t.Errorf("sent %q, %v", server.bodies, err)
		}

		server = &sink{fault: func(_ int, body string) (int, string) {
			if body == "b" {
				return 0, "unavailable"
			}
			return 0, ""
		}}
		sender, _ = server.sender(t)
		began := time.Now()
		err = sender.run(t.Context(), newLineReader(strings.NewReader("a\nb\nc\n"), 10))
		if client.ErrorCode(err) != "unavailable" || !strings.Contains(err.Error(), "line 2 is the first") {
			t.Errorf("ended with %v", err)
		}
		if took := time.Since(began); took < streamRetry || took > streamRetry+5*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}
