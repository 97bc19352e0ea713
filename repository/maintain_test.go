package repository

import (
	"testing"
	"time"

	"tusq/service"
)

func TestExpiry(t *testing.T) {
	s := setup(t)
	s.send(3)
	claimed := s.claim(1)
	// Two messages are made older than the queue's retention, one of them in flight;
	// their ids, which carry the time, with them.
	s.execute(`
UPDATE messages
SET sent_at = now() - interval '5 days', id = overlay(id::text placing '00000000' from 1 for 8)::uuid
WHERE id IN (SELECT id FROM messages ORDER BY id LIMIT 2)`)
	s.wantStats(service.Stats{Visible: 1, InFlight: 1})
	if c := s.claim(10); len(c.Messages) != 1 {
		t.Errorf("claimed %d messages, want the one that has not expired", len(c.Messages))
	}
	if n, err := s.DeleteExpired(s.ctx); n != 2 || err != nil {
		t.Errorf("deleted %d expired messages, %v; want 2", n, err)
	}
	if n, err := s.DeleteExpired(s.ctx); n != 0 || err != nil {
		t.Errorf("deleted %d more, %v", n, err)
	}
	s.wantStats(service.Stats{InFlight: 1})
	_ = claimed
}

func TestDeletedQueuesAreCollected(t *testing.T) {
	s := setup(t)
	s.send(3)
	if _, err := s.DeleteQueue(s.ctx, account, "orders"); err != nil {
		t.Fatal(err)
	}
	rows := func(table string) (n int) {
		t.Helper()
		if err := s.cold.QueryRow(s.ctx, `SELECT count(*) FROM `+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n, err := s.CollectDeletedQueues(s.ctx); n != 3 || err != nil || rows("messages") != 0 {
		t.Errorf("collected %d messages, %v", n, err)
	}
	if n, err := s.CollectDeletedQueues(s.ctx); n != 0 || err != nil || rows("queues") != 1 {
		t.Errorf("collected %d, %v: a queue is kept for a minute after its deletion", n, err)
	}
	s.execute(`UPDATE queues SET deleted_at = now() - interval '2 minutes'`)
	if _, err := s.CollectDeletedQueues(s.ctx); err != nil || rows("queues") != 0 || rows("queue_counters") != 0 {
		t.Errorf("%d queues and %d counters are left, %v", rows("queues"), rows("queue_counters"), err)
	}
}

func TestOneReplicaAtATimeMaintains(t *testing.T) {
	s := setup(t)
	tx, err := s.cold.Begin(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(s.ctx)
	if _, err := tx.Exec(s.ctx, `SELECT pg_advisory_xact_lock($1)`, int64(lockExpire)); err != nil {
		t.Fatal(err)
	}
	s.send(1)
	s.execute(`UPDATE queues SET retention = interval '0'`)
	if n, err := s.DeleteExpired(s.ctx); n != 0 || err != nil {
		t.Errorf("deleted %d beside the lock's holder, %v", n, err)
	}
	if err := tx.Rollback(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.execute(`UPDATE messages SET id = overlay(id::text placing '00000000' from 1 for 8)::uuid`)
	if n, err := s.DeleteExpired(s.ctx); n != 1 || err != nil {
		t.Errorf("deleted %d, %v; want 1", n, err)
	}
}

func TestPurgeCountsEveryLane(t *testing.T) {
	s := setup(t)
	s.send(2500)
	s.claim(10)
	if n, err := s.PurgeQueue(s.ctx, s.queue.ID, 0); n != 2500 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
	s.wantStats(service.Stats{})
}

func TestQueuesRoundTrip(t *testing.T) {
	s := setup(t)
	want := service.Queue{
		ID: 42, Account: account, Name: "all_of-it",
		Settings: service.Settings{VisibilityTimeout: 12 * time.Hour, Delay: time.Second, Retention: 14 * 24 * time.Hour,
			ReceiveWait: 20 * time.Second, MaxMessageSize: 1024, DeadLetter: &service.DeadLetter{Queue: "orders", MaxReceives: 3}},
		Extra: map[string]string{"Policy": `{"a": "é\""}`},
		Tags:  map[string]string{"team": "x"},
	}
	got, created, err := s.CreateQueue(s.ctx, want, 0)
	if err != nil || !created {
		t.Fatal(created, err)
	}
	if got.Settings.DeadLetter.QueueID != s.queue.ID || got.Settings.VisibilityTimeout != 12*time.Hour || got.Settings.Retention != 14*24*time.Hour ||
		got.Extra["Policy"] != want.Extra["Policy"] || got.Tags["team"] != "x" || got.CreatedAt.IsZero() {
		t.Errorf("stored %+v", got)
	}
	if again, created, err := s.CreateQueue(s.ctx, service.Queue{ID: 43, Account: account, Name: "all_of-it"}, 0); created || err != nil || again.ID != 42 {
		t.Errorf("created again: %v %v %v", created, err, again.ID)
	}
	filter := service.QueueFilter{Beginnings: []string{""}, Account: account, Prefix: "all_", Limit: 10}
	queues, err := s.ListQueues(s.ctx, filter)
	if err != nil || len(queues) != 1 {
		t.Errorf("listed %v, %v", queues, err)
	}
	s.create("allX")
	if queues, _ := s.ListQueues(s.ctx, filter); len(queues) != 1 {
		t.Error("an underscore in a prefix matched another character")
	}
}
