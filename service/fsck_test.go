package service_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"tusq/repository"
	"tusq/service"
)

// TestCheckBesideALoad: while two replicas send, receive, settle, bury, redrive, purge and delete
// queues, a check finds no fault.
func TestCheckBesideALoad(t *testing.T) {
	w := setup(t, service.QueueChange{})
	for _, suffix := range []string{"", ".fifo"} {
		w.create("dead"+suffix, service.QueueChange{})
		w.create("jobs"+suffix, service.QueueChange{
			VisibilityTimeout: new(time.Duration(0)), DeadLetter: &service.DeadLetter{Queue: "dead" + suffix, MaxReceives: 2},
		})
	}
	until := time.Now().Add(4 * time.Second)
	var load sync.WaitGroup
	for n, replica := range []*service.Service{w.Service, w.other, w.Service, w.other} {
		for _, suffix := range []string{"", ".fifo"} {
			load.Go(func() {
				for i := 0; time.Now().Before(until); i++ {
					w.disturb(replica, suffix, fmt.Sprint(n, "-", i))
				}
			})
		}
	}
	checker, err := repository.OpenChecker(w.ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer checker.Close()
	checks, queues := 0, 0
	for time.Now().Before(until) || checks == 0 {
		queues, err = checker.Check(w.ctx, func(f repository.Finding) {
			if !f.IsNote() {
				t.Errorf("check %d found %+v", checks, f)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		checks++
	}
	load.Wait()
	t.Logf("%d checks, at last of %d queues", checks, queues)
}

// disturb does one thing of all that a queue's users do. Errors are theirs: only the state counts.
func (w *world) disturb(replica *service.Service, suffix, body string) {
	queue := "jobs" + suffix
	switch rand.IntN(12) {
	case 0:
		_, _ = replica.StartRedrive(w.ctx, caller, service.StartRedrive{Source: "dead" + suffix})
	case 1:
		if rand.IntN(10) == 0 {
			_, _ = replica.PurgeQueue(w.ctx, caller, service.PurgeQueue{Name: queue})
		}
	case 2:
		name := "brief-" + body + suffix
		_, _, _ = replica.CreateQueue(w.ctx, caller, service.CreateQueue{Name: name})
		w.sendSome(replica, name, body)
		_ = replica.DeleteQueue(w.ctx, caller, name)
	case 3, 4, 5, 6:
		w.sendSome(replica, queue, body)
	default:
		got, _ := replica.ReceiveMessages(w.ctx, caller, queue, service.ReceiveMessages{Max: 5, Wait: new(time.Duration(0)), Visibility: new(time.Minute)})
		for i, m := range got {
			switch i % 3 {
			case 0:
				_, _ = replica.DeleteMessages(w.ctx, caller, queue, []string{m.Receipt})
			case 1:
				_, _ = replica.ExtendMessages(w.ctx, caller, queue, []service.ExtendVisibility{{Receipt: m.Receipt}})
			default:
				_ = replica.ReleaseMessages(w.ctx, caller, queue, []service.Message{m})
			}
		}
	}
}

func (w *world) sendSome(replica *service.Service, queue, body string) {
	messages := make([]service.SendMessage, 1+rand.IntN(4))
	for i := range messages {
		messages[i].Body = body
		if service.IsFIFO(queue) { // some are duplicates
			messages[i].GroupID, messages[i].DeduplicationID = fmt.Sprint("g", rand.IntN(5)), fmt.Sprint(body, "-", rand.IntN(3))
		} else if i == 3 {
			messages[i].Delay = new(time.Minute)
		}
	}
	_, _ = replica.SendMessages(w.ctx, caller, queue, service.SendMessages{Messages: messages})
}
