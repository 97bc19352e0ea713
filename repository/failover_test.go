package repository

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tusq/service"
)

// demote makes every connection one to a server that takes no changes any more; new ones do.
func (s *store) demote() {
	s.t.Helper()
	for _, pool := range s.pools() {
		if _, err := pool.Exec(s.ctx, "SET default_transaction_read_only = on"); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestReadOnlyServerIsLeft by all connections once one of them meets it, as after a failover.
func TestReadOnlyServerIsLeft(t *testing.T) {
	for name, meet := range map[string]func(*store) error{
		"flush": func(s *store) error {
			return s.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Sends: outgoing(1)}}, nil)
		},
		"ping": func(s *store) error { return s.Ping(s.ctx) },
		"create": func(s *store) error {
			_, _, err := s.CreateQueue(s.ctx, service.Queue{ID: 1, Account: account, Name: "more"}, 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t)
			s.demote()
			if err := meet(s); service.ErrorCode(err) != service.CodeUnavailable {
				t.Fatalf("a read-only server: %v", err)
			}
			for _, pool := range s.pools() {
				var readOnly string
				if err := pool.QueryRow(s.ctx, "SHOW transaction_read_only").Scan(&readOnly); err != nil || readOnly != "off" {
					t.Errorf("a connection is read-only: %q, %v", readOnly, err)
				}
			}
			s.send(1)
		})
	}
}

// TestListenerLeavesAReadOnlyServer although nothing ends its connection.
func TestListenerLeavesAReadOnlyServer(t *testing.T) {
	s := setup(t)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.Listen(s.ctx, func() { close(ready) }, func(bool) {}, func(service.Event) {})
	}()
	<-ready
	s.demote()
	if err := s.Ping(s.ctx); err == nil {
		t.Fatal("a read-only server is ready")
	}
	select {
	case err := <-ended:
		if err == nil || s.ctx.Err() != nil {
			t.Errorf("the listener ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it listens to the old server")
	}
}

// TestReadOnlyServerIsNotUsed whether the URL says so or not.
func TestReadOnlyServerIsNotUsed(t *testing.T) {
	s := setup(t)
	s.execute(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`)
	_, err := Open(s.ctx, Options{URL: s.url, Replica: "other", HotConnections: 1, Logger: s.log})
	if service.ErrorCode(err) != service.CodeUnavailable || !errors.Is(err, service.ErrAway) {
		t.Errorf("opened a read-only database: %v", err)
	}
}

// TestClassesOfOutages: what may have been committed is never taken for what was not.
func TestClassesOfOutages(t *testing.T) {
	s := setup(t)
	for code, want := range map[string]error{
		"25006": service.ErrAway,           // a failover
		"57P03": service.ErrOutcomeUnknown, // not ready: of an established connection nothing is known
		"57P01": service.ErrOutcomeUnknown, // shutting down
		"57P02": service.ErrOutcomeUnknown, // another backend crashed
		"08P01": service.ErrOutcomeUnknown, // PgBouncer lost its server
	} {
		refused := &pgconn.PgError{Code: code}
		if err := s.classify("read", refused); !errors.Is(err, service.ErrAway) || service.ErrorCode(err) != service.CodeUnavailable {
			t.Errorf("%s in a read: %v", code, err)
		}
		if err := s.classifyFlush(refused, &lostFlush{}); !errors.Is(err, want) {
			t.Errorf("%s in a flush: %v, want %v", code, err, want)
		}
	}
}
