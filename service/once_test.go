package service_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tusq/service"
)

// sendKeyed sends bodies in one call with a key, as replica.
func (w *world) sendKeyed(replica *service.Service, key service.CallKey, bodies ...string) ([]service.Sent, error) {
	send := service.SendMessages{Key: key}
	for _, body := range bodies {
		m := service.SendMessage{Body: body, TraceHeader: fmt.Sprint("Root=", time.Now().UnixNano())}
		if service.IsFIFO(w.queue) {
			m.GroupID = "a"
		}
		send.Messages = append(send.Messages, m)
	}
	return replica.SendMessages(w.ctx, caller, w.queue, send)
}

func TestRepeatedCallsGetTheFirstAnswer(t *testing.T) {
	for _, key := range []service.CallKey{{ID: "call"}, {ID: "call", Strict: true}} {
		t.Run(fmt.Sprint(key.Strict), func(t *testing.T) {
			w := setup(t, service.QueueChange{MaxMessageSize: new(1024)})
			w.create("others", service.QueueChange{MaxMessageSize: new(1024)})
			w.create("orders.fifo", service.QueueChange{MaxMessageSize: new(1024), ContentDeduplication: new(true)})
			for _, w.queue = range []string{"orders", "others", "orders.fifo"} { // the same key means another call there
				w.testRepeatedCall(key)
			}
		})
	}
}

func (w *world) testRepeatedCall(key service.CallKey) {
	w.t.Helper()
	long := strings.Repeat("x", 2000)
	first, err := w.sendKeyed(w.Service, key, "1", long, "2")
	if err != nil || first[0].Err != nil || first[1].Err == nil || first[2].Err != nil {
		w.t.Fatal(first, err)
	}
	again, err := w.sendKeyed(w.other, key, "1", long, "2") // with another trace header
	if err != nil || again[0] != first[0] || again[2] != first[2] || again[1].Err == nil {
		w.t.Errorf("first %+v, again %+v, %v", first, again, err)
	}
	if got := w.receive(w.queue, 10); len(got) != 2 || got[0].ID != first[0].ID || got[1].ID != first[2].ID {
		w.t.Errorf("received %+v", got)
	}
}

func TestKeysAndOtherMessages(t *testing.T) {
	for _, name := range []string{"orders", "orders.fifo"} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, service.QueueChange{})
			w.queue = name
			change := service.QueueChange{}
			if service.IsFIFO(name) {
				change.ContentDeduplication = new(true)
			}
			w.create(name, change)
			strict := service.CallKey{ID: "call", Strict: true}
			if _, err := w.sendKeyed(w.Service, strict, "1"); err != nil {
				t.Fatal(err)
			}
			_, err := w.sendKeyed(w.other, strict, "2")
			wantCode(t, err, service.CodeKeyReused)
			w.wantStats(name, service.Stats{Visible: 1})
			for range 2 {
				if _, err := w.sendKeyed(w.other, service.CallKey{ID: "call"}, "3"); err != nil {
					t.Fatal(err)
				}
			}
			w.wantStats(name, service.Stats{Visible: 2})
		})
	}
}

// TestConcurrentCallsOfOneKey lets many callers send the same call through two replicas.
func TestConcurrentCallsOfOneKey(t *testing.T) {
	w := setup(t, service.QueueChange{})
	var callers sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for i := range 20 {
		replica := []*service.Service{w.Service, w.other}[i%2]
		key := service.CallKey{ID: "call", Strict: i >= 10}
		callers.Go(func() {
			sent, err := w.sendKeyed(replica, key, "same")
			mu.Lock()
			defer mu.Unlock()
			switch {
			case key.Strict && err != nil && service.ErrorCode(err) == service.CodeKeyInUse:
			case err != nil:
				t.Error(err)
			default:
				ids[sent[0].ID] = true
			}
		})
	}
	callers.Wait()
	if len(ids) > 2 { // the strict calls and the others are calls of their own
		t.Errorf("twenty calls of one key were answered with %d ids", len(ids))
	}
	w.wantStats(w.queue, service.Stats{Visible: int64(len(ids))})
}

func TestFailedCallsReuseNoKey(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{err: service.ErrConflict})
	w.store.faults.Store(100)
	key := service.CallKey{ID: "call", Strict: true}
	_, err := w.sendKeyed(w.Service, key, "1")
	wantCode(t, err, service.CodeUnavailable)
	w.store.faults.Store(0)
	if _, err := w.sendKeyed(w.Service, key, "1"); err != nil {
		t.Error(err)
	}
	w.wantStats(w.queue, service.Stats{Visible: 1})
}

// TestRefusedMessagesAreNotTakenForStored repeats a call when a message that was refused
// would be accepted.
func TestRefusedMessagesAreNotTakenForStored(t *testing.T) {
	w := setup(t, service.QueueChange{MaxMessageSize: new(1024)})
	key := service.CallKey{ID: "call", Strict: true}
	long := strings.Repeat("x", 2000)
	if sent, err := w.sendKeyed(w.Service, key, "1", long); err != nil || sent[1].Err == nil {
		t.Fatal(sent, err)
	}
	if _, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{MaxMessageSize: new(4096)}); err != nil {
		t.Fatal(err)
	}
	_, err := w.sendKeyed(w.Service, key, "1", long)
	wantCode(t, err, service.CodeKeyReused)
}

// TestRepeatedCallsAfterAPurge repeats a call whose messages and deduplication ids are gone.
func TestRepeatedCallsAfterAPurge(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{ContentDeduplication: new(true)})
	key := service.CallKey{ID: "call", Strict: true}
	first, err := w.sendKeyed(w.Service, key, "1", "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.PurgeQueue(w.ctx, caller, service.PurgeQueue{Name: w.queue}); err != nil {
		t.Fatal(err)
	}
	again, err := w.sendKeyed(w.other, key, "1", "2")
	if err != nil || again[0].ID != first[0].ID || again[1].ID != first[1].ID {
		t.Errorf("first %+v, again %+v, %v", first, again, err)
	}
	w.wantStats(w.queue, service.Stats{})
}

// TestDuplicatesOfARepetitionAreSent sends the deduplication id of a call that turns out to be refused, because its key
// has named another, in the same flush: somebody's message is to be stored.
func TestDuplicatesOfARepetitionAreSent(t *testing.T) {
	store := &faulty{}
	w := setupFaulty(t, "orders.fifo", store)
	if _, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{ContentDeduplication: new(true)}); err != nil {
		t.Fatal(err)
	}
	key := service.CallKey{ID: "call", Strict: true}
	if _, err := w.sendKeyed(w.Service, key, "first"); err != nil {
		t.Fatal(err)
	}
	received := w.one(w.queue)
	hold, before := make(chan struct{}), store.flushes.Load()
	store.hold = hold
	var all sync.WaitGroup
	all.Go(func() {
		if err := w.extend(received.Receipt, time.Minute); err != nil {
			t.Error(err)
		}
	})
	for store.flushes.Load() == before {
		time.Sleep(time.Millisecond)
	}
	all.Go(func() {
		_, err := w.sendKeyed(w.Service, key, "tick")
		wantCode(t, err, service.CodeKeyReused)
	})
	time.Sleep(100 * time.Millisecond) // so that it is before the others in the next flush
	sent := make([][]service.Sent, 2)
	for i := range sent {
		all.Go(func() {
			var err error
			if sent[i], err = w.sendKeyed(w.Service, service.CallKey{}, "tick"); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	close(hold)
	all.Wait()
	w.wantStats(w.queue, service.Stats{Visible: 1, InFlight: 1})
	if len(sent[0]) != 1 || sent[0][0].Sequence == 0 || !slices.Equal(sent[0], sent[1]) {
		t.Errorf("the duplicates were answered %+v", sent)
	}
}
