package disk

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tusq/service"
	"tusq/test/fault/replica"
)

var caller = replica.Caller

// queue is the one that the loads use.
const queue = "orders"

// pause is how long a client waits after an error.
const pause = 5 * time.Millisecond

// filler makes bodies as long as usual ones.
var filler = strings.Repeat("x", 500)

// load is clients at work on a replica.
type load struct {
	replica *replica.Replica
	ledger  *ledger
	prefix  string // of the bodies of this load
	cancel  context.CancelFunc
	clients sync.WaitGroup
	errors  sync.Map // service.Code -> *atomic.Int64
	sends   atomic.Int64
	deletes atomic.Int64
}

// startLoad starts senders, and consumers that delete what they receive. It runs until stop.
func startLoad(r *replica.Replica, l *ledger, prefix string, senders, consumers int) *load {
	ctx, cancel := context.WithCancel(context.Background())
	x := &load{replica: r, ledger: l, prefix: prefix, cancel: cancel}
	for n := range senders {
		x.clients.Go(func() { x.sendAll(ctx, n) })
	}
	for range consumers {
		x.clients.Go(func() { x.consumeAll(ctx) })
	}
	return x
}

// await returns when so many sends and deletes have been acknowledged, or after half a minute.
func (x *load) await(ctx context.Context, sends, deletes int64) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for ctx.Err() == nil && (x.sends.Load() < sends || x.deletes.Load() < deletes) {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// stop lets each client end its call, and waits for that: then no call is under way.
func (x *load) stop() {
	x.cancel()
	x.clients.Wait()
}

// code counts the calls that were answered with a code.
func (x *load) code(code service.Code) int64 {
	n, ok := x.errors.Load(code)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

// codes are all of them.
func (x *load) codes() map[service.Code]int64 {
	codes := map[service.Code]int64{}
	x.errors.Range(func(code, n any) bool {
		codes[code.(service.Code)] = n.(*atomic.Int64).Load()
		return true
	})
	return codes
}

// fail counts an error and lets some time pass.
func (x *load) fail(ctx context.Context, err error) {
	n, _ := x.errors.LoadOrStore(service.ErrorCode(err), &atomic.Int64{})
	n.(*atomic.Int64).Add(1)
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// sendAll sends one batch after the other. The calls do not end with the load.
func (x *load) sendAll(ctx context.Context, n int) {
	for i := 0; ctx.Err() == nil; i++ {
		names := make([]string, 1+i%10)
		messages := make([]service.SendMessage, len(names))
		for j := range names {
			names[j] = fmt.Sprintf("%s/%d/%d/%d", x.prefix, n, i, j)
			messages[j].Body = names[j] + " " + filler
		}
		x.ledger.ask(names)
		sent, err := x.replica.SendMessages(context.Background(), caller, queue, service.SendMessages{Messages: messages})
		if err != nil {
			x.fail(ctx, err)
			continue
		}
		for j, s := range sent {
			if s.Err != nil {
				x.fail(ctx, s.Err)
				continue
			}
			x.sends.Add(1)
			x.ledger.change(names[j], func(e *entry) { e.sent = time.Now() })
		}
	}
}

// consumeAll receives and deletes.
func (x *load) consumeAll(ctx context.Context) {
	for ctx.Err() == nil {
		messages, err := x.replica.ReceiveMessages(ctx, caller, queue, service.ReceiveMessages{Max: 10, Wait: new(time.Second)})
		if err != nil {
			x.fail(ctx, err)
			continue
		}
		x.delete(ctx, messages)
	}
}

// delete deletes messages, and does not try again.
func (x *load) delete(ctx context.Context, messages []service.Message) {
	if len(messages) == 0 {
		return
	}
	names, receipts := make([]string, len(messages)), make([]string, len(messages))
	for i, m := range messages {
		names[i], _, _ = strings.Cut(m.Body, " ")
		receipts[i] = m.Receipt
		x.ledger.change(names[i], func(e *entry) { e.maybeDeleted = true })
	}
	answers, err := x.replica.DeleteMessages(context.Background(), caller, queue, receipts)
	if err != nil {
		x.fail(ctx, err)
		return
	}
	for i, answer := range answers {
		if answer != nil {
			x.fail(ctx, answer)
			continue
		}
		x.deletes.Add(1)
		x.ledger.change(names[i], func(e *entry) { e.deleted = time.Now() })
	}
}
