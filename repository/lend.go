package repository

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Behind a pooler that lends a server for each transaction, a flush differs in three things.
// Its statements are not prepared: each is parsed anew, and only what the parameters and
// answers look like is kept. Its settings come with the beginning of its transaction. And it
// begins with a round trip of its own, which tells which server was lent, by its process id
// and the transaction's time: should the commit be lost, that transaction can be ended, or
// seen to have ended, although the connection knew only the pooler.

// descriptions are those of statements, by their text. The zero value holds none.
type descriptions struct {
	mu  sync.Mutex
	all map[string]*pgconn.StatementDescription
}

// of returns a statement's description, from the server where it is not known.
func (d *descriptions) of(ctx context.Context, conn *pgx.Conn, sql string) (*pgconn.StatementDescription, error) {
	d.mu.Lock()
	known := d.all[sql]
	d.mu.Unlock()
	if known != nil {
		return known, nil
	}
	described, err := conn.PgConn().Prepare(ctx, "", sql, nil)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[string]*pgconn.StatementDescription{}
	}
	d.all[sql] = described
	return described, nil
}

// forget has all statements described anew: a migration may have changed what they return.
func (d *descriptions) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.all)
}

// lentSQL follows the beginning of a transaction.
const lentSQL = `; SELECT pg_backend_pid(), (extract(epoch FROM now()) * 1000000)::bigint`

// begin begins a flush's transaction and notes which server the pooler lends to it.
func (l *lostFlush) begin(ctx context.Context, server *pgconn.PgConn, begin string) error {
	results, err := server.Exec(ctx, begin+lentSQL).ReadAll()
	if err != nil {
		return err
	}
	row := results[len(results)-1].Rows[0]
	pid, pidErr := strconv.ParseUint(string(row[0]), 10, 32)
	began, beganErr := strconv.ParseInt(string(row[1]), 10, 64)
	l.pid, l.began = uint32(pid), began
	return errors.Join(pidErr, beganErr)
}

// giveBack ends a transaction that failed, so that the pooler keeps its server.
func giveBack(ctx context.Context, server *pgconn.PgConn) {
	if server.TxStatus() != 'I' && !server.IsClosed() {
		_, _ = server.Exec(ctx, "ROLLBACK").ReadAll() // else the connection is closed with it
	}
}
