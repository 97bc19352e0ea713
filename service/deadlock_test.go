package service_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"tusq/service"
)

// settlersCount is how many callers settle at a time, half of them by each replica.
const settlersCount = 8

// TestSettlementsInAnyOrderDoNotDeadlock has callers of two replicas extend and delete the same
// messages, each in an order of its own: rows, and before them groups, are locked in one order.
func TestSettlementsInAnyOrderDoNotDeadlock(t *testing.T) {
	for _, queue := range []string{"orders", "orders.fifo"} {
		t.Run(queue, func(t *testing.T) {
			w := setup(t, service.QueueChange{})
			if w.queue = queue; service.IsFIFO(queue) {
				w.create(queue, service.QueueChange{})
			}
			rounds := 0
			for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) && !t.Failed(); rounds++ {
				w.settleTogether(w.receiveFifty(rounds))
			}
			w.wantStats(queue, service.Stats{})
			counted := w.Conflicts().Deadlocks + w.other.Conflicts().Deadlocks
			if n := w.deadlocks(); n > 0 || counted > 0 {
				t.Errorf("%d deadlocks, of which the replicas counted %d, in %d rounds", n, counted, rounds)
			}
		})
	}
}

// receiveFifty sends fifty messages, each to a group of its own where there are groups, and receives them.
func (w *world) receiveFifty(round int) (receipts []string) {
	w.t.Helper()
	for batch := range 5 {
		send := service.SendMessages{}
		for i := range 10 {
			m := service.SendMessage{Body: fmt.Sprint(round, "/", batch, "/", i)}
			if service.IsFIFO(w.queue) {
				m.GroupID, m.DeduplicationID = fmt.Sprint(batch, "/", i), m.Body
			}
			send.Messages = append(send.Messages, m)
		}
		if _, err := w.SendMessages(w.ctx, caller, w.queue, send); err != nil {
			w.t.Fatalf("send: %v", err)
		}
	}
	for len(receipts) < 50 {
		for _, m := range w.receiveFor(w.queue, service.ReceiveMessages{Max: 10, Wait: new(long)}) {
			receipts = append(receipts, m.Receipt)
		}
	}
	return receipts
}

// settleTogether has all callers extend messages and delete some, and at last delete them all.
func (w *world) settleTogether(receipts []string) {
	var work sync.WaitGroup
	for n := range settlersCount {
		replica := []*service.Service{w.Service, w.other}[n%2]
		work.Go(func() {
			for pass := range 4 {
				own := slices.Clone(receipts)
				rand.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
				for batch := range slices.Chunk(own, 10) {
					w.settleBatch(replica, batch, pass == 3 || rand.IntN(3) == 0)
				}
			}
		})
	}
	work.Wait()
}

// settleBatch deletes or extends messages that others may have deleted.
func (w *world) settleBatch(replica *service.Service, receipts []string, remove bool) {
	var answers []error
	var err error
	if remove {
		answers, err = replica.DeleteMessages(w.ctx, caller, w.queue, receipts)
	} else {
		extends := make([]service.ExtendVisibility, len(receipts))
		for i, receipt := range receipts {
			extends[i] = service.ExtendVisibility{Receipt: receipt, Timeout: time.Duration(60+rand.IntN(60)) * time.Second}
		}
		answers, err = replica.ExtendMessages(w.ctx, caller, w.queue, extends)
	}
	for _, answer := range append(answers, err) {
		if answer == nil {
			continue
		}
		switch service.ErrorCode(answer) {
		case service.CodeMessageNotFound, service.CodeReceiptStale, service.CodeReceiptExpired:
		default:
			w.t.Errorf("settle: %v", answer)
		}
	}
}
