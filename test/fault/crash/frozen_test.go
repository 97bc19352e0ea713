package crash

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"tusq/client"
)

// Bounds of what a frozen replica may do to the others.
const (
	// heldFor: a flush's time, until the job that ends what is frozen runs, and room for a busy machine.
	heldFor = 10*time.Second + time.Second + 8*time.Second
	// heldUp is for calls that come after a flush that waits for the lock: it tries three times, for 3 seconds each.
	heldUp = 9*time.Second + 8*time.Second
	// atOnce is for a call that waits for no lock: one that does takes 10 seconds.
	atOnce = 8 * time.Second
	// thawed is until the replica that was frozen serves again.
	thawed = 10 * time.Second
)

// TestFrozenReplica is held by SIGSTOP in the middle of a delete's transaction. Another replica settles the same message when the
// transaction has been ended, and all others meanwhile.
func TestFrozenReplica(t *testing.T) {
	t.Parallel()
	a := newWorld(t, "")
	b := newServer(t, a.url, "1s")
	queue, elsewhere := a.newQueue("", nil), a.newQueue("", nil)
	a.fill(queue, "", "held", "free")
	messages := map[string]string{} // receipts by body
	a.eventually("both are received", func() bool {
		got, err := a.receive(t.Context(), queue)
		for _, m := range got {
			messages[m.Body] = m.Receipt
		}
		return err == nil && len(messages) == 2
	})
	a.arm("repository.commit.before=pause:5s")
	answer := make(chan error, 1)
	patient, err := client.New("http://"+a.address, client.WithRetry(0), client.WithHTTPClient(&http.Client{Timeout: time.Minute}))
	if err != nil {
		t.Fatal(err)
	}
	go func() { answer <- patient.Delete(t.Context(), queue, messages["held"]) }()
	a.awaitPassed("repository.commit.before", nil)
	a.signal(syscall.SIGSTOP)
	frozen := time.Now()

	if err := b.client.Delete(t.Context(), queue, messages["free"]); err != nil || time.Since(frozen) > atOnce {
		t.Errorf("the delete of another message: %v after %v", err, time.Since(frozen))
	}
	stop := b.keepSending(elsewhere)
	for err = errors.New("not tried"); err != nil && time.Since(frozen) < 2*heldFor; {
		err = b.client.Delete(t.Context(), queue, messages["held"])
	}
	held := time.Since(frozen)
	longest, failed := stop()
	if err != nil || held > heldFor {
		t.Errorf("the message that the frozen replica holds was deleted after %v, %v", held, err)
	}
	if failed != nil || longest > heldUp {
		t.Errorf("sends to another queue took up to %v; one failed: %v", longest, failed)
	}

	a.signal(syscall.SIGCONT)
	woken := time.Now()
	a.eventually("the replica serves again", func() bool {
		_, err := a.client.Send(t.Context(), elsewhere, client.SendMessage{Body: "thawed"})
		return err == nil
	})
	served := time.Since(woken)
	var refused *client.Error
	if err = <-answer; err != nil && (!errors.As(err, &refused) || refused.Status < 500) {
		t.Errorf("the frozen replica's delete was answered by %v", err)
	}
	if took := time.Since(woken); took > thawed {
		t.Errorf("the frozen replica's delete was answered %v after it went on", took)
	}
	if err := a.client.Delete(t.Context(), queue, messages["held"]); err != nil {
		t.Errorf("the delete, again: %v", err)
	}
	a.holds(queue)
	a.sound()
	t.Logf("deleted after %v; sends took %v at most; it served %v after it went on, and answered its delete by: %v", held, longest, served, err)
}

func (w *world) signal(signal syscall.Signal) {
	w.t.Helper()
	if err := w.server.Process.Signal(signal); err != nil {
		w.t.Fatal(err)
	}
}

// keepSending sends one message after the other; stop returns how long the longest took, and what went wrong. A send that is in
// one flush with what waits may be refused.
func (w *world) keepSending(queue string) (stop func() (longest time.Duration, failed error)) {
	ctx, cancel := context.WithCancel(w.t.Context())
	sender, err := client.New("http://"+w.address, client.WithRetry(0))
	if err != nil {
		w.t.Fatal(err)
	}
	var longest time.Duration
	var failed error
	var sending sync.WaitGroup
	sending.Go(func() {
		for ctx.Err() == nil && failed == nil {
			began := time.Now()
			_, err := sender.Send(context.WithoutCancel(ctx), queue, client.SendMessage{Body: "load"})
			if refused := new(client.Error); err != nil && (!errors.As(err, &refused) || !refused.Temporary()) {
				failed = err
			}
			longest = max(longest, time.Since(began))
			time.Sleep(10 * time.Millisecond) // leaves the processor to others
		}
	})
	return func() (time.Duration, error) {
		cancel()
		sending.Wait()
		return longest, failed
	}
}
