package service_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// TestKilledBackends ends PostgreSQL's backends under load, again and again. Every
// acknowledged message is received, none twice, and the counts are exact at the end.
func TestKilledBackends(t *testing.T) {
	straight := func(_ *testing.T, url string) string { return url }
	t.Run("standard", func(t *testing.T) { testKilledBackends(t, "orders", false, straight) })
	t.Run("standard with keys", func(t *testing.T) { testKilledBackends(t, "orders", true, straight) })
	t.Run("FIFO", func(t *testing.T) { testKilledBackends(t, "orders.fifo", true, straight) })
	pooled := func(t *testing.T, url string) string { return pgtest.Pooled(t, url) }
	t.Run("pooler", func(t *testing.T) { testKilledBackends(t, "orders", true, pooled) })
	t.Run("FIFO by way of a pooler", func(t *testing.T) { testKilledBackends(t, "orders.fifo", true, pooled) })
}

// testKilledBackends does so on one kind of queue, by one way to the database. Sends with keys
// are repeated until their outcome is known.
func testKilledBackends(t *testing.T, queue string, keys bool, by func(*testing.T, string) string) {
	t.Parallel()
	url := pgtest.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w := &world{t: t, ctx: ctx, queue: queue}
	w.Service, w.other = testservice.On(t, by(t, url), service.Options{}), testservice.On(t, by(t, url), service.Options{})
	w.create(w.queue, service.QueueChange{})

	killing, stopKilling := context.WithCancel(ctx)
	var killed atomic.Int64
	killer := make(chan struct{})
	go func() {
		defer close(killer)
		w.killBackends(killing, url, &killed)
	}()
	end := time.Now().Add(3 * time.Second)
	sends := w.sendWhile(func() bool {
		return time.Now().Before(end) || ctx.Err() == nil && (killed.Load() == 0 || w.progress.Load() == 0)
	}, keys)
	received := w.receiveWhile(sends)
	stopKilling()
	<-killer
	received.drain(w)

	acknowledged, unknown := 0, 0
	sends.outcomes.Range(func(body, acked any) bool {
		times := received.bodies[body.(string)]
		if acked.(bool) {
			acknowledged++
		} else {
			unknown++
		}
		if times > 1 || acked.(bool) && times == 0 {
			t.Errorf("message %s, acknowledged %v, was received %d times", body, acked, times)
		}
		return true
	})
	n := killed.Load()
	t.Logf("%d backends killed; %d messages acknowledged, %d with an unknown outcome, %d received", n, acknowledged, unknown, len(received.bodies))
	if n == 0 || acknowledged == 0 || keys && unknown > 0 {
		t.Errorf("%d backends killed, %d messages acknowledged: nothing was tested", n, acknowledged)
	}
	for _, replica := range []*service.Service{w.Service, w.other} {
		if stats, err := replica.GetQueueStats(ctx, caller, w.queue); err != nil || stats != (service.Stats{}) {
			t.Errorf("left: %+v, %v", stats, err)
		}
	}
}

// killBackends ends the flushes' backends every few milliseconds, but not before something was
// acknowledged since the last time, and counts them.
func (w *world) killBackends(ctx context.Context, url string, killed *atomic.Int64) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	for before := int64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := w.progress.Load()
		if now == before {
			continue
		}
		before = now
		var ended int64
		err := conn.QueryRow(ctx, `
SELECT count(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'tusq flush %'`).Scan(&ended)
		if err != nil && ctx.Err() == nil {
			w.t.Error(err)
			return
		}
		killed.Add(ended)
	}
}

// sending is senders at work, and each body's outcome: whether it was acknowledged.
type sending struct {
	outcomes sync.Map
	done     chan struct{}
}

func (w *world) sendWhile(going func() bool, keys bool) *sending {
	s := &sending{done: make(chan struct{})}
	var senders sync.WaitGroup
	for n := range 8 {
		senders.Go(func() {
			for i := 0; going(); i++ {
				s.outcomes.Store(fmt.Sprint(n, "/", i), w.sendOne(n, i, keys))
			}
		})
	}
	go func() {
		senders.Wait()
		close(s.done)
	}()
	return s
}

// sendOne sends the message i of sender n through the replicas in turn, and tells whether
// it was acknowledged.
func (w *world) sendOne(n, i int, keys bool) bool {
	message := service.SendMessage{Body: fmt.Sprint(n, "/", i)}
	if service.IsFIFO(w.queue) {
		message.GroupID, message.DeduplicationID = fmt.Sprint("sender", n), message.Body
	}
	send := service.SendMessages{Messages: []service.SendMessage{message}}
	if keys {
		send.Key = service.CallKey{ID: message.Body}
	}
	for attempt := i; ; attempt++ {
		sent, err := []*service.Service{w.Service, w.other}[attempt%2].SendMessages(w.ctx, caller, w.queue, send)
		if err == nil {
			w.progress.Add(1)
			return sent[0].Err == nil
		}
		if service.ErrorCode(err) != service.CodeUnavailable {
			w.t.Errorf("send: %v", err)
		}
		if !keys || w.ctx.Err() != nil {
			return false
		}
	}
}

// receiving is what consumers have received, and how often.
type receiving struct {
	mu     sync.Mutex
	bodies map[string]int
	last   map[string]int // of each group of a FIFO queue, the number of the message received last
}

// note notes a message, and that a group's messages come in order.
func (r *receiving) note(t *testing.T, m service.Message) {
	r.bodies[m.Body]++
	if m.Sequence == 0 {
		return
	}
	_, number, _ := strings.Cut(m.Body, "/")
	n, err := strconv.Atoi(number)
	if last, ok := r.last[m.GroupID]; err != nil || ok && n <= last {
		t.Errorf("%s came after %d, %v", m.Body, last, err)
	}
	r.last[m.GroupID] = n
}

// receiveWhile receives on both replicas until the senders have ended.
func (w *world) receiveWhile(s *sending) *receiving {
	r := &receiving{bodies: map[string]int{}, last: map[string]int{}}
	var consumers sync.WaitGroup
	for n := range 4 {
		replica := []*service.Service{w.Service, w.other}[n%2]
		consumers.Go(func() {
			for {
				select {
				case <-s.done:
					return
				default:
					r.receive(w, replica)
				}
			}
		})
	}
	consumers.Wait()
	return r
}

// receive receives and deletes once. A delete with an unknown outcome is repeated.
func (r *receiving) receive(w *world, replica *service.Service) int {
	messages, err := replica.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 10, Wait: new(time.Second)})
	if err != nil && service.ErrorCode(err) != service.CodeUnavailable {
		w.t.Errorf("receive: %v", err)
	}
	if len(messages) == 0 {
		return 0
	}
	receipts := make([]string, len(messages))
	r.mu.Lock()
	for i, m := range messages {
		r.note(w.t, m)
		receipts[i] = m.Receipt
	}
	r.mu.Unlock()
	for {
		answers, err := replica.DeleteMessages(w.ctx, caller, w.queue, receipts)
		if service.ErrorCode(err) == service.CodeUnavailable && err != nil {
			continue
		}
		for _, answer := range answers {
			if answer != nil {
				w.t.Errorf("delete: %v", answer)
			}
		}
		if err != nil {
			w.t.Errorf("delete: %v", err)
		}
		return len(messages)
	}
}

// drain receives what is left.
func (r *receiving) drain(w *world) {
	for r.receive(w, w.Service) > 0 {
	}
}
