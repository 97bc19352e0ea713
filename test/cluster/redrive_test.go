package cluster

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"tusq/client"
	"tusq/internal/pgtest"
)

// TestRedriveOutlivesItsReplica kills the replica that a redrive was started on without
// warning, twice over: the others end it, and each message is moved once.
func TestRedriveOutlivesItsReplica(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	first := serve(t, freeAddress(t), "--database-url", database)
	second := serve(t, freeAddress(t), "--database-url", database)
	c := newClient(t, first.url())
	const letters = 1000
	bury(t, c, letters)
	rate := 200 // so that some are left for a while after the first ones have been moved
	started, err := c.StartRedrive(t.Context(), "dead", client.StartRedrive{Rate: rate})
	if err != nil {
		t.Fatal(err)
	}
	c = newClient(t, second.url())
	progress := func() client.Redrive {
		redrive, err := c.GetRedrive(t.Context(), started.ID)
		if err != nil {
			t.Fatal(err)
		}
		return redrive
	}
	eventually(t, 10*time.Second, "the redrive moves", func() bool { return progress().Moved > 0 })
	first.signal(syscall.SIGKILL)
	<-first.done
	if killed := progress(); killed.Moved == letters {
		t.Fatal("nothing was left to move after the kill")
	}
	eventually(t, 40*time.Second, "the redrive ends", func() bool { return progress().Status == client.RedriveCompleted })
	if done := progress(); done.Moved != letters {
		t.Errorf("the redrive is %+v", done)
	}
	got := map[string]int{}
	receiveAll(t, c, got)
	for i := range letters {
		if got[fmt.Sprint(i)] != 1 {
			t.Errorf("message %d came back with receive count %d, want 1", i, got[fmt.Sprint(i)])
		}
	}
}

// bury makes the queue demo with the dead-letter queue dead, and n messages in that.
func bury(t *testing.T, c *client.Client, n int) {
	t.Helper()
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "dead"}); err != nil {
		t.Fatal(err)
	}
	settings := client.Settings{VisibilityTimeout: new(0), DeadLetter: &client.DeadLetter{Queue: "dead", MaxReceives: 1}}
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "demo", Settings: settings}); err != nil {
		t.Fatal(err)
	}
	messages := make([]client.SendMessage, n)
	for i := range messages {
		messages[i].Body = fmt.Sprint(i)
	}
	if _, err := c.SendMany(t.Context(), "demo", messages); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Receive(t.Context(), "demo", client.Receive{Max: n}); err != nil {
			t.Fatal(err)
		}
	}
	if stats, err := c.QueueStats(t.Context(), "dead"); err != nil || stats.Visible != int64(n) {
		t.Fatalf("the dead-letter queue holds %+v, %v", stats, err)
	}
	if _, err := c.UpdateQueue(t.Context(), "demo", client.UpdateQueue{Settings: client.Settings{VisibilityTimeout: new(60)}}); err != nil {
		t.Fatal(err)
	}
}
