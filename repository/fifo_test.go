package repository

import (
	"fmt"
	"testing"
	"time"

	"tusq/service"
)

// fillFIFO puts n messages into a FIFO queue, each group getting perGroup of them.
func (s *store) fillFIFO(queueID int64, n, perGroup int) {
	s.t.Helper()
	s.execute(`
INSERT INTO messages (queue_id, id, visible_at, sent_at, body, group_id, seq, deduplication_id)
SELECT $1, gen_random_uuid(), tusq_now() - interval '1 second', tusq_now(), repeat('x', 256), 'g' || n / $3, n, n::text
FROM generate_series(1, $2::int) n`, queueID, n, perGroup)
	s.execute(`
INSERT INTO message_groups (queue_id, group_id, ready_at, last_seq)
SELECT $1, group_id, min(visible_at) + max(seq) * interval '1 microsecond' - interval '1 minute', max(seq)
FROM messages
WHERE queue_id = $1
GROUP BY group_id`, queueID)
}

// TestFIFOCostDoesNotDependOnTheBacklog compares the pages that a FIFO queue's statements
// touch behind few and many messages, in one group and in many, with plans that were made
// when all was empty and when it was full.
func TestFIFOCostDoesNotDependOnTheBacklog(t *testing.T) {
	s := setup(t)
	s.execute("VACUUM ANALYZE")
	id := []service.MessageID{outgoing(1)[0].ID}
	few, one, many := s.create("few.fifo").ID, s.create("one.fifo").ID, s.create("many.fifo").ID
	s.fillFIFO(few, 100, 10)
	s.fillFIFO(one, 20_000, 20_000)
	s.fillFIFO(many, 20_000, 1)
	group := []string{"g1"}
	for _, statistics := range []string{"of empty tables", "of full tables"} {
		for name, run := range map[string]func(queue int64) plan{
			"claim": func(q int64) plan {
				return s.explain(claimFIFOSQL, q, 10, 10, time.Minute.Microseconds(), int64(1), time.Hour.Microseconds(), maxClaimBytes, false, 0)
			},
			"look":    func(q int64) plan { return s.explain(lookFIFOSQL, q) },
			"lock":    func(q int64) plan { return s.explain(lockGroupsSQL, q, group, []int64{0}) },
			"keys":    func(q int64) plan { return s.explain(takeKeysSQL, q, id, id, group, []int64{1}, "NULL", "NULL") },
			"refresh": func(q int64) plan { return s.explain(refreshGroupsSQL, q, group) },
			"bury":    func(q int64) plan { return s.explain(buryFIFOSQL, q, few, 0, id, []int64{1}, []int64{1}, group) },
		} {
			before := run(few)
			for kind, queue := range map[string]int64{"one group": one, "many groups": many} {
				after := run(queue)
				t.Logf("pages touched by %s with statistics %s: %d behind few messages, %d behind many in %s",
					name, statistics, before.Hit+before.Read, after.Hit+after.Read, kind)
				if after.Hit+after.Read > 3*(before.Hit+before.Read)+50 {
					t.Errorf("%s touches too many pages in %s", name, kind)
				}
			}
		}
		s.execute("VACUUM ANALYZE")
	}
}

// travel makes the time of all statements later.
func (s *store) travel(by time.Duration) {
	s.t.Helper()
	s.execute(fmt.Sprintf(`
CREATE OR REPLACE FUNCTION tusq_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT now() + interval '%d microseconds' $$`, by.Microseconds()))
}

// TestExpiredMessagesBlockNoGroup lets a group's first message expire in flight, and then
// both of it, before and after they are deleted.
func TestExpiredMessagesBlockNoGroup(t *testing.T) {
	s := setup(t)
	s.queue = s.create("orders.fifo")
	send := func(n int) {
		messages := outgoing(n)
		for _, m := range messages {
			m.GroupID, m.Key = "a", service.Key(m.ID)
		}
		s.flush(service.QueueWork{FIFO: true, Sends: messages})
	}
	claim := func() int {
		c := &service.Claim{Max: 10, PerCaller: 10, Visibility: 12 * time.Hour, Retention: service.DefaultRetention, Lease: time.Now().UnixNano()}
		s.flush(service.QueueWork{FIFO: true, Claims: []*service.Claim{c}})
		return len(c.Messages)
	}
	send(1)
	s.travel(service.DefaultRetention - time.Hour)
	if claim() != 1 {
		t.Fatal("nothing claimed")
	}
	send(1)
	if claim() != 0 {
		t.Error("the group was not blocked")
	}
	s.travel(service.DefaultRetention + time.Hour)
	if n, err := s.DeleteExpired(s.ctx); n != 1 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	if claim() != 1 {
		t.Error("an expired message blocks its group")
	}
	s.travel(3 * service.DefaultRetention)
	if n, err := s.DeleteExpired(s.ctx); n != 1 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	if claim() != 0 {
		t.Error("an expired message was claimed")
	}
	var groups int
	if err := s.cold.QueryRow(s.ctx, `SELECT count(*) FROM message_groups`).Scan(&groups); groups != 0 || err != nil {
		t.Errorf("%d groups are left, %v", groups, err)
	}
}

func TestKeysAreForgottenInTime(t *testing.T) {
	s := setup(t)
	first, second := outgoing(1), outgoing(1)
	call := service.SendCall{Key: service.Key{1}, Owner: first[0].ID}
	again := service.SendCall{Key: service.Key{1}, Owner: second[0].ID}
	first[0].Call, second[0].Call = &call, &again
	s.flush(service.QueueWork{Sends: first, Calls: []*service.SendCall{&call}})
	s.travel(service.DeduplicationInterval - time.Second)
	s.flush(service.QueueWork{Sends: second, Calls: []*service.SendCall{&again}})
	if again.FirstOwner != call.Owner {
		t.Error("the key was forgotten too early")
	}
	if n, err := s.ForgetKeys(s.ctx); n != 0 || err != nil {
		t.Errorf("forgot %d keys, %v", n, err)
	}
	s.travel(service.DeduplicationInterval + time.Second)
	s.flush(service.QueueWork{Sends: second, Calls: []*service.SendCall{&again}})
	if again.FirstOwner != again.Owner {
		t.Error("the key was kept too long")
	}
	s.travel(3 * service.DeduplicationInterval)
	if n, err := s.ForgetKeys(s.ctx); n != 1 || err != nil {
		t.Errorf("forgot %d keys, %v", n, err)
	}
	s.wantStats(service.Stats{Visible: 2})
}

// TestRevokedClaimsFreeTheirGroups revokes a claim of two groups.
func TestRevokedClaimsFreeTheirGroups(t *testing.T) {
	s := setup(t)
	s.queue = s.create("orders.fifo")
	messages := outgoing(4)
	for i, m := range messages {
		m.GroupID, m.Key = fmt.Sprint(i%2), service.Key(m.ID)
	}
	s.flush(service.QueueWork{FIFO: true, Sends: messages})
	for range 2 {
		c := &service.Claim{Max: 10, PerCaller: 10, Visibility: time.Minute, Retention: time.Hour, Lease: time.Now().UnixNano()}
		s.flush(service.QueueWork{FIFO: true, Claims: []*service.Claim{c}})
		if len(c.Messages) != 4 || c.Messages[0].Message.ReceiveCount != 1 {
			t.Fatalf("claimed %+v", c.Messages)
		}
		work := []service.QueueWork{{QueueID: s.queue.ID, FIFO: true, Claims: []*service.Claim{c}}}
		if err := s.Revoke(s.ctx, work, service.ErrOutcomeUnknown); err != nil {
			t.Fatal(err)
		}
		s.wantStats(service.Stats{Visible: 4})
	}
}

// TestGroupsOutliveAShorterRetention claims with a retention for which all has expired.
func TestGroupsOutliveAShorterRetention(t *testing.T) {
	s := setup(t)
	s.queue = s.create("orders.fifo")
	m := outgoing(1)
	m[0].GroupID, m[0].Key = "a", service.Key(m[0].ID)
	s.flush(service.QueueWork{FIFO: true, Sends: m})
	claim := func(retention time.Duration) int {
		c := &service.Claim{Max: 1, PerCaller: 1, Visibility: time.Minute, Retention: retention, Lease: time.Now().UnixNano()}
		s.flush(service.QueueWork{FIFO: true, Claims: []*service.Claim{c}})
		return len(c.Messages)
	}
	s.travel(time.Hour)
	if claim(time.Minute) != 0 {
		t.Error("an expired message was claimed")
	}
	s.travel(time.Hour + 2*time.Second)
	if claim(2*time.Hour) != 1 {
		t.Error("the group was forgotten")
	}
}

// TestRedriveOfABusyGroupGoesOn lets a consumer take the group that a step waits for.
func TestRedriveOfABusyGroupGoesOn(t *testing.T) {
	s := setup(t)
	target := s.create("orders.fifo")
	s.queue = s.create("dead.fifo")
	s.fillFIFO(s.queue.ID, 3, 3)
	start := service.StartRedrive{Source: "dead.fifo", Destination: "orders.fifo"}
	started, err := s.StartRedrive(s.ctx, account, start, s.queue, target)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := s.cold.Begin(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`SELECT 1 FROM message_groups WHERE queue_id = $1 FOR UPDATE`,
		`UPDATE messages SET returned = true, visible_at = tusq_now() + interval '1 minute' WHERE queue_id = $1`,
		`UPDATE message_groups SET ready_at = tusq_now() + interval '1 minute' WHERE queue_id = $1`,
	} {
		if _, err := consumer.Exec(s.ctx, sql, s.queue.ID); err != nil {
			t.Fatal(err)
		}
	}
	stepped := make(chan error)
	go func() {
		_, _, err := s.StepRedrives(s.ctx)
		stepped <- err
	}()
	s.waitForLock()
	if err := consumer.Commit(s.ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-stepped; err != nil {
		t.Fatal(err)
	}
	if now, err := s.GetRedrive(s.ctx, account, started.ID); err != nil || now.Status != service.RedriveRunning || now.Moved != 0 {
		t.Errorf("the redrive is %+v, %v", now, err)
	}
}

// waitForLock returns when a statement waits for another's lock.
func (s *store) waitForLock() {
	s.t.Helper()
	for s.waitingForLocks() == 0 {
	}
}

// waitingForLocks is how many statements wait for others' locks.
func (s *store) waitingForLocks() (n int) {
	s.t.Helper()
	err := s.cold.QueryRow(s.ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
