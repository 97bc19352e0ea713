package lifecycle

import (
	"reflect"
	"testing"
	"time"

	"tusq/service"
)

func TestQueueSettings(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead", service.QueueChange{})
		change := service.QueueChange{
			VisibilityTimeout: new(90 * time.Second),
			Delay:             new(5 * time.Second),
			Retention:         new(24 * time.Hour),
			ReceiveWait:       new(20 * time.Second),
			MaxMessageSize:    new(2048),
			DeadLetter:        &service.DeadLetter{Queue: dead, MaxReceives: 7},
			Tags:              map[string]string{"team": "a b", "empty": ""},
		}
		queue := b.queue("jobs", change)
		b.must(b.CreateQueue(queue, change))
		b.must(b.CreateQueue(queue, service.QueueChange{}))
		b.wantCode(service.CodeQueueExists, b.CreateQueue(queue, service.QueueChange{Delay: new(6 * time.Second)}))
		want := service.Queue{Name: queue, Tags: change.Tags, Settings: service.Settings{
			VisibilityTimeout: 90 * time.Second, Delay: 5 * time.Second, Retention: 24 * time.Hour, ReceiveWait: 20 * time.Second,
			MaxMessageSize: 2048, DeadLetter: change.DeadLetter, Durability: service.DurabilityDefault, Encryption: service.EncryptionNone,
		}}
		b.wantQueue(want)

		b.must(b.UpdateQueue(queue, service.QueueChange{
			Delay: new(time.Duration(0)), DeadLetter: &service.DeadLetter{}, Tags: map[string]string{"team": "c"},
		}))
		want.Settings.Delay, want.Settings.DeadLetter, want.Tags = 0, nil, map[string]string{"team": "c"}
		b.wantQueue(want)
		for _, bad := range []service.QueueChange{
			{VisibilityTimeout: new(12*time.Hour + time.Second)},
			{Retention: new(59 * time.Second)},
			{DeadLetter: &service.DeadLetter{Queue: "nowhere", MaxReceives: 1}},
			{ContentDeduplication: new(true)},
		} {
			b.wantCode(service.CodeInvalidParameter, b.UpdateQueue(queue, bad))
		}
		b.wantQueue(want)
	})
}

func TestFIFOQueueSettings(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs.fifo", service.QueueChange{ContentDeduplication: new(true), DeduplicationScope: new(service.ScopeGroup)})
		want := service.Queue{Name: queue, Settings: service.DefaultSettings()}
		want.Settings.FIFO, want.Settings.ContentDeduplication, want.Settings.DeduplicationScope = true, true, service.ScopeGroup
		b.wantQueue(want)
		b.must(b.UpdateQueue(queue, service.QueueChange{ContentDeduplication: new(false)}))
		want.Settings.ContentDeduplication = false
		b.wantQueue(want)
		standard := b.queue("standard", service.QueueChange{})
		b.wantCode(service.CodeInvalidParameter,
			b.UpdateQueue(queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: standard, MaxReceives: 1}}))
	})
}

// wantQueue fails unless the queue is as want says.
func (b *bench) wantQueue(want service.Queue) {
	b.t.Helper()
	got, err := b.GetQueue(want.Name)
	b.must(err)
	if len(got.Tags) == 0 {
		got.Tags = nil
	}
	if !reflect.DeepEqual(got, want) {
		b.t.Errorf("the queue is %+v, want %+v", got, want)
	}
}

func TestDeletedQueue(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		b.send(queue, bodies("job", "other")...)
		m := b.receiveAs(queue, service.ReceiveMessages{Max: 1})[0]
		b.must(b.DeleteQueue(queue))
		b.wantGone(queue, m.Receipt)
		b.Travel(time.Hour) // a name may have to rest
		b.queue("jobs", service.QueueChange{})
		b.wantStats(queue, service.Stats{})
		b.wantTexts(b.receive(queue))
		b.wantCode(service.CodeReceiptInvalid, b.Delete(queue, m.Receipt)...)
		b.wantCode(service.CodeReceiptInvalid, b.Extend(queue, time.Minute, m.Receipt)...)
		b.must(b.DeleteQueue(queue))
	})
}

// wantGone fails unless every call on a queue says that there is none.
func (b *bench) wantGone(queue, receipt string) {
	b.t.Helper()
	_, getErr := b.GetQueue(queue)
	_, statsErr := b.Stats(queue)
	_, receiveErr := b.Receive(queue, service.ReceiveMessages{Max: 1})
	b.wantCode(service.CodeQueueNotFound, getErr, statsErr, receiveErr,
		b.DeleteQueue(queue), b.PurgeQueue(queue), b.UpdateQueue(queue, service.QueueChange{Delay: new(time.Second)}),
		b.Send(queue, "", bodies("x")...)[0].Err, b.Send(queue, "", bodies("x", "y")...)[1].Err,
		b.Delete(queue, receipt)[0], b.Delete(queue, receipt, receipt)[1], b.Extend(queue, 0, receipt)[0])
}

func TestForeignReceipts(t *testing.T) {
	onEach(t, func(b *bench) {
		queue, other := b.queue("jobs", service.QueueChange{}), b.queue("other", service.QueueChange{})
		b.send(queue, bodies("job")...)
		m := b.one(queue)
		forged := []byte(m.Receipt)
		forged[20] ^= 1
		for _, receipt := range []string{"garbage", "🗝", string(forged)} {
			b.wantCode(service.CodeReceiptInvalid, b.Delete(queue, receipt)...)
			b.wantCode(service.CodeReceiptInvalid, b.Extend(queue, time.Minute, receipt)...)
		}
		b.wantCode(service.CodeReceiptInvalid, b.Delete(other, m.Receipt)...)
		b.wantStats(queue, service.Stats{InFlight: 1})
	})
}

func TestReceiveWaits(t *testing.T) {
	onEach(t, func(b *bench) {
		queue := b.queue("jobs", service.QueueChange{})
		type answer struct {
			messages []service.Message
			err      error
		}
		got := make(chan answer, 1)
		before := b.Waiting()
		go func() {
			messages, err := b.Receive(queue, service.ReceiveMessages{Max: 10, Wait: new(20 * time.Second)})
			got <- answer{messages, err}
		}()
		for b.Waiting() == before && len(got) == 0 { // no signal tells that it sleeps
		}
		b.send(queue, bodies("job")...)
		a := <-got
		b.must(a.err)
		b.wantTexts(a.messages, "job")
	})
}
