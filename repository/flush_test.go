package repository

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// TestRepeatedSendStoresTheRest repeats a send of which another flush in the same lane has
// overwritten the id.
func TestRepeatedSendStoresTheRest(t *testing.T) {
	s := setup(t)
	messages := s.send(3)
	work := []service.QueueWork{{QueueID: s.queue.ID, FlushID: 7, Sends: append(messages, outgoing(1)...)}}
	if err := s.Reflush(s.ctx, work, nil); err != nil || work[0].Gone {
		t.Errorf("repeat: %v, gone %v", err, work[0].Gone)
	}
	s.wantStats(service.Stats{Visible: 4})
}

func TestDeletedQueueTakesNothing(t *testing.T) {
	s := setup(t)
	s.send(1)
	if _, err := s.DeleteQueue(s.ctx, account, "orders"); err != nil {
		t.Fatal(err)
	}
	c := claim(1)
	if w := s.flush(service.QueueWork{Sends: outgoing(1), Claims: []*service.Claim{c}}); !w.Gone || len(c.Messages) > 0 {
		t.Errorf("sent: %v, received: %d", !w.Gone, len(c.Messages))
	}
}

func TestClaimSeesWhatIsSentBesideIt(t *testing.T) {
	s := setup(t)
	c := claim(2)
	s.flush(service.QueueWork{Sends: outgoing(2), Claims: []*service.Claim{c}})
	if len(c.Messages) != 2 || c.Messages[0].Message.Body != "0" || c.Messages[1].Lease != c.Lease+1 {
		t.Errorf("claimed %+v", c.Messages)
	}
}

func TestClaimIsBoundedInBytes(t *testing.T) {
	s := setup(t)
	body := strings.Repeat("x", 1<<20)
	for range 3 {
		messages := outgoing(8)
		for _, m := range messages {
			m.Body = body
		}
		s.flush(service.QueueWork{Sends: messages})
	}
	c := s.claim(100)
	if len(c.Messages) != maxClaimBytes>>20 || !c.More {
		t.Errorf("claimed %d messages of 1 MiB, more: %v", len(c.Messages), c.More)
	}
	if c := s.claim(100); len(c.Messages) != 8 {
		t.Errorf("the second claim got %d messages, want the other 8", len(c.Messages))
	}
}

func TestRevokedClaimsNeverHappened(t *testing.T) {
	s := setup(t)
	s.send(3)
	kept := s.claim(1)
	lost := s.claim(2)
	work := []service.QueueWork{{QueueID: s.queue.ID, Claims: []*service.Claim{lost}}}
	if err := s.Revoke(s.ctx, work, service.ErrOutcomeUnknown); err != nil {
		t.Fatal(err)
	}
	s.wantStats(service.Stats{Visible: 2, InFlight: 1})
	for _, m := range s.claim(3).Messages {
		if m.Message.ReceiveCount != 1 || m.ID == kept.Messages[0].ID {
			t.Errorf("after the revocation: %+v", m.Message)
		}
	}
}

func TestOneBadItemIsToldFromTheConnection(t *testing.T) {
	s := setup(t)
	s.execute(`ALTER TABLE messages ADD CHECK (body <> 'poison')`)
	bad := outgoing(2)
	bad[1].Body = "poison"
	err := s.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Sends: bad}}, nil)
	if !errors.Is(err, service.ErrData) {
		t.Errorf("got %v, want ErrData", err)
	}
	s.wantStats(service.Stats{})
}

// TestKilledBackend ends the flush's connection from the other side.
func TestKilledBackend(t *testing.T) {
	s := setup(t)
	s.send(1) // there is a hot connection now
	for range 5 {
		s.execute(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`)
		messages := outgoing(1)
		err := s.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Sends: messages}}, nil)
		for err != nil {
			if !errors.Is(err, service.ErrOutcomeUnknown) && service.ErrorCode(err) != service.CodeUnavailable {
				t.Fatalf("flush on a killed connection: %v", err)
			}
			err = s.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Sends: messages}}, nil)
		}
	}
	s.wantStats(service.Stats{Visible: 6})
}

func TestLook(t *testing.T) {
	s := setup(t)
	if w := s.flush(service.QueueWork{Look: true}); w.HasNext {
		t.Errorf("an empty queue has a next message in %v", w.Next)
	}
	messages := outgoing(2)
	messages[0].Delay, messages[1].Delay = time.Hour, time.Minute
	w := s.flush(service.QueueWork{Sends: messages, Look: true})
	if !w.HasNext || w.Next != time.Minute {
		t.Errorf("the next message is visible in %v, %v; want a minute", w.Next, w.HasNext)
	}
}

func TestPayloadsRoundTrip(t *testing.T) {
	events := []service.Event{{Identity: true}}
	for i := 1; i < 1000; i++ {
		events = append(events, service.Event{QueueID: int64(i) << 50, Changed: i%2 == 0, Visible: i, After: time.Duration(i) * time.Millisecond})
	}
	var got []service.Event
	all := payloads("me", events)
	for _, p := range all {
		if len(p) > maxPayload {
			t.Errorf("a payload of %d bytes", len(p))
		}
		sender, some := decodePayload(p)
		if sender != "me" {
			t.Errorf("sender %q", sender)
		}
		for _, e := range some {
			if age := time.Since(e.Since); age > time.Minute {
				t.Errorf("an event that just began is %v old", age)
			}
			e.Since = time.Time{}
			got = append(got, e)
		}
	}
	if !slices.Equal(got, events) || len(all) < 2 {
		t.Errorf("%d events became %d in %d payloads", len(events), len(got), len(all))
	}
	old := service.Event{QueueID: 1, Visible: 1, Since: time.Now().Add(-time.Hour)}
	if _, some := decodePayload(payloads("me", []service.Event{old})[0]); time.Since(some[0].Since) < time.Hour {
		t.Errorf("an event's transaction began %v ago, want an hour", time.Since(some[0].Since))
	}
	if _, some := decodePayload("you garbage 1,2 7,1,x,0 9,0,1,0,new"); len(some) != 1 || some[0].QueueID != 9 {
		t.Errorf("understood %+v", some)
	}
}

// TestExpiredFreshMessagesKeepNoPlaces gives no place to those that came back while
// fresh ones wait; what has expired does not wait.
func TestExpiredFreshMessagesKeepNoPlaces(t *testing.T) {
	s := setup(t)
	s.send(1)
	back := s.claim(1)
	s.flush(service.QueueWork{Extends: []*service.Settlement{{ID: back.Messages[0].ID, Lease: back.Messages[0].Lease}}})
	fresh := s.send(1)
	c := claim(1)
	c.Returned = 0
	s.flush(service.QueueWork{Claims: []*service.Claim{c}})
	if len(c.Messages) != 1 || c.Messages[0].ID != fresh[0].ID {
		t.Fatalf("claimed %+v, want the fresh message", c.Messages)
	}
	expired := s.send(1)
	s.execute(`UPDATE messages SET sent_at = now() - interval '5 days' WHERE id = $1`, pgUUID(expired[0].ID))
	c = claim(1)
	c.Returned = 0
	s.flush(service.QueueWork{Claims: []*service.Claim{c}})
	if len(c.Messages) != 1 || c.Messages[0].ID != back.Messages[0].ID {
		t.Errorf("claimed %+v, want the message that came back", c.Messages)
	}
}

// TestLostBackendIsEnded ends a backend that would otherwise go on, as one does that
// waits in its commit for a standby, and nobody else's.
func TestLostBackendIsEnded(t *testing.T) {
	s := setup(t)
	connect := func(application string) *pgx.Conn {
		config := s.cold.Config().ConnConfig
		config.RuntimeParams["application_name"] = application
		conn, err := pgx.ConnectConfig(s.ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.Background()) })
		return conn
	}
	lost, other := connect(s.hotName), connect("another")
	for _, conn := range []*pgx.Conn{lost, other} {
		err := s.Revoke(s.ctx, nil, &lostFlush{pid: conn.PgConn().PID(), application: s.hotName, err: io.EOF})
		if err != nil {
			t.Errorf("revoke: %v", err)
		}
	}
	if err := lost.Ping(s.ctx); err == nil {
		t.Error("the lost flush's backend still runs")
	}
	if err := other.Ping(s.ctx); err != nil {
		t.Errorf("another's backend was ended: %v", err)
	}
}
