package service_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/repository"
	"tusq/service"
	"tusq/test/testservice"
)

// faulty is the real store with a connection that fails around the commits of its choice.
type faulty struct {
	*repository.Repository
	faults  atomic.Int32 // flushes that fail from now on
	commits bool         // whether those are committed all the same
	err     error        // what they fail with
	burials bool         // only flushes that move dead letters fail
	between func()       // what happens between such a commit and the next attempt; nil: nothing

	hold     <-chan struct{} // until it is closed, flushes that settle wait; nil: they do not
	unread   error           // what reads of a queue end with; nil: they succeed
	repeated error           // what repeated receives end with, although they are committed; nil: nothing
	away     atomic.Int32    // revocations that fail from now on
	failure  error           // what they fail with; nil: with nothing that tells when to try again
	check    time.Duration   // how often it is looked for what hints have missed; 0: as usual
	flushes  atomic.Int32    // so far
	claims   atomic.Int32    // claim statements so far
	handoffs atomic.Int32    // messages that were to be stored already claimed
	handed   func()          // what happens after the commit of messages that are handed to a receiver; nil: nothing
}

func (f *faulty) Flush(ctx context.Context, work []service.QueueWork, executed func()) error {
	return f.fail(ctx, work, executed, f.Repository.Flush)
}

func (f *faulty) Reflush(ctx context.Context, work []service.QueueWork, executed func()) error {
	return f.fail(ctx, work, executed, f.Repository.Reflush)
}

func (f *faulty) Revoke(ctx context.Context, work []service.QueueWork, flushErr error) error {
	if f.away.Add(-1) >= 0 {
		if f.failure != nil {
			return f.failure
		}
		return fmt.Errorf("injected: the database is away")
	}
	return f.Repository.Revoke(ctx, work, flushErr)
}

func (f *faulty) GetQueue(ctx context.Context, account, name string) (service.Queue, error) {
	queue, err := f.Repository.GetQueue(ctx, account, name)
	return queue, cmp.Or(f.unread, err)
}

func (f *faulty) RepeatReceive(ctx context.Context, queueID int64, attempt service.Key, visibility time.Duration) ([]service.Claimed, error) {
	claimed, err := f.Repository.RepeatReceive(ctx, queueID, attempt, visibility)
	return claimed, cmp.Or(err, f.repeated)
}

func (f *faulty) fail(ctx context.Context, work []service.QueueWork, executed func(),
	flush func(context.Context, []service.QueueWork, func()) error) error {
	f.flushes.Add(1)
	if f.hold != nil && slices.ContainsFunc(work, func(w service.QueueWork) bool { return len(w.Extends) > 0 }) {
		<-f.hold
	}
	for _, w := range work {
		f.claims.Add(int32(len(w.Claims)))
		for _, h := range w.Handoffs {
			f.handoffs.Add(int32(h.Max))
		}
	}
	spared := f.burials && !slices.ContainsFunc(work, func(w service.QueueWork) bool { return len(w.Burials) > 0 })
	if spared || f.faults.Add(-1) < 0 {
		err := flush(ctx, work, executed)
		if f.handed != nil && slices.ContainsFunc(work, func(w service.QueueWork) bool { return len(w.Sends) > 0 && len(w.Handoffs)+len(w.Claims) > 0 }) {
			f.handed()
		}
		return err
	}
	if f.commits {
		if err := flush(ctx, work, executed); err != nil {
			return err
		}
		if f.between != nil {
			f.between()
		}
	}
	return fmt.Errorf("injected: %w", f.err)
}

// TestFlushesWithAnUnknownOutcome sends, receives, extends and deletes while one or two
// commits in a row are lost, really or only in appearance. The callers notice nothing,
// and everything has happened once.
func TestFlushesWithAnUnknownOutcome(t *testing.T) {
	for _, f := range []*faulty{
		{commits: true, err: service.ErrOutcomeUnknown},
		{commits: false, err: service.ErrOutcomeUnknown},
		{commits: false, err: service.ErrConflict},
		{commits: false, err: service.ErrAway},
	} {
		for faults := range int32(3) {
			for _, queue := range []string{"orders", "orders.fifo"} {
				t.Run(fmt.Sprintf("%s: %v, committed %v, %d times", queue, f.err, f.commits, faults), func(t *testing.T) {
					t.Parallel()
					w := setupFaulty(t, queue, &faulty{commits: f.commits, err: f.err})
					w.testLifeCycle(func() { w.store.faults.Store(faults) })
				})
			}
		}
	}
}

// TestFailoverIsOutlasted loses commits whose flushes can be revoked only when the database is
// back, and has it away a while longer. Callers wait, and everything has happened once.
func TestFailoverIsOutlasted(t *testing.T) {
	for _, queue := range []string{"orders", "orders.fifo"} {
		w := setupFaulty(t, queue, &faulty{commits: true, err: service.ErrOutcomeUnknown, failure: service.ErrAway})
		w.testLifeCycle(func() {
			w.store.faults.Store(1)
			w.store.away.Store(3)
		})
	}
}

// testLifeCycle calls lose before each call.
func (w *world) testLifeCycle(lose func()) {
	lose()
	ids := w.send("a", "b", "c")
	w.wantStats(w.queue, service.Stats{Visible: 3})
	lose()
	got := w.receive(w.queue, 10)
	if len(got) != 3 || !slices.ContainsFunc(got, func(m service.Message) bool { return m.ID == ids[0] }) {
		w.t.Fatalf("received %+v", got)
	}
	for _, m := range got {
		if m.ReceiveCount != 1 {
			w.t.Errorf("receive count %d, want 1", m.ReceiveCount)
		}
	}
	w.wantStats(w.queue, service.Stats{InFlight: 3})
	last := got[2]
	lose()
	if err := w.extend(last.Receipt, 0); err != nil {
		w.t.Errorf("extend: %v", err)
	}
	w.wantStats(w.queue, service.Stats{Visible: 1, InFlight: 2})
	lose()
	for _, m := range got[:2] {
		if err := w.delete(w.queue, m.Receipt); err != nil {
			w.t.Errorf("delete: %v", err)
		}
	}
	lose()
	if again := w.one(w.queue); again.ID != last.ID || again.ReceiveCount != 2 {
		w.t.Errorf("received %+v, want %s again", again, last.ID)
	}
	w.wantStats(w.queue, service.Stats{InFlight: 1})
}

// TestRepeatedSendKnowsThatItsMessageWasDeleted lets another replica receive and delete a
// message between the lost commit of its send and the repetition.
func TestRepeatedSendKnowsThatItsMessageWasDeleted(t *testing.T) {
	for _, queue := range []string{"orders", "orders.fifo"} {
		w := setupFaulty(t, queue, &faulty{commits: true, err: service.ErrOutcomeUnknown})
		other := &world{Service: testservice.On(t, w.url, service.Options{}), t: t, ctx: w.ctx, queue: w.queue}
		w.store.between = func() {
			if err := other.delete(w.queue, other.one(w.queue).Receipt); err != nil {
				t.Error(err)
			}
		}
		w.store.faults.Store(1)
		w.send("job")
		w.wantStats(w.queue, service.Stats{})
	}
}

// TestLostExtensionIsNotRefused lets another replica receive a message, and delete it, between the lost commit of its release and the
// repetition, which finds that the receipt has ended. A refusal would say that nothing was released.
func TestLostExtensionIsNotRefused(t *testing.T) {
	for _, queue := range []string{"orders", "orders.fifo"} {
		for _, deletes := range []bool{false, true} {
			w := setupFaulty(t, queue, &faulty{commits: true, err: service.ErrOutcomeUnknown})
			other := &world{Service: testservice.On(t, w.url, service.Options{}), t: t, ctx: w.ctx, queue: w.queue}
			w.send("job")
			receipt := w.one(w.queue).Receipt
			w.store.between = func() {
				got := other.one(w.queue)
				if !deletes {
					return
				}
				if err := other.delete(w.queue, got.Receipt); err != nil {
					t.Error(err)
				}
			}
			w.store.faults.Store(1)
			_, err := w.ExtendMessages(w.ctx, caller, w.queue, []service.ExtendVisibility{{Receipt: receipt}})
			wantCode(t, err, service.CodeUnavailable)
			wantRefused := service.CodeReceiptExpired // without a fault
			switch {
			case deletes:
				wantRefused = service.CodeMessageNotFound
			case queue == "orders":
				wantRefused = service.CodeReceiptStale
			}
			wantCode(t, w.extend(receipt, 0), wantRefused)
		}
	}
}

// TestFailedBurialDeliversNothing receives a message for the last time that it may be, and once more while the flush that moves it to the
// dead-letter queue fails. It is neither delivered nor held back: the next receive moves it.
func TestFailedBurialDeliversNothing(t *testing.T) {
	w := setupFaulty(t, "orders.fifo", &faulty{burials: true, err: errors.New("canceling statement due to user request")})
	w.create("dead.fifo", service.QueueChange{})
	_, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead.fifo", MaxReceives: 1}})
	if err != nil {
		t.Fatal(err)
	}
	w.send("job")
	if err := w.extend(w.one(w.queue).Receipt, 0); err != nil {
		t.Fatal(err)
	}
	w.store.faults.Store(1)
	got, err := w.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 1})
	if err == nil || len(got) > 0 {
		t.Errorf("received %+v, %v", got, err)
	}
	if w.store.faults.Load() != 0 {
		t.Error("no burial failed")
	}
	tick := time.NewTicker(10 * time.Millisecond) // its release is under way
	defer tick.Stop()
	for dead := []service.Message(nil); len(dead) == 0; <-tick.C {
		if got := w.receive(w.queue, 1); len(got) > 0 {
			t.Fatalf("received %+v", got)
		}
		dead = w.receive("dead.fifo", 1)
	}
}

// TestUnknownOutcomeIsTold gives up after some attempts, and says so. What was claimed
// is not left locked.
func TestUnknownOutcomeIsTold(t *testing.T) {
	w := setupFaulty(t, "orders", &faulty{commits: true, err: service.ErrOutcomeUnknown})
	w.send("a")
	w.store.faults.Store(100)
	_, err := w.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 1})
	wantCode(t, err, service.CodeUnavailable)
	_, err = w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "b"}}})
	wantCode(t, err, service.CodeUnavailable)
	w.store.faults.Store(0)
	w.wantStats(w.queue, service.Stats{Visible: 2})
}

// TestBurialThatFailsForLongDeliversNothing: a message that was received as often as its queue
// allows is not delivered once more because the attempts of its move are used up.
func TestBurialThatFailsForLongDeliversNothing(t *testing.T) {
	for _, err := range []error{service.ErrConflict, service.ErrOutcomeUnknown} {
		w := setupFaulty(t, "orders.fifo", &faulty{burials: true, err: err})
		w.create("dead.fifo", service.QueueChange{})
		policy := service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead.fifo", MaxReceives: 1}}
		if _, err := w.UpdateQueue(w.ctx, caller, w.queue, policy); err != nil {
			t.Fatal(err)
		}
		w.send("job")
		if got := w.receiveFor(w.queue, service.ReceiveMessages{Max: 1, Visibility: new(time.Duration(0))}); len(got) != 1 {
			t.Fatalf("received %+v", got)
		}
		w.store.faults.Store(100)
		got, err := w.ReceiveMessages(w.ctx, caller, w.queue, service.ReceiveMessages{Max: 1})
		wantCode(t, err, service.CodeUnavailable)
		if len(got) > 0 {
			t.Errorf("received %+v", got)
		}
		w.store.faults.Store(0)
		if got := w.receive(w.queue, 1); len(got) > 0 {
			t.Errorf("received %+v", got)
		}
		w.wantStats(w.queue, service.Stats{})
		w.wantStats("dead.fifo", service.Stats{Visible: 1})
	}
}

type faultyWorld struct {
	*world
	store *faulty
}

func setupFaulty(t *testing.T, queue string, store *faulty) *faultyWorld {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	var err error
	url := pgtest.New(t)
	store.Repository, err = repository.Open(ctx, repository.Options{URL: url, Replica: t.Name(), HotConnections: 1, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := service.New(ctx, store, service.Options{CheckInterval: store.check, Logger: log, Permits: readers})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the service ended with %v", err)
		}
		store.Close()
	})
	<-svc.Listening() // before that, all receivers are woken
	w := &world{Service: svc, other: svc, t: t, ctx: ctx, url: url, queue: queue}
	w.create(w.queue, service.QueueChange{})
	return &faultyWorld{world: w, store: store}
}

// TestRepeatedReceiveWithoutAnAnswerIsReleased repeats an attempt whose answer is lost after the commit: nobody has the messages.
func TestRepeatedReceiveWithoutAnAnswerIsReleased(t *testing.T) {
	store := &faulty{}
	w := setupFaulty(t, "orders.fifo", store)
	w.send("a")
	attempt := service.ReceiveMessages{Max: 1, Wait: new(time.Duration(0)), AttemptID: "try", Visibility: new(time.Hour)}
	w.receiveFor(w.queue, attempt)
	store.repeated = context.Canceled
	if _, err := w.ReceiveMessages(w.ctx, caller, w.queue, attempt); err == nil {
		t.Fatal("the repetition succeeded")
	}
	store.repeated = nil
	w.one(w.queue)
}
