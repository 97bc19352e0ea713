package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tusq/client"
)

func TestReceiveAsksForWhatIsWanted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cmd     ReceiveCmd
		batches [][]client.Message
		max     []int // of each receive
		wait    int   // of each
		took    time.Duration
	}{
		"ten by default":        {ReceiveCmd{}, [][]client.Message{numbered(1, 10)}, []int{10}, 0, 0},
		"what there is":         {ReceiveCmd{}, [][]client.Message{numbered(1, 4)}, []int{10, 6}, 0, 0},
		"so many":               {ReceiveCmd{Max: 1500}, [][]client.Message{numbered(1, 100), numbered(101, 1100), numbered(1101, 1500)}, []int{100, 1000, 400}, 0, 0},
		"nothing":               {ReceiveCmd{}, nil, []int{10}, 0, 0},
		"all there is":          {ReceiveCmd{Wait: new(0)}, [][]client.Message{numbered(1, 100), numbered(101, 110)}, []int{100, 1000, 1000}, 0, 0},
		"until none comes":      {ReceiveCmd{Wait: new(7)}, [][]client.Message{numbered(1, 100)}, []int{100, 1000}, 7, 7 * time.Second},
		"so many while waiting": {ReceiveCmd{Wait: new(7), Max: 3}, [][]client.Message{numbered(1, 3)}, []int{3}, 7, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &shelf{batches: test.batches}
				want := slices.Concat(test.batches...)
				var out bytes.Buffer
				r, _ := server.receiver(t, test.cmd, &out)
				began := time.Now()
				if err := r.run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				if lines := strings.Count(out.String(), "\n"); lines != len(want) {
					t.Errorf("%d lines, want %d", lines, len(want))
				}
				var sizes []int
				for _, receive := range server.receives {
					if sizes = append(sizes, receive.Max); *receive.WaitSeconds != test.wait {
						t.Errorf("waited for %d s, want %d", *receive.WaitSeconds, test.wait)
					}
				}
				if !slices.Equal(sizes, test.max) || len(server.deleted) > 0 {
					t.Errorf("asked for %v and deleted %v, want %v", sizes, server.deleted, test.max)
				}
			})
		})
	}
}

// TestReceiveWaitsFully: an answer that comes empty before its time, or a wait over the
// longest that the API has, does not end the wait.
func TestReceiveWaitsFully(t *testing.T) {
	t.Parallel()
	for _, impatient := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			server := &shelf{impatient: impatient}
			r, _ := server.receiver(t, ReceiveCmd{Wait: new(100)}, io.Discard)
			began := time.Now()
			if err := r.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < 100*time.Second || took > 101*time.Second {
				t.Errorf("impatient %v: took %v", impatient, took)
			}
		})
	}
}

func TestReceiveAsksForLessWhereMessagesAreLarge(t *testing.T) {
	t.Parallel()
	large := client.Message{Body: strings.Repeat("x", receiveBytes/4)}
	if got := nextReceive([]client.Message{large, large}); got < 3 || got > 4 {
		t.Errorf("got %d", got)
	}
	if got := nextReceive([]client.Message{{Body: strings.Repeat("x", 2*receiveBytes)}}); got != 1 {
		t.Errorf("got %d", got)
	}
}

// TestReceiveDeletesWhatWasWritten: and only after it was.
func TestReceiveDeletesWhatWasWritten(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	server := &shelf{batches: [][]client.Message{numbered(1, 100), numbered(101, 250)}}
	server.onDelete = func(receipts []string) {
		text := out.String()
		for _, receipt := range receipts {
			if !strings.Contains("\n"+text, "\n"+receipt[1:]+"\n") {
				t.Errorf("%s is deleted and not written", receipt)
			}
		}
	}
	r, _ := server.receiver(t, ReceiveCmd{Wait: new(0), Delete: true}, &out)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if slices.Sort(server.deleted); !slices.Equal(server.deleted, sortedReceipts(1, 250)) {
		t.Errorf("deleted %v", server.deleted)
	}
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func sortedReceipts(from, to int) []string {
	list := receipts(numbered(from, to))
	slices.Sort(list)
	return list
}

// closing is an output that takes so many bytes and is closed then.
type closing struct{ left int }

func (c *closing) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	if n < len(p) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func TestReceiveReleasesWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	for _, del := range []bool{true, false} {
		for _, taken := range []int{0, 1, 2, 3, 9, 18, 19, 20, 21, 22} { // 1 to 9 take 18 bytes, 10 takes 3
			server := &shelf{batches: [][]client.Message{numbered(1, 10), numbered(11, 20)}}
			whole := taken / 2
			if taken >= 18 {
				whole = 9 + (taken-18)/3
			}
			r, _ := server.receiver(t, ReceiveCmd{Wait: new(0), Delete: del}, &closing{taken})
			err := r.run(t.Context())
			// With 21 bytes taken the first batch is written whole, and nothing of the second.
			last := 10
			if whole == 10 {
				last = 20
			}
			if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), fmt.Sprintf("%d messages released", last-whole)) {
				t.Errorf("%d bytes: ended with %v", taken, err)
			}
			slices.Sort(server.released)
			slices.Sort(server.deleted)
			if !slices.Equal(server.released, sortedReceipts(whole+1, last)) {
				t.Errorf("%d bytes: released %v", taken, server.released)
			}
			if want := sortedReceipts(1, whole); del && !slices.Equal(server.deleted, want) || !del && len(server.deleted) > 0 {
				t.Errorf("%d bytes: deleted %v, want %v (%v)", taken, server.deleted, want, del)
			}
		}
	}
}

// TestReceiveWaitsForMessagesOfALostAnswer: they come back when their visibility
// timeout ends.
func TestReceiveWaitsForMessagesOfALostAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		took time.Duration
	}{
		"broken":     {io.ErrUnexpectedEOF, 6 * time.Second}, // the timeout, and a second more
		"502":        {statusError(502), 6 * time.Second},
		"504":        {statusError(504), 6 * time.Second},
		"refused":    {statusError(503), time.Second},
		"not at all": {nil, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := &shelf{batches: [][]client.Message{numbered(1, 10)}}
			server.receiveErr = func(call int) error {
				if call == 2 {
					return test.err
				}
				return nil
			}
			r, _ := server.receiver(t, ReceiveCmd{Wait: new(1)}, io.Discard)
			began := time.Now()
			if err := r.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < test.took || took > test.took+time.Second {
				t.Errorf("%s: took %v, want %v", name, took, test.took)
			}
		})
	}
}

func TestReceiveEndsWhenInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		server := &shelf{batches: [][]client.Message{numbered(1, 10)}}
		server.onDelete = func([]string) { pause(t.Context(), 5*time.Second) }
		r, _ := server.receiver(t, ReceiveCmd{Wait: new(60), Delete: true}, io.Discard)
		began := time.Now()
		if err := r.run(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 5*time.Second || len(server.deleted) != 10 {
			t.Errorf("ended after %v with %v deleted", took, server.deleted)
		}
	})
}

func TestReceiveTellsWhatWasNotDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &shelf{batches: [][]client.Message{numbered(1, 10)}}
		server.deleteErr = func(receipt string) string {
			switch receipt {
			case "r3", "r4":
				return "receipt_stale"
			case "r5", "r6", "r7":
				return "receipt_expired"
			}
			return ""
		}
		r, remarks := server.receiver(t, ReceiveCmd{Wait: new(0), Delete: true}, io.Discard)
		if err := r.run(t.Context()); err != nil || !strings.Contains(remarks.String(), "2 messages were received again") ||
			!strings.Contains(remarks.String(), "3 messages were not deleted before") {
			t.Errorf("stale receipts: %v, %q", err, remarks)
		}

		server = &shelf{batches: [][]client.Message{numbered(1, 10)}}
		server.deleteErr = func(string) string { return "unavailable" }
		r, _ = server.receiver(t, ReceiveCmd{Wait: new(3600), Delete: true}, io.Discard)
		began := time.Now()
		if err := r.run(t.Context()); client.ErrorCode(err) != "unavailable" || !strings.Contains(err.Error(), "may come back") {
			t.Errorf("a failed deletion: %v", err)
		}
		if took := time.Since(began); took > streamRetry+5*time.Second {
			t.Errorf("went on for %v after a failed deletion", took)
		}
	})
}

// A FIFO queue gives nothing more of a group before its messages are deleted.
func TestReceiveFromAFIFOQueueDeletesFirst(t *testing.T) {
	t.Parallel()
	server := &shelf{batches: [][]client.Message{numbered(1, 100), numbered(101, 200), numbered(201, 300)}}
	server.onDelete = func(receipts []string) {
		server.mu.Lock()
		defer server.mu.Unlock()
		if deleted := len(server.deleted) + len(receipts); deleted != 100*len(server.receives) {
			t.Errorf("%d messages are deleted after %d receives", deleted, len(server.receives))
		}
	}
	r, _ := server.receiver(t, ReceiveCmd{Max: 300, Delete: true}, io.Discard)
	r.fifo = true
	if err := r.run(t.Context()); err != nil || len(server.deleted) != 300 {
		t.Errorf("%d messages were deleted, %v", len(server.deleted), err)
	}
}

func TestReceivePrintsJSON(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var out bytes.Buffer
	written, err := messageWriter{out: &out, json: true}.write([]client.Message{{
		ID: "1", Receipt: "r", Body: "<a>\nb", State: "in_flight", ReceiveCount: 2, SentAt: sent, FirstReceivedAt: sent, VisibleAt: sent,
	}})
	want := `{"id":"1","receipt":"r","body":"<a>\nb","state":"in_flight","receive_count":2,"sent_at":"2026-03-01T12:00:00Z","first_received_at":"2026-03-01T12:00:00Z","visible_at":"2026-03-01T12:00:00Z"}` + "\n"
	if err != nil || written != 1 || out.String() != want {
		t.Errorf("got %d, %v, %s, want %s", written, err, out.String(), want)
	}
}
