package repository

import (
	"errors"
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
		if test.state == "53100" && service.ErrorCode(err) != test.code {
			t.Errorf("%s in a flush is %s", test.state, service.ErrorCode(err))
		}
	}
}
