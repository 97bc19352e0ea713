package service_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

// world is a queue on a service, with a second replica beside it.
type world struct {
	*service.Service
	other *service.Service
	t     *testing.T
	ctx   context.Context
	url   string // of the database
	queue string

	progress atomic.Int64 // counts the sends that were acknowledged, of sendOne
}

var caller = testservice.Caller

// setup gives a queue named orders with the given change to its settings.
func setup(t *testing.T, change service.QueueChange) *world {
	t.Helper()
	t.Parallel()
	url := pgtest.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, url: url, queue: "orders"}
	// Waking is by hints alone: the periodic check that makes up for them never comes.
	w.Service = testservice.On(t, url, service.Options{CheckInterval: time.Hour})
	w.other = testservice.On(t, url, service.Options{CheckInterval: time.Hour})
	meet(t, w.Service, w.other)
	w.create(w.queue, change)
	return w
}

// meet returns once each replica has heard of another: until then it may take itself for alone, and tell nobody of its events.
func meet(t *testing.T, replicas ...*service.Service) {
	t.Helper()
	for _, replica := range replicas {
		<-replica.Listening()
		for end := time.Now().Add(long); time.Since(replica.LastHeard()) > 10*time.Second; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("a replica has not heard of the other")
			}
		}
	}
}

func (w *world) create(name string, change service.QueueChange) service.Queue {
	w.t.Helper()
	queue, _, err := w.CreateQueue(w.ctx, caller, service.CreateQueue{Name: name, QueueChange: change})
	if err != nil {
		w.t.Fatalf("create queue %s: %v", name, err)
	}
	return queue
}

// send sends bodies, all in one group if the queue is a FIFO queue, and returns their ids.
func (w *world) send(bodies ...string) []string {
	w.t.Helper()
	messages := make([]service.SendMessage, len(bodies))
	for i, body := range bodies {
		messages[i].Body = body
		if service.IsFIFO(w.queue) {
			messages[i].GroupID, messages[i].DeduplicationID = "a", body
		}
	}
	sent, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: messages})
	if err != nil {
		w.t.Fatalf("send: %v", err)
	}
	ids := make([]string, len(sent))
	for i, s := range sent {
		if s.Err != nil {
			w.t.Fatalf("send %d: %v", i, s.Err)
		}
		ids[i] = s.ID
	}
	return ids
}

// receive receives up to max messages of a queue now.
func (w *world) receive(queue string, max int) []service.Message {
	w.t.Helper()
	return w.receiveFor(queue, service.ReceiveMessages{Max: max, Wait: new(time.Duration(0))})
}

func (w *world) receiveFor(queue string, r service.ReceiveMessages) []service.Message {
	w.t.Helper()
	messages, err := w.ReceiveMessages(w.ctx, caller, queue, r)
	if err != nil {
		w.t.Fatalf("receive from %s: %v", queue, err)
	}
	return messages
}

// one receives exactly one message.
func (w *world) one(queue string) service.Message {
	w.t.Helper()
	messages := w.receive(queue, 1)
	if len(messages) != 1 {
		w.t.Fatalf("received %d messages of %s, want 1", len(messages), queue)
	}
	return messages[0]
}

// delete deletes one message and returns its answer.
func (w *world) delete(queue, receipt string) error {
	w.t.Helper()
	answers, err := w.DeleteMessages(w.ctx, caller, queue, []string{receipt})
	if err != nil {
		w.t.Fatalf("delete: %v", err)
	}
	return answers[0]
}

// extend changes one message's visibility and returns its answer.
func (w *world) extend(receipt string, timeout time.Duration) error {
	w.t.Helper()
	answers, err := w.ExtendMessages(w.ctx, caller, w.queue, []service.ExtendVisibility{{Receipt: receipt, Timeout: timeout}})
	if err != nil {
		w.t.Fatalf("extend: %v", err)
	}
	return answers[0]
}

// wantStats checks a queue's counts as every replica sees them.
func (w *world) wantStats(queue string, want service.Stats) {
	w.t.Helper()
	for _, replica := range []*service.Service{w.Service, w.other} {
		got, err := replica.GetQueueStats(w.ctx, caller, queue)
		if err != nil {
			w.t.Fatalf("count %s: %v", queue, err)
		}
		if got != want {
			w.t.Errorf("%s holds %+v, want %+v", queue, got, want)
		}
	}
}

// wantCode checks that err has a code.
func wantCode(t *testing.T, err error, want service.Code) {
	t.Helper()
	if err == nil || service.ErrorCode(err) != want {
		t.Errorf("got %v, want code %s", err, want)
	}
}
