package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"tusq/service"
)

// errQueueGone is found inside a transaction, whose end turns it into the caller's error.
var errQueueGone = errors.New("queue does not exist")

// classify maps an error of PostgreSQL to the service's. All SQLSTATEs that mean
// something to tusq are named in this file; any other is internal.
func (r *Repository) classify(operation string, err error) error {
	wrapped := fmt.Errorf("%s: %w", operation, err)
	var known *service.Error
	var connect *pgconn.ConnectError
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &connect): // whatever the reason: nothing was sent
		return away(wrapped)
	case errors.As(err, &refused):
		switch {
		case refused.Code == diskFull:
			return &service.Error{Code: service.CodeStorageFull, Err: wrapped,
				Message: "The database's disk is full. Deletes go on as far as they can; sends will when there is room again."}
		case isReadOnly(refused):
			r.reconnect()
			return away(wrapped)
		case isAway(refused):
			return away(wrapped)
		case r.conflicts(refused) || isUnavailable(refused):
			return unavailable(wrapped)
		}
	case isConnectionError(err):
		return away(wrapped)
	}
	return wrapped
}

// diskFull is the SQLSTATE of a statement that found no space left on a disk. Where there is none for the log
// PostgreSQL stops altogether: that is a lost connection, which endsSession tells.
const diskFull = "53100"

// The SQLSTATEs of conflicts that are counted.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

// conflicts is isConflict of an error that is seen for the first time: it counts.
func (r *Repository) conflicts(refused *pgconn.PgError) bool {
	switch refused.Code {
	case deadlockDetected:
		r.deadlocks.Add(1)
	case serializationFailure:
		r.serialization.Add(1)
	}
	return isConflict(refused)
}

// Conflicts implements [service.Store].
func (r *Repository) Conflicts() service.Conflicts {
	return service.Conflicts{Deadlocks: r.deadlocks.Load(), Serialization: r.serialization.Load()}
}

// isConflict: the transaction was rolled back for the sake of others and may be repeated.
func isConflict(refused *pgconn.PgError) bool {
	switch refused.Code {
	case serializationFailure, deadlockDetected, "55P03", // lock_timeout
		"0A000", "26000": // cached plan must not change result type, statement is gone: a migration or a pooler
		return true
	}
	return false
}

// isPlanGone: a statement that was prepared can be used no more.
func isPlanGone(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "0A000" || refused.Code == "26000")
}

// endsSession: PostgreSQL ends the connection, or itself, with the error. A commit that finds no room for the log, or cannot write
// it, does so, and the recovery may find it committed.
func endsSession(refused *pgconn.PgError) bool {
	return refused.SeverityUnlocalized == "FATAL" || refused.SeverityUnlocalized == "PANIC"
}

// isReadOnly: the server takes no changes. A failover has made it a standby, or its operator
// or its full disk has closed it.
func isReadOnly(refused *pgconn.PgError) bool { return refused.Code == "25006" }

// isAway: the server is ending or starting, or has lost its connection to a pooler.
func isAway(refused *pgconn.PgError) bool {
	switch refused.Code {
	case "57P01", "57P02", "57P03": // shutdown, crash of another backend, not ready
		return true
	}
	return refused.Code[:2] == "08" // connection exception
}

// isUnavailable: the server cannot do it now.
func isUnavailable(refused *pgconn.PgError) bool {
	switch refused.Code {
	case "25P03", // idle_in_transaction_session_timeout
		"57014": // canceled: statement_timeout
		return true
	}
	switch refused.Code[:2] {
	case "53", // insufficient resources: connections, memory; a full disk has its own code
		"57", // operator intervention
		"58": // system error: a disk that cannot be read or written
		return true
	}
	return false
}

// isNoStandby: the flush was to wait for a standby and there is none: see requireStandby. The
// message's text may be translated, the setting's name is not.
func isNoStandby(refused *pgconn.PgError) bool {
	return refused.Code == "22023" && strings.Contains(refused.Message, "synchronous_commit") // invalid parameter value
}

// isData: the values of a statement were refused.
func isData(refused *pgconn.PgError) bool {
	return refused.Code[:2] == "22" || refused.Code[:2] == "23" // data exception, integrity constraint violation
}

// classifyBegin is classify for a transaction of which nothing was sent.
func (r *Repository) classifyBegin(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && r.conflicts(refused) {
		return fmt.Errorf("begin a flush: %w: %w", service.ErrConflict, err)
	}
	return r.classify("begin a flush", err)
}

// classifyFlush is classify for a transaction that may have been committed.
func (r *Repository) classifyFlush(err error, lost *lostFlush) error {
	var refused *pgconn.PgError
	if errors.Is(err, errUnread) {
		lost.err = err
		return lost
	}
	if !errors.As(err, &refused) {
		if pgconn.SafeToRetry(err) || !isConnectionError(err) {
			return r.classify("flush", err)
		}
		lost.err = err
		return lost
	}
	switch {
	case isAway(refused), endsSession(refused): // terminated or, behind a pooler, lost, perhaps in the commit
		lost.err = err
		return lost
	case r.conflicts(refused):
		return fmt.Errorf("flush: %w: %w", service.ErrConflict, err)
	case isNoStandby(refused):
		return fmt.Errorf("flush: %w", service.ErrNoStandby)
	case isData(refused):
		return fmt.Errorf("flush: %w: %w", service.ErrData, err)
	case refused.Code == diskFull:
		return fmt.Errorf("%w: %w", service.ErrFull, r.classify("flush", err))
	}
	return r.classify("flush", err)
}

// isConnectionError tells whether err comes from the connection, not from PostgreSQL.
func isConnectionError(err error) bool {
	var network net.Error
	return errors.As(err, &network) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// away is unavailable for as long as the database is.
func away(err error) error { return unavailable(fmt.Errorf("%w: %w", service.ErrAway, err)) }

func unavailable(err error) error {
	return &service.Error{Code: service.CodeUnavailable, Message: "The database cannot be reached; try again in a moment.", Err: err}
}
