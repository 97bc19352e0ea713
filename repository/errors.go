package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"tusq/service"
)

// errQueueGone is found inside a transaction, whose end turns it into the caller's error.
var errQueueGone = errors.New("queue does not exist")

// classify maps an error of PostgreSQL to the service's. All SQLSTATEs that mean
// something to tusq are named here; any other is internal.
func (r *Repository) classify(operation string, err error) error {
	wrapped := fmt.Errorf("%s: %w", operation, err)
	var known *service.Error
	var connect *pgconn.ConnectError
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &connect): // whatever the reason: nothing was sent
		return unavailable(wrapped)
	case errors.As(err, &refused):
		return classifyState(refused, wrapped)
	case isConnectionError(err):
		return unavailable(wrapped)
	}
	return wrapped
}

func classifyState(refused *pgconn.PgError, err error) error {
	switch refused.Code {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
		return fmt.Errorf("%w: %w", service.ErrConflict, err)
	case "25006", // read-only transaction: a failover has made this server a standby
		"57014": // canceled: statement_timeout
		return unavailable(err)
	case "0A000": // cached plan must not change result type: a migration ran
		return fmt.Errorf("%w: %w", service.ErrConflict, err)
	}
	switch refused.Code[:2] {
	case "08", // connection exception
		"53", // insufficient resources: connections, memory, disk
		"57", // operator intervention: shutdown, crash of another backend, starting up
		"58": // system error
		return unavailable(err)
	case "22", "23": // data exception, integrity constraint violation
		return fmt.Errorf("%w: %w", service.ErrData, err)
	}
	return err
}

// classifyFlush is classify for a transaction that may have been committed.
func (r *Repository) classifyFlush(err error) error {
	var refused *pgconn.PgError
	lost := errors.As(err, &refused) && (refused.Code == "57P01" || refused.Code == "57P02") // terminated, perhaps in the commit
	if lost || (refused == nil && !pgconn.SafeToRetry(err) && isConnectionError(err)) {
		return fmt.Errorf("flush: %w: %w", service.ErrOutcomeUnknown, err)
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

func unavailable(err error) error {
	return &service.Error{Code: service.CodeUnavailable, Message: "The database cannot be reached; try again in a moment.", Err: err}
}
