// Package pooler tells a connection to PostgreSQL from one to a pooler in front of it.
package pooler

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// IsBetween tells whether a pooler stands between a connection and the server. PostgreSQL
// gives a client the id of the process that serves it; a pooler, whose servers change, gives
// one that it made up. It makes no difference whether the pooler would lend a server for a
// transaction or for the session.
func IsBetween(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var pid uint32
	err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeExec).Scan(&pid)
	return err == nil && pid != conn.PgConn().PID(), err
}
