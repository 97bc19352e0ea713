package lifecycle

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"tusq/service"
)

// ordered are messages "group:text" of a FIFO queue, with the text as deduplication id.
func ordered(texts ...string) []service.SendMessage {
	messages := make([]service.SendMessage, len(texts))
	for i, text := range texts {
		group, _, _ := strings.Cut(text, ":")
		messages[i] = service.SendMessage{Body: text, GroupID: group, DeduplicationID: text}
	}
	return messages
}

func TestFIFOOrder(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{})
		sent := b.send(queue, ordered("g1:1", "g2:1", "g1:2", "g1:3")...)
		if sent[0].Sequence <= 0 || sent[2].Sequence <= sent[0].Sequence || sent[3].Sequence <= sent[2].Sequence {
			b.t.Errorf("sent %+v", sent)
		}
		messages := b.receive(queue)
		b.wantTexts(messages, "g1:1", "g1:2", "g1:3", "g2:1")
		for i, place := range []int{0, 2, 3, 1} {
			m := messages[i]
			if m.ID != sent[place].ID || m.Sequence != sent[place].Sequence || m.DeduplicationID != m.Body || m.GroupID != m.Body[:2] {
				b.t.Errorf("received %+v, sent %+v", m, sent[place])
			}
		}
		b.must(b.Delete(queue, receipts(messages)...)...)
		b.wantStats(queue, service.Stats{})
		later := b.send(queue, ordered("g1:4")...)
		if later[0].Sequence <= sent[3].Sequence {
			b.t.Errorf("the sequence went from %d to %d", sent[3].Sequence, later[0].Sequence)
		}
	})
}

func TestFIFOBlocksGroups(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{})
		b.send(queue, ordered("g1:1", "g1:2", "g1:3", "g2:1")...)
		first := b.receiveAs(queue, service.ReceiveMessages{Max: 2})
		b.wantTexts(first, "g1:1", "g1:2")
		b.send(queue, ordered("g1:4")...)
		other := b.receive(queue)
		b.wantTexts(other, "g2:1")
		b.must(b.Delete(queue, first[1].Receipt)...)
		b.wantTexts(b.receive(queue))
		b.must(b.Delete(queue, first[0].Receipt)...)
		b.wantTexts(b.receive(queue), "g1:3", "g1:4")
		b.must(b.Extend(queue, 0, other[0].Receipt)...)
		b.wantTexts(b.receive(queue), "g2:1")
		b.Travel(30 * time.Second)
		b.wantStats(queue, service.Stats{Visible: 3})
	})
}

func TestFIFOPrefix(t *testing.T) {
	for extended, want := range [][]string{{}, {"g:1"}, {"g:1", "g:2"}} {
		t.Run(strings.Join(want, " "), func(t *testing.T) {
			onEach(t, func(b *bench) {
				queue := b.queue("jobs.fifo", service.QueueChange{})
				b.send(queue, ordered("g:1", "g:2", "g:3")...)
				messages := b.receive(queue)
				b.wantTexts(messages, "g:1", "g:2", "g:3")
				b.must(b.Extend(queue, time.Minute, messages[extended].Receipt)...)
				b.Travel(30 * time.Second)
				b.wantTexts(b.receive(queue), want...)
				b.Travel(time.Minute)
				b.wantTexts(b.receive(queue), "g:1", "g:2", "g:3")
			})
		})
	}
}

func TestFIFOReceiptExpires(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{})
		b.send(queue, ordered("g:1")...)
		m := b.one(queue)
		b.Travel(29 * time.Second)
		b.must(b.Extend(queue, time.Minute, m.Receipt)...)
		b.Travel(59 * time.Second)
		b.must(b.Extend(queue, time.Second, m.Receipt)...)
		b.Travel(time.Second)
		b.wantCode(service.CodeReceiptExpired, b.Delete(queue, m.Receipt)...)
		if err := b.Extend(queue, time.Minute, m.Receipt)[0]; err == nil {
			b.t.Error("an expired receipt extended the visibility")
		}
		b.wantStats(queue, service.Stats{Visible: 1})
		b.must(b.Delete(queue, b.one(queue).Receipt)...)
		b.must(b.Delete(queue, m.Receipt)...)
		b.wantStats(queue, service.Stats{})
	})
}

func TestFIFODelay(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{Delay: new(time.Minute)})
		bad := ordered("g:0")[0]
		bad.Delay = new(2 * time.Second)
		b.wantCode(service.CodeInvalidParameter, b.Send(queue, "", bad)[0].Err)
		zero := ordered("g:1")[0]
		zero.Delay = new(time.Duration(0))
		b.send(queue, zero)
		b.wantStats(queue, service.Stats{Delayed: 1})
		b.Travel(30 * time.Second)
		b.must(b.UpdateQueue(queue, service.QueueChange{Delay: new(40 * time.Second)}))
		b.wantTexts(b.receive(queue))
		b.Travel(10 * time.Second)
		b.wantTexts(b.receive(queue), "g:1")
	})
}

// TestFIFODelayThatItHas is no change: what a redrive made visible stays so.
func TestFIFODelayThatItHas(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead.fifo", service.QueueChange{})
		queue := b.queue("jobs.fifo", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
		b.bury(queue, dead, ordered("g:1")...)
		b.must(b.UpdateQueue(queue, service.QueueChange{Delay: new(time.Minute)}))
		_, err := b.StartRedrive(service.StartRedrive{Source: dead})
		b.must(err)
		b.wantRedrive(service.Redrive{Source: dead, Status: service.RedriveCompleted, Moved: 1, ToMove: 1})
		b.must(b.UpdateQueue(queue, service.QueueChange{Delay: new(time.Minute)}))
		b.wantTexts(b.receive(queue), "g:1")
	})
}

func TestFIFODeduplication(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{})
		message := service.SendMessage{Body: "first", GroupID: "g1", DeduplicationID: "id"}
		first := b.send(queue, message)[0]
		message.Body, message.GroupID = "second", "g2"
		again := b.send(queue, message, service.SendMessage{Body: "third", GroupID: "g1", DeduplicationID: "id"})
		if again[0] != first || again[1] != first {
			b.t.Errorf("duplicates were answered with %+v, the first with %+v", again, first)
		}
		m := b.one(queue)
		b.wantTexts([]service.Message{m}, "first")
		b.must(b.Delete(queue, m.Receipt)...)
		b.Travel(5*time.Minute - time.Microsecond)
		if again := b.send(queue, message)[0]; again != first {
			b.t.Errorf("a duplicate of a deleted message was answered with %+v, the first with %+v", again, first)
		}
		b.wantStats(queue, service.Stats{})
		b.Travel(time.Microsecond)
		if again := b.send(queue, message)[0]; again.ID == first.ID {
			b.t.Errorf("after five minutes a message was answered with %+v", again)
		}
		b.must(b.PurgeQueue(queue))
		b.send(queue, message)
		b.wantStats(queue, service.Stats{Visible: 1})
		b.Travel(time.Minute)
	})
}

func TestFIFODeduplicationByGroup(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{DeduplicationScope: new(service.ScopeGroup)})
		first := b.send(queue,
			service.SendMessage{Body: "1", GroupID: "g1", DeduplicationID: "id"},
			service.SendMessage{Body: "2", GroupID: "g2", DeduplicationID: "id"})
		again := b.send(queue, service.SendMessage{Body: "3", GroupID: "g2", DeduplicationID: "id"})[0]
		if again != first[1] || first[0].ID == first[1].ID {
			b.t.Errorf("a duplicate was answered with %+v, the first with %+v", again, first)
		}
		b.wantStats(queue, service.Stats{Visible: 2})
	})
}

func TestFIFODeduplicationByContent(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{ContentDeduplication: new(true)})
		first := b.send(queue, service.SendMessage{Body: "text", GroupID: "g1"})[0]
		sum := sha256.Sum256([]byte("text"))
		id := hex.EncodeToString(sum[:])
		same := b.send(queue, service.SendMessage{Body: "text", GroupID: "g2"}, service.SendMessage{Body: "other", GroupID: "g1", DeduplicationID: id})
		if same[0] != first || same[1] != first {
			b.t.Errorf("duplicates were answered with %+v, the first with %+v", same, first)
		}
		b.send(queue, service.SendMessage{Body: "text", GroupID: "g1", DeduplicationID: "own"})
		messages := b.receive(queue)
		b.wantTexts(messages, "text", "text")
		if messages[0].DeduplicationID != id || messages[1].DeduplicationID != "own" {
			b.t.Errorf("received %+v", messages)
		}
	})
}

func TestFIFONeedsIDs(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{})
		b.wantCode(service.CodeMissingParameter, b.Send(queue, "", service.SendMessage{Body: "x", DeduplicationID: "id"})[0].Err)
		if err := b.Send(queue, "", service.SendMessage{Body: "x", GroupID: "g"})[0].Err; err == nil {
			b.t.Error("a message without deduplication id was sent")
		}
		standard := b.queue("jobs", service.QueueChange{})
		b.wantCode(service.CodeInvalidParameter, b.Send(standard, "", service.SendMessage{Body: "x", DeduplicationID: "id"})[0].Err)
		b.wantStats(queue, service.Stats{})
		b.wantStats(standard, service.Stats{})
	})
}

func TestFIFOAttempts(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{})
		b.send(queue, ordered("g1:1", "g1:2", "g2:1")...)
		attempt := service.ReceiveMessages{Max: 2, AttemptID: "attempt"}
		first := b.receiveAs(queue, attempt)
		b.wantTexts(first, "g1:1", "g1:2")
		b.Travel(20 * time.Second)
		if again := b.receiveAs(queue, attempt); !reflect.DeepEqual(again, first) {
			b.t.Errorf("the repeated receive got %+v, the first %+v", again, first)
		}
		b.Travel(20 * time.Second)
		b.wantStats(queue, service.Stats{Visible: 1, InFlight: 2})
		b.wantTexts(b.receiveAs(queue, service.ReceiveMessages{Max: 2, AttemptID: "other"}), "g2:1")
		b.must(b.Delete(queue, first[0].Receipt)...)
		_, err := b.Receive(queue, attempt)
		b.wantCode(service.CodeAttemptVoid, err)
		b.wantStats(queue, service.Stats{InFlight: 2})
	})
}

func TestFIFODeadLetter(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead.fifo", service.QueueChange{})
		queue := b.queue("jobs.fifo", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
		b.send(queue, ordered("g:poison", "g:2")...)
		sent := b.Now()
		b.wantTexts(b.receiveAs(queue, service.ReceiveMessages{Max: 1}), "g:poison")
		b.wantTexts(b.receive(queue))
		b.Travel(30 * time.Second)
		b.wantTexts(b.receive(queue), "g:2")
		b.wantStats(queue, service.Stats{InFlight: 1})
		m := b.one(dead)
		if m.Body != "g:poison" || m.GroupID != "g" || m.ReceiveCount != 2 || m.DeadLetterSource != queue ||
			m.DeduplicationID != m.ID || m.SentAt != b.Now() || m.FirstReceivedAt != sent || m.Sequence == 0 {
			b.t.Errorf("the dead-letter queue has %+v", m)
		}
		b.must(b.Extend(dead, 0, m.Receipt)...)
		_, err := b.StartRedrive(service.StartRedrive{Source: dead})
		b.must(err)
		b.wantRedrive(service.Redrive{Source: dead, Status: service.RedriveCompleted, Moved: 1, ToMove: 1})
		b.Travel(30 * time.Second)
		b.wantTexts(b.receive(queue), "g:poison")
	})
}
