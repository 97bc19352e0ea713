package lifecycle

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"tusq/service"
)

func TestSendReceiveDelete(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		message := service.SendMessage{
			Body:    "quotes \" ' \\ <&> tab\t CR\r LF\n é 漢 😀 \u007f\uFFFD",
			GroupID: "tenant-1",
			Attributes: map[string]service.Attribute{
				"kind":  {Type: "String.label", Value: "ä\n"},
				"count": {Type: "Number", Value: "-1.5e3"},
				"raw":   {Type: "Binary", Binary: []byte{0, 255, 7}},
			},
		}
		sent := b.send(queue, message)[0]
		b.wantStats(queue, service.Stats{Visible: 1})
		m := b.one(queue)
		want := service.Message{
			ID: sent.ID, Receipt: m.Receipt, Body: message.Body, GroupID: message.GroupID, Attributes: m.Attributes,
			ReceiveCount: 1, SentAt: b.Now(), FirstReceivedAt: b.Now(),
		}
		if !reflect.DeepEqual(m, want) || m.Receipt == "" {
			b.t.Errorf("received %+v, want %+v", m, want)
		}
		if !maps.EqualFunc(m.Attributes, message.Attributes, func(a, b service.Attribute) bool { return reflect.DeepEqual(a, b) }) {
			b.t.Errorf("received the attributes %v, want %v", m.Attributes, message.Attributes)
		}
		b.wantStats(queue, service.Stats{InFlight: 1})
		b.wantTexts(b.receive(queue))
		b.must(b.Delete(queue, m.Receipt)...)
		b.must(b.Delete(queue, m.Receipt)...)
		b.wantCode(service.CodeMessageNotFound, b.Extend(queue, time.Minute, m.Receipt)...)
		b.wantStats(queue, service.Stats{})
	})
}

func TestBatches(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{MaxMessageSize: new(1024)})
		sent := b.Send(queue, "", bodies("a", "b\x01", "c")...)
		b.must(sent[0].Err, sent[2].Err)
		b.wantCode(service.CodeInvalidMessage, sent[1].Err)
		messages := b.receive(queue)
		b.wantTexts(messages, "a", "c")
		if ids := []string{messages[0].ID, messages[1].ID}; !slices.Equal(ids, []string{sent[0].ID, sent[2].ID}) {
			b.t.Errorf("received the ids %v of %v", ids, sent)
		}
		b.must(b.Extend(queue, time.Minute, receipts(messages)...)...)
		b.Travel(59 * time.Second)
		b.wantTexts(b.receive(queue))
		answers := b.Delete(queue, messages[0].Receipt, "garbage", messages[1].Receipt)
		b.must(answers[0], answers[2])
		b.wantCode(service.CodeReceiptInvalid, answers[1])
		b.wantStats(queue, service.Stats{})
	})
}

func TestReceiveTakesTheOldestFirst(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		b.send(queue, bodies("a", "b", "c")...)
		b.Travel(time.Second)
		b.send(queue, bodies("d")...)
		b.wantTexts(b.receiveAs(queue, service.ReceiveMessages{Max: 2}), "a", "b")
		b.wantTexts(b.receive(queue), "c", "d")
	})
}

func TestVisibilityTimeout(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{VisibilityTimeout: new(20 * time.Second)})
		b.send(queue, bodies("job")...)
		first := b.one(queue)
		b.Travel(20*time.Second - time.Microsecond)
		b.wantTexts(b.receive(queue))
		b.Travel(time.Microsecond)
		b.wantStats(queue, service.Stats{Visible: 1})
		again := b.one(queue)
		if again.ID != first.ID || again.Receipt == first.Receipt || again.ReceiveCount != 2 || again.FirstReceivedAt != first.FirstReceivedAt {
			b.t.Errorf("received %+v after %+v", again, first)
		}
		b.wantStale(b.Delete(queue, first.Receipt)[0])
		if err := b.Extend(queue, time.Minute, first.Receipt)[0]; err == nil {
			b.t.Error("a stale receipt extended the visibility")
		}
		b.wantStats(queue, service.Stats{InFlight: 1})
		b.must(b.Delete(queue, again.Receipt)...)
		b.wantStats(queue, service.Stats{})
	})
}

func TestExpiredReceiptHoldsUntilTheNextReceive(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		b.send(queue, bodies("a", "b")...)
		messages := b.receiveAs(queue, service.ReceiveMessages{Max: 10, Visibility: new(time.Duration(0))})
		b.wantTexts(messages, "a", "b")
		b.wantStats(queue, service.Stats{Visible: 2})
		b.must(b.Delete(queue, messages[0].Receipt)...)
		b.must(b.Extend(queue, time.Minute, messages[1].Receipt)...)
		b.wantStats(queue, service.Stats{InFlight: 1})
	})
}

func TestExtend(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		b.send(queue, bodies("job")...)
		m := b.one(queue)
		b.Travel(29 * time.Second)
		b.must(b.Extend(queue, time.Minute, m.Receipt)...)
		b.Travel(time.Minute - time.Microsecond)
		b.wantTexts(b.receive(queue))
		b.must(b.Extend(queue, 0, m.Receipt)...)
		m = b.one(queue)
		if m.ReceiveCount != 2 {
			b.t.Errorf("received %+v", m)
		}
		b.must(b.Extend(queue, 12*time.Hour, m.Receipt)...)
		b.Travel(11 * time.Hour)
		b.wantCode(service.CodeInvalidParameter, b.Extend(queue, 2*time.Hour, m.Receipt)...)
		b.wantStats(queue, service.Stats{InFlight: 1})
		b.must(b.Extend(queue, time.Hour, m.Receipt)...)
		b.must(b.Delete(queue, m.Receipt)...)
	})
}

func TestDelay(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{Delay: new(10 * time.Minute)})
		b.send(queue,
			service.SendMessage{Body: "the queue's"},
			service.SendMessage{Body: "none", Delay: new(time.Duration(0))},
			service.SendMessage{Body: "own", Delay: new(15 * time.Minute)})
		b.wantStats(queue, service.Stats{Visible: 1, Delayed: 2})
		b.wantTexts(b.receiveAs(queue, service.ReceiveMessages{Max: 10, Visibility: new(time.Hour)}), "none")
		b.must(b.UpdateQueue(queue, service.QueueChange{Delay: new(time.Duration(0))}))
		b.Travel(10*time.Minute - time.Microsecond)
		b.wantTexts(b.receive(queue))
		b.Travel(time.Microsecond)
		b.wantTexts(b.receive(queue), "the queue's")
		b.Travel(5 * time.Minute)
		b.wantTexts(b.receive(queue), "the queue's", "own")
	})
}

func TestRetention(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{Retention: new(time.Hour)})
		b.send(queue, bodies("old")...)
		b.Travel(time.Minute)
		b.send(queue, bodies("new")...)
		b.Travel(59 * time.Minute)
		b.wantStats(queue, service.Stats{Visible: 1})
		b.wantTexts(b.receive(queue), "new")
		b.must(b.UpdateQueue(queue, service.QueueChange{Retention: new(time.Minute)}))
		b.Travel(30 * time.Second)
		b.wantTexts(b.receive(queue))
	})
}

func TestPurge(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		b.send(queue, bodies("visible", "in flight")...)
		b.send(queue, service.SendMessage{Body: "delayed", Delay: new(time.Minute)})
		m := b.receiveAs(queue, service.ReceiveMessages{Max: 1})[0]
		b.wantStats(queue, service.Stats{Visible: 1, InFlight: 1, Delayed: 1})
		b.must(b.PurgeQueue(queue))
		b.wantStats(queue, service.Stats{})
		b.must(b.Delete(queue, m.Receipt)...)
		b.Travel(time.Hour)
		b.wantTexts(b.receive(queue))
		b.send(queue, bodies("after")...)
		b.wantTexts(b.receive(queue), "after")
	})
}

func TestIdempotentSends(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		for _, messages := range [][]service.SendMessage{bodies("one"), bodies("a", "b")} {
			key := "key-of-" + messages[0].Body
			first := b.Send(queue, key, messages...)
			b.must(first[0].Err)
			b.must(b.Delete(queue, receipts(b.receive(queue))...)...)
			b.Travel(5*time.Minute - time.Microsecond)
			if again := b.Send(queue, key, messages...); !reflect.DeepEqual(again, first) {
				b.t.Errorf("the repeated send was answered with %v, the first with %v", again, first)
			}
			b.wantStats(queue, service.Stats{})
			b.Travel(time.Microsecond)
			if again := b.Send(queue, key, messages...); again[0].Err != nil || again[0].ID == first[0].ID {
				b.t.Errorf("after five minutes the send was answered with %v, the first with %v", again, first)
			}
			b.wantStats(queue, service.Stats{Visible: int64(len(messages))})
			b.must(b.PurgeQueue(queue))
			b.Travel(time.Minute)
		}
	})
}
