// Package lifecycle tests one set of behaviours over every surface: what the service
// promises, each dialect keeps. Each behaviour has its test, and a model-based test
// (TestModel) compares random actions with a model in memory.
package lifecycle

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tusq/service"
	"tusq/test/testservice"
)

func TestMain(m *testing.M) { testservice.Main(m) }

// bench is one surface under test, with calls that fail the test.
type bench struct {
	surface
	*world
	t *testing.T
}

// onEach runs a test over every surface of one world, one after the other: they share the time.
func onEach(t *testing.T, test func(b *bench)) {
	t.Parallel()
	world := newWorld(t)
	for _, s := range world.Surfaces {
		t.Run(s.Name(), func(t *testing.T) { test(&bench{s, world, t}) })
	}
	t.Run("pooler", func(t *testing.T) {
		for _, s := range world.pooled(t) {
			t.Run(s.Name(), func(t *testing.T) { test(&bench{s, world, t}) })
		}
	})
}

// queue makes a queue and returns its name, which begins with kind.
func (b *bench) queue(kind string, settings service.QueueChange) string {
	b.t.Helper()
	name := kind + "-" + strings.ReplaceAll(b.Name(), " ", "-")
	if base, fifo := strings.CutSuffix(kind, service.FIFOSuffix); fifo {
		name = base + "-" + strings.ReplaceAll(b.Name(), " ", "-") + service.FIFOSuffix
	}
	b.must(b.CreateQueue(name, settings))
	return name
}

func (b *bench) must(errs ...error) {
	b.t.Helper()
	for _, err := range errs {
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

// wantCode fails unless all errors have the code.
func (b *bench) wantCode(code service.Code, errs ...error) {
	b.t.Helper()
	for _, err := range errs {
		if err == nil || service.ErrorCode(err) != code {
			b.t.Errorf("got %v, want %s", err, code)
		}
	}
}

// wantStale fails unless the error is what the surface answers for a deletion by a stale receipt.
func (b *bench) wantStale(err error) {
	b.t.Helper()
	if b.Lenient() {
		b.must(err)
		return
	}
	b.wantCode(service.CodeReceiptStale, err)
}

// send sends messages in one call.
func (b *bench) send(queue string, messages ...service.SendMessage) []service.Sent {
	b.t.Helper()
	sent := b.Send(queue, "", messages...)
	for _, s := range sent {
		b.must(s.Err)
	}
	return sent
}

// bodies are messages with these bodies.
func bodies(texts ...string) []service.SendMessage {
	messages := make([]service.SendMessage, len(texts))
	for i, text := range texts {
		messages[i].Body = text
	}
	return messages
}

// receive receives up to ten messages, without waiting.
func (b *bench) receive(queue string) []service.Message {
	b.t.Helper()
	return b.receiveAs(queue, service.ReceiveMessages{Max: 10})
}

func (b *bench) receiveAs(queue string, receive service.ReceiveMessages) []service.Message {
	b.t.Helper()
	if receive.Wait == nil {
		receive.Wait = new(time.Duration(0))
	}
	messages, err := b.Receive(queue, receive)
	b.must(err)
	return messages
}

// one receives the one message that there is to receive.
func (b *bench) one(queue string) service.Message {
	b.t.Helper()
	messages := b.receive(queue)
	if len(messages) != 1 {
		b.t.Fatalf("received %q, want one message", texts(messages))
	}
	return messages[0]
}

func texts(messages []service.Message) []string {
	bodies := make([]string, len(messages))
	for i, m := range messages {
		bodies[i] = m.Body
	}
	return bodies
}

func receipts(messages []service.Message) []string {
	receipts := make([]string, len(messages))
	for i, m := range messages {
		receipts[i] = m.Receipt
	}
	return receipts
}

// wantTexts fails unless the messages' bodies are these, in their order.
func (b *bench) wantTexts(messages []service.Message, want ...string) {
	b.t.Helper()
	if got := texts(messages); !slices.Equal(got, want) {
		b.t.Fatalf("received %q, want %q", got, want)
	}
}

func (b *bench) wantStats(queue string, want service.Stats) {
	b.t.Helper()
	got, err := b.Stats(queue)
	b.must(err)
	if got != want {
		b.t.Errorf("stats of %s are %+v, want %+v", queue, got, want)
	}
}
