package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// witness is a database that notes at which level each transaction changes messages.
type witness struct {
	t    *testing.T
	ctx  context.Context
	conn *pgx.Conn
}

const witnessSQL = `
CREATE TABLE seen (queue_id bigint, change text, level text, transaction bigint);
CREATE FUNCTION note_level() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen VALUES (coalesce(NEW.queue_id, OLD.queue_id), TG_OP, current_setting('synchronous_commit'), txid_current());
	RETURN NULL;
END $$;
CREATE TRIGGER note_level AFTER INSERT OR UPDATE OR DELETE ON messages FOR EACH ROW EXECUTE FUNCTION note_level()`

// durableWorld is a replica on a database, with a witness.
func durableWorld(t *testing.T, url string) (*world, *witness) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	see := &witness{t: t, ctx: ctx, conn: conn}
	see.execute(witnessSQL)
	w := &world{t: t, ctx: ctx, url: url}
	w.Service = testservice.On(t, url, service.Options{})
	<-w.Listening()
	return w, see
}

func (s *witness) execute(sql string) {
	s.t.Helper()
	if _, err := s.conn.Exec(s.ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

// nameStandbys sets what the server waits for, and waits until it has heard of it.
func (s *witness) nameStandbys(names string) {
	s.t.Helper()
	s.execute(fmt.Sprintf(`ALTER SYSTEM SET synchronous_standby_names = '%s'`, names))
	s.execute(`SELECT pg_reload_conf()`)
	for now := ""; ; {
		if err := s.conn.QueryRow(s.ctx, `SHOW synchronous_standby_names`).Scan(&now); err != nil {
			s.t.Fatal(err)
		}
		if now == names {
			return
		}
	}
}

// awaitStandbys returns once commits wait for standbys that do not come. The checkpointer decides on that, and it may
// hear of their names later than a session does.
func (s *witness) awaitStandbys() {
	s.t.Helper()
	probe, err := pgx.ConnectConfig(s.ctx, s.conn.Config())
	if err != nil {
		s.t.Fatal(err)
	}
	defer probe.Close(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := probe.Exec(s.ctx, `SET synchronous_commit = on`)
		for err == nil {
			_, err = probe.Exec(s.ctx, `SELECT pg_logical_emit_message(true, 'probe', '')`)
		}
		ended <- err
	}()
	for waits := false; !waits; {
		err := s.conn.QueryRow(s.ctx, `
SELECT pg_terminate_backend(pid, 20000)
FROM pg_stat_activity
WHERE pid = $1 AND wait_event = 'SyncRep'`, probe.PgConn().PID()).Scan(&waits)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			s.t.Fatal(err)
		}
	}
	<-ended
}

// levels are the different levels of the changes of one kind in a queue.
func (s *witness) levels(queue service.Queue, change string) []string {
	s.t.Helper()
	rows, _ := s.conn.Query(s.ctx, `SELECT DISTINCT level FROM seen WHERE queue_id = $1 AND change = $2 ORDER BY level`, queue.ID, change)
	levels, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatal(err)
	}
	return levels
}

// settings are PostgreSQL's names of the levels, on a server whose own is off.
var settings = map[service.Durability]string{
	service.DurabilityDefault: "off", service.DurabilityAsync: "off", service.DurabilityLocal: "local",
	service.DurabilityQuorum: "on", service.DurabilityApplied: "remote_apply",
}

// pretended are the settings of a server that can name standbys and waits for none.
var pretended = map[string]string{"max_wal_senders": "0", "synchronous_commit": "off"}

func TestDurabilityIsThatOfTheTransaction(t *testing.T) {
	t.Parallel()
	w, see := durableWorld(t, pgtest.Server(t, pretended))
	see.nameStandbys("*")
	for _, suffix := range []string{"", ".fifo"} {
		for _, level := range append(slices.Clone(service.Durabilities), service.DurabilityDefault) {
			w.queue = "orders-" + string(level) + suffix
			queue := w.create(w.queue, service.QueueChange{Durability: &level})
			w.send("a", "b")
			m := w.receive(w.queue, 1)[0]
			if err := w.extend(m.Receipt, time.Minute); err != nil {
				t.Errorf("extend: %v", err)
			}
			if err := w.delete(w.queue, m.Receipt); err != nil {
				t.Errorf("delete: %v", err)
			}
			for _, change := range []string{"INSERT", "UPDATE", "DELETE"} {
				if got := see.levels(queue, change); !slices.Equal(got, []string{settings[level]}) {
					t.Errorf("%s in %s was committed at %q, want %s", change, w.queue, got, settings[level])
				}
			}
		}
	}
}

func TestDurabilityRules(t *testing.T) {
	w := setup(t, service.QueueChange{})
	if got := w.create("fresh", service.QueueChange{}).Settings.Durability; got != service.DurabilityDefault {
		t.Errorf("a new queue's durability is %q", got)
	}
	for level, code := range map[service.Durability]service.Code{
		"":                        service.CodeInvalidParameter,
		"fsync":                   service.CodeInvalidParameter,
		service.DurabilityQuorum:  service.CodeStandbyRequired,
		service.DurabilityApplied: service.CodeStandbyRequired,
	} {
		_, _, err := w.CreateQueue(w.ctx, caller, service.CreateQueue{Name: "other", QueueChange: service.QueueChange{Durability: &level}})
		wantCode(t, err, code)
		_, err = w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{Durability: &level, Delay: new(time.Second)})
		wantCode(t, err, code)
		if service.ErrorField(err) != "durability" {
			t.Errorf("the error %v is about %q", err, service.ErrorField(err))
		}
	}
	if _, err := w.GetQueue(w.ctx, caller, "other"); service.ErrorCode(err) != service.CodeQueueNotFound {
		t.Errorf("a queue that was refused: %v", err)
	}
	for _, level := range []service.Durability{service.DurabilityAsync, service.DurabilityLocal, service.DurabilityDefault} {
		queue, err := w.UpdateQueue(w.ctx, caller, w.queue, service.QueueChange{Durability: &level})
		if err != nil || queue.Settings.Durability != level || queue.Settings.Delay != 0 {
			t.Errorf("after the change to %s: %+v, %v", level, queue.Settings, err)
		}
	}
	create := service.CreateQueue{Name: w.queue, QueueChange: service.QueueChange{Durability: new(service.DurabilityAsync)}}
	_, _, err := w.CreateQueue(w.ctx, caller, create)
	wantCode(t, err, service.CodeQueueExists)
}

// TestCreateAgainWithoutAStandby creates a queue that is there as it was made when there was one.
func TestCreateAgainWithoutAStandby(t *testing.T) {
	t.Parallel()
	w, see := durableWorld(t, pgtest.Server(t, pretended))
	see.nameStandbys("*")
	create := func(name string) error {
		_, _, err := w.CreateQueue(w.ctx, caller, service.CreateQueue{Name: name, QueueChange: service.QueueChange{Durability: new(service.DurabilityQuorum)}})
		return err
	}
	if err := create("orders"); err != nil {
		t.Fatal(err)
	}
	see.nameStandbys("")
	for n := 0; service.ErrorCode(create(fmt.Sprint("fresh-", n))) != service.CodeStandbyRequired; n++ {
		time.Sleep(100 * time.Millisecond)
	}
	if err := create("orders"); err != nil {
		t.Errorf("creating it again: %v", err)
	}
}

// TestLevelsMixInOneBurst sends to queues of all levels at a time: each message lands once, at its
// queue's level, and no transaction has two.
func TestLevelsMixInOneBurst(t *testing.T) {
	t.Parallel()
	w, see := durableWorld(t, pgtest.Server(t, pretended))
	see.nameStandbys("*")
	const senders, each = 4, 50
	var burst sync.WaitGroup
	queues := map[string]service.Queue{}
	for _, level := range service.Durabilities {
		for _, name := range []string{"a-" + string(level), "b-" + string(level)} {
			queues[name] = w.create(name, service.QueueChange{Durability: &level})
			for n := range senders {
				burst.Go(func() {
					for i := range each {
						send := service.SendMessages{Messages: []service.SendMessage{{Body: fmt.Sprint(n, "/", i)}}}
						if _, err := w.SendMessages(w.ctx, caller, name, send); err != nil {
							t.Errorf("send to %s: %v", name, err)
						}
					}
				})
			}
		}
	}
	burst.Wait()
	for name, queue := range queues {
		if got := see.levels(queue, "INSERT"); !slices.Equal(got, []string{settings[queue.Settings.Durability]}) {
			t.Errorf("the messages of %s were stored at %q", name, got)
		}
		bodies := map[string]bool{}
		for _, m := range w.receive(name, 1000) {
			bodies[m.Body] = true
		}
		stats, err := w.GetQueueStats(w.ctx, caller, name)
		if err != nil || len(bodies) != senders*each || stats != (service.Stats{InFlight: senders * each}) {
			t.Errorf("%s: %d different messages, %+v, %v; want %d", name, len(bodies), stats, err, senders*each)
		}
	}
	var mixed, merged int
	err := see.conn.QueryRow(w.ctx, `
SELECT count(*) FILTER (WHERE levels > 1), count(*) FILTER (WHERE messages > 1)
FROM (SELECT count(DISTINCT level) AS levels, count(*) AS messages FROM seen GROUP BY transaction) AS transactions`).Scan(&mixed, &merged)
	if err != nil || mixed > 0 || merged == 0 {
		t.Errorf("%d transactions had more than one level, %d more than one message, %v; want 0 and some", mixed, merged, err)
	}
}

// TestSendsAreRefusedWhileNoStandbyIsNamed: what cannot be as durable as promised is not taken;
// what the queue has is still served.
func TestSendsAreRefusedWhileNoStandbyIsNamed(t *testing.T) {
	t.Parallel()
	w, see := durableWorld(t, pgtest.Server(t, pretended))
	see.nameStandbys("*")
	w.queue = "orders"
	for _, level := range []service.Durability{service.DurabilityQuorum, service.DurabilityApplied} {
		w.create(w.queue+"-"+string(level), service.QueueChange{Durability: &level})
	}
	w.queue = "orders-quorum"
	w.send("a", "b")
	m := w.one(w.queue)
	see.nameStandbys("")
	var both sync.WaitGroup // in one flush, if it comes so
	both.Go(func() {
		if err := w.delete(w.queue, m.Receipt); err != nil {
			t.Errorf("delete: %v", err)
		}
	})
	for _, queue := range []string{"orders-quorum", "orders-applied"} {
		for range 2 { // found by the flush, and then known before
			send := service.SendMessages{Messages: []service.SendMessage{{Body: "c"}, {Body: "d"}}}
			_, err := w.SendMessages(w.ctx, caller, queue, send)
			wantCode(t, err, service.CodeStandbyMissing)
		}
	}
	both.Wait()
	w.one("orders-quorum")
	if stats, err := w.GetQueueStats(w.ctx, caller, w.queue); err != nil || stats != (service.Stats{InFlight: 1}) {
		t.Errorf("the queue holds %+v, %v", stats, err)
	}
	see.nameStandbys("*")
	for { // until it is looked again
		sent, err := w.SendMessages(w.ctx, caller, w.queue, service.SendMessages{Messages: []service.SendMessage{{Body: "e"}}})
		if err == nil && sent[0].Err == nil {
			break
		}
		if w.ctx.Err() != nil {
			t.Fatalf("with a standby again: %v", err)
		}
	}
}

// TestLevelsDoNotHoldEachOtherUp: while sends of one level wait for a standby that does not
// come, those of others are stored at once. Those that waited are never acknowledged.
func TestLevelsDoNotHoldEachOtherUp(t *testing.T) {
	t.Parallel()
	w, see := durableWorld(t, pgtest.Server(t, map[string]string{"synchronous_commit": "local"}))
	see.nameStandbys("nobody")
	see.awaitStandbys()
	w.create("replicated", service.QueueChange{Durability: new(service.DurabilityQuorum)})
	var senders sync.WaitGroup
	for range 8 { // more than its loops
		senders.Go(func() {
			_, err := w.SendMessages(w.ctx, caller, "replicated", service.SendMessages{Messages: []service.SendMessage{{Body: "a"}}})
			if code := service.ErrorCode(err); err == nil || code != service.CodeUnavailable && code != service.CodeStandbyMissing {
				t.Errorf("a send that no standby has: %v", err)
			}
		})
	}
	for blocked := 0; blocked < 1; { // a flush waits in its commit
		err := see.conn.QueryRow(w.ctx, `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`).Scan(&blocked)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, level := range []service.Durability{service.DurabilityDefault, service.DurabilityLocal, service.DurabilityAsync} {
		w.queue = "orders-" + string(level)
		w.create(w.queue, service.QueueChange{Durability: &level})
		for range 20 {
			w.send("a")
		}
	}
	see.nameStandbys("") // PostgreSQL lets go of what waits; that is no acknowledgement
	senders.Wait()
}
