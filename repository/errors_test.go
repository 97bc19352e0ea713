package repository

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tusq/service"
)

// TestErrorsOfTheServer says of each kind of refusal what callers are told, and what a flush does about it.
func TestErrorsOfTheServer(t *testing.T) {
	r := Repository{leaving: make(chan struct{})}
	for _, test := range []struct {
		state string
		code  service.Code
		flush error // nil: it fails for all that was in it
	}{
		{"53100", service.CodeStorageFull, service.ErrFull},           // disk_full
		{"58030", service.CodeUnavailable, nil},                       // io_error
		{"53200", service.CodeUnavailable, nil},                       // out_of_memory
		{"53300", service.CodeUnavailable, nil},                       // too_many_connections
		{"25006", service.CodeUnavailable, nil},                       // read_only_sql_transaction
		{"57P03", service.CodeUnavailable, service.ErrOutcomeUnknown}, // cannot_connect_now
		{"40P01", service.CodeUnavailable, service.ErrConflict},       // deadlock_detected
		{"40001", service.CodeUnavailable, service.ErrConflict},       // serialization_failure
		{"22021", service.CodeInternal, service.ErrData},              // character_not_in_repertoire
		{"57P01", service.CodeUnavailable, service.ErrOutcomeUnknown},
		{"57P02", service.CodeUnavailable, service.ErrOutcomeUnknown}, // crash_shutdown
		{"XX001", service.CodeInternal, nil},                          // data_corrupted
		{"42P01", service.CodeInternal, nil},                          // undefined_table
	} {
		refused := &pgconn.PgError{Code: test.state, Message: "secret"}
		if code := service.ErrorCode(r.classify("test", refused)); code != test.code {
			t.Errorf("%s is %s, want %s", test.state, code, test.code)
		}
		err := r.classifyFlush(refused, &lostFlush{})
		for _, kind := range []error{service.ErrFull, service.ErrConflict, service.ErrData, service.ErrOutcomeUnknown} {
			if errors.Is(err, kind) != (kind == test.flush) {
				t.Errorf("%s in a flush is %v, which is or is not %v", test.state, err, kind)
			}
		}
		refused.SeverityUnlocalized = "PANIC"
		if err := r.classifyFlush(refused, &lostFlush{}); !errors.Is(err, service.ErrOutcomeUnknown) {
			t.Errorf("%s with which PostgreSQL ends, perhaps after the commit, is %v", test.state, err)
		}
		if test.state == "53100" && service.ErrorCode(err) != test.code {
			t.Errorf("%s in a flush is %s", test.state, service.ErrorCode(err))
		}
	}
	if got, want := r.Conflicts(), (service.Conflicts{Deadlocks: 2, Serialization: 2}); got != want {
		t.Errorf("counted %+v, want %+v: each was seen twice", got, want)
	}
}

// TestDeadlockIsCounted where it is the flush that PostgreSQL ends, which nobody can choose.
func TestDeadlockIsCounted(t *testing.T) {
	s := setup(t)
	for tries := 0; s.Conflicts().Deadlocks == 0; tries++ {
		flushed, other := s.deadlock()
		switch {
		case (flushed == nil) == (other == nil):
			t.Fatalf("no deadlock: %v, %v", flushed, other)
		case errors.Is(flushed, service.ErrConflict) && s.Conflicts().Deadlocks == 0 && tries < 10: // its wait was too long
		case flushed != nil && (!errors.Is(flushed, service.ErrConflict) || s.Conflicts().Deadlocks != 1):
			t.Fatalf("a deadlock is %v, counted as %+v", flushed, s.Conflicts())
		}
	}
}

// deadlock has somebody lock the second message of a flush's deletes, and then want the first. It returns the errors of both.
func (s *store) deadlock() (flush, other error) {
	s.t.Helper()
	s.send(2)
	var deletes []*service.Settlement
	for _, m := range s.claim(2).Messages {
		deletes = append(deletes, &service.Settlement{ID: m.ID, Lease: m.Lease})
	}
	slices.SortFunc(deletes, func(a, b *service.Settlement) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	tx, err := s.jobs.Begin(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	flushed := make(chan error, 1)
	for i, d := range []*service.Settlement{deletes[1], deletes[0]} {
		_, other = tx.Exec(s.ctx, `SELECT FROM messages WHERE queue_id = $1 AND id = $2 FOR UPDATE`, s.queue.ID, pgUUID(d.ID))
		if i == 0 {
			go func() {
				flushed <- s.Flush(s.ctx, []service.QueueWork{{QueueID: s.queue.ID, Deletes: deletes}}, nil)
			}()
			s.waitForLock()
		}
	}
	_ = tx.Rollback(s.ctx)
	return <-flushed, other
}
