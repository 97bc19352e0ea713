package bench

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const statisticsTimeout = 5 * time.Second // for one question

// statistics are those of the server's PostgreSQL, since a moment.
type statistics struct {
	conn  *pgx.Conn
	began counters
}

// counters are totals of PostgreSQL. Its processes add to the first two with a delay of
// about a second.
type counters struct {
	transactions int64  // of the database
	fsyncs       *int64 // of the WAL, in the whole cluster; nil: not allowed to know
	wal          int64  // bytes, in the whole cluster
}

// openStatistics connects to the database and reads its counters.
func openStatistics(ctx context.Context, url string) (*statistics, error) {
	ctx, cancel := context.WithTimeout(ctx, statisticsTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	s := &statistics{conn: conn}
	if s.began, err = s.read(ctx); err != nil {
		conn.Close(ctx)
		return nil, err
	}
	return s, nil
}

// end closes the connection and adds to the report what has changed since the begin.
func (s *statistics) end(to *Server, messages int64, seconds float64) error {
	ctx, cancel := context.WithTimeout(context.Background(), statisticsTimeout)
	defer cancel()
	defer s.conn.Close(ctx)
	now, err := s.read(ctx)
	if err != nil {
		return err
	}
	to.TransactionsSecond = new(float64(now.transactions-s.began.transactions) / seconds)
	to.WALPerMessage = perMessage(float64(now.wal-s.began.wal), messages)
	if now.fsyncs != nil && s.began.fsyncs != nil {
		to.FsyncsPerSecond = new(float64(*now.fsyncs-*s.began.fsyncs) / seconds)
	}
	return nil
}

func (s *statistics) read(ctx context.Context) (counters, error) {
	var c counters
	err := s.conn.QueryRow(ctx, `
		SELECT xact_commit + xact_rollback, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint
		FROM pg_stat_database
		WHERE datname = current_database()`).Scan(&c.transactions, &c.wal)
	if err != nil {
		return c, err
	}
	var version int
	if err := s.conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return c, err
	}
	fsyncs := `SELECT wal_sync FROM pg_stat_wal`
	if version >= 180000 {
		fsyncs = `SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'`
	}
	return c, s.conn.QueryRow(ctx, fsyncs).Scan(&c.fsyncs)
}
