package lifecycle

import (
	"runtime"
	"testing"
	"time"

	"tusq/service"
)

func TestDeadLetter(t *testing.T) {
	onEach(t, func(b *bench) {
		last := b.queue("last", service.QueueChange{})
		dead := b.queue("dead", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: last, MaxReceives: 1}})
		queue := b.queue("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 2}})
		b.send(queue, bodies("poison")...)
		sent := b.Now()
		for range 2 {
			b.wantTexts(b.receive(queue), "poison")
			b.Travel(time.Minute)
		}
		b.wantTexts(b.receive(queue))
		b.wantStats(queue, service.Stats{})
		b.wantStats(dead, service.Stats{Visible: 1})
		m := b.one(dead)
		if m.ReceiveCount != 3 || m.DeadLetterSource != queue || m.SentAt != sent || m.FirstReceivedAt != sent {
			b.t.Errorf("the dead-letter queue has %+v", m)
		}
		b.Travel(time.Minute)
		b.wantTexts(b.receive(dead))
		m = b.one(last)
		if m.ReceiveCount != 4 || m.DeadLetterSource != dead {
			b.t.Errorf("the last queue has %+v", m)
		}
		b.must(b.Delete(last, m.Receipt)...)
	})
}

func TestDeadLetterKeepsGoodMessages(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead", service.QueueChange{})
		queue := b.queue("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
		b.send(queue, bodies("poison")...)
		b.wantTexts(b.receive(queue), "poison")
		b.Travel(time.Minute)
		b.send(queue, bodies("good")...)
		b.wantTexts(b.receive(queue), "good")
		b.wantTexts(b.receive(dead), "poison")
		b.wantStats(queue, service.Stats{InFlight: 1})
	})
}

func TestDeadLetterWithoutItsQueue(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead", service.QueueChange{})
		queue := b.queue("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
		b.must(b.DeleteQueue(dead))
		b.send(queue, bodies("job")...)
		for count := range 3 {
			if m := b.one(queue); m.ReceiveCount != count+1 {
				b.t.Errorf("received %+v", m)
			}
			b.Travel(time.Minute)
		}
	})
}

// bury makes messages and has them moved to a dead-letter queue.
func (b *bench) bury(queue, dead string, messages ...service.SendMessage) {
	b.t.Helper()
	b.send(queue, messages...)
	if got := b.receive(queue); len(got) != len(messages) {
		b.t.Fatalf("received %q", texts(got))
	}
	b.Travel(time.Minute)
	b.wantTexts(b.receive(queue))
	b.wantStats(dead, service.Stats{Visible: int64(len(messages))})
}

// wantRedrive waits until the newest redrive has ended, as want says.
func (b *bench) wantRedrive(want service.Redrive) {
	b.t.Helper()
	for {
		got, err := b.LastRedrive(want.Source)
		b.must(err)
		switch {
		case got == want:
			return
		case got.Status != service.RedriveRunning && got.Status != service.RedriveCancelling:
			b.t.Fatalf("the redrive is %+v, want %+v", got, want)
		}
		runtime.Gosched() // no signal tells of its end
	}
}

func TestRedrive(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead", service.QueueChange{})
		_, err := b.StartRedrive(service.StartRedrive{Source: dead})
		b.wantCode(service.CodeNotDeadLetterQueue, err)
		queue := b.queue("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
		_, err = b.StartRedrive(service.StartRedrive{Source: "nowhere"})
		b.wantCode(service.CodeQueueNotFound, err)

		b.bury(queue, dead, bodies("a", "b", "c")...)
		id, err := b.StartRedrive(service.StartRedrive{Source: dead})
		b.must(err)
		if id == "" {
			b.t.Error("the redrive has no id")
		}
		b.wantRedrive(service.Redrive{Source: dead, Status: service.RedriveCompleted, Moved: 3, ToMove: 3})
		b.wantStats(dead, service.Stats{})
		messages := b.receive(queue)
		b.wantTexts(messages, "a", "b", "c")
		for _, m := range messages {
			if m.ReceiveCount != 1 || m.DeadLetterSource != "" || m.SentAt != b.Now() {
				b.t.Errorf("a redriven message is %+v", m)
			}
		}

		b.Travel(time.Minute)
		b.wantTexts(b.receive(queue))
		elsewhere := b.queue("elsewhere", service.QueueChange{})
		_, err = b.StartRedrive(service.StartRedrive{Source: dead, Destination: elsewhere, Rate: 500})
		b.must(err)
		b.wantRedriveTravelling(service.Redrive{Source: dead, Destination: elsewhere, Rate: 500, Status: service.RedriveCompleted, Moved: 3, ToMove: 3})
		b.wantTexts(b.receive(elsewhere), "a", "b", "c")
	})
}

// wantRedriveTravelling is wantRedrive for a rate, which needs time.
func (b *bench) wantRedriveTravelling(want service.Redrive) {
	b.t.Helper()
	for {
		got, err := b.LastRedrive(want.Source)
		b.must(err)
		if got == want {
			return
		}
		if got.Status != service.RedriveRunning {
			b.t.Fatalf("the redrive is %+v, want %+v", got, want)
		}
		b.Travel(time.Millisecond)
	}
}

func TestCancelRedrive(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead", service.QueueChange{})
		queue := b.queue("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
		b.bury(queue, dead, bodies("a", "b", "c", "d", "e")...)
		id, err := b.StartRedrive(service.StartRedrive{Source: dead, Rate: 1}) // and the time stands still
		b.must(err)
		_, err = b.StartRedrive(service.StartRedrive{Source: dead})
		b.wantCode(service.CodeRedriveRunning, err)
		b.must(b.CancelRedrive(id))
		var last service.Redrive
		for last.Status != service.RedriveCancelled {
			last, err = b.LastRedrive(dead)
			b.must(err)
			if last.Status == service.RedriveCompleted || last.Status == service.RedriveFailed {
				b.t.Fatalf("the redrive is %+v", last)
			}
			runtime.Gosched()
		}
		if last.Moved > 1 || last.ToMove != 5 {
			b.t.Errorf("the redrive is %+v", last)
		}
		b.wantStats(dead, service.Stats{Visible: 5 - last.Moved})
		b.wantStats(queue, service.Stats{Visible: last.Moved})
		if err := b.CancelRedrive(id); err == nil {
			b.t.Error("a redrive was cancelled twice")
		}
	})
}

func TestRedriveOfForeignMessagesFails(t *testing.T) {
	onEach(t, func(b *bench) {
		dead := b.queue("dead", service.QueueChange{})
		b.queue("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: dead, MaxReceives: 1}})
		b.send(dead, bodies("sent to the dead-letter queue itself")...)
		_, err := b.StartRedrive(service.StartRedrive{Source: dead})
		b.must(err)
		b.wantRedrive(service.Redrive{Source: dead, Status: service.RedriveFailed, ToMove: 1})
		b.wantStats(dead, service.Stats{Visible: 1})
	})
}
