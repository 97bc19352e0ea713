package repository

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Part is what is looked at by itself: where one fails, the others are known all the same.
type Part string

// The parts of an inspection.
const (
	PartServer       Part = "server"
	PartTables       Part = "tables"
	PartTransactions Part = "transactions"
	PartStandbys     Part = "standbys"
	PartClock        Part = "clock"
	PartNotify       Part = "notifications"
	PartCommit       Part = "commit"
)

// Inspection is what can be seen of a database from outside of the service.
type Inspection struct {
	Failed     map[Part]error // the parts of which nothing is known
	Version    string
	Recovering bool
	ReadOnly   bool              // it takes no changes, as always where it is Recovering
	SeesAll    bool              // the role may see what other roles do
	Remote     bool              // it is reached by a network
	Encrypted  bool              // with TLS
	Settings   map[string]string // those of inspectedSettings
	TableOff   []string          // tables of which autovacuum is switched off
	Standbys   []Standby
	Slots      []Slot
	Levels     map[string]int64 // how many queues have each durability

	OldestTransaction time.Duration // that holds vacuum back
	OldestPID         int           // its backend; 0: it was prepared, or there is none
	Prepared          int64         // transactions that were prepared and not ended
	LiveRows          int64         // of messages: an estimate
	DeadRows          int64
	Connections       int64 // clients of the server, all databases together
	MaxConnections    int64 // that ordinary roles may open

	ClockAhead   time.Duration // of the database's clock before this host's
	ClockError   time.Duration // by how much that may be wrong at most
	NotifyDelay  time.Duration // from a NOTIFY to its LISTEN: the median of a few; 0: none came
	RoundTrip    time.Duration // of a query that does nothing: the shortest of a few
	CommitToDisk time.Duration // of a transaction that writes a few bytes at the server's level: the median of a few; 0: it cannot write, or CommitStuck
	CommitStuck  time.Duration // how long a commit was waited for that did not end; 0: all ended
}

// Standby is a connection that streams the log.
type Standby struct {
	Name, State, Sync string
	Lag               time.Duration // until it has applied what was committed, as it last reported
	LagBytes          int64
}

// Slot is a replication slot that nobody uses: it keeps the log, and may hold vacuum back.
type Slot struct {
	Name     string
	Retained int64 // bytes of the log
}

var inspectedSettings = []string{
	"fsync", "full_page_writes", "data_checksums", "synchronous_commit", "synchronous_standby_names", "wal_level",
	"autovacuum", "autovacuum_naptime", "autovacuum_vacuum_cost_delay", "autovacuum_max_workers",
}

const samples = 7 // of each time that is measured

// Inspect looks at a database that has tusq's tables; it fails where it cannot connect. It writes nothing but a few bytes of the log.
func Inspect(ctx context.Context, url string) (Inspection, error) {
	conn, err := connectToAny(ctx, url, "tusq doctor")
	if err != nil {
		return Inspection{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	i := Inspection{Failed: map[Part]error{}, Settings: map[string]string{}, Levels: map[string]int64{}}
	i.inspectConnection(conn)
	for _, step := range []struct {
		part Part
		look func(context.Context, *pgx.Conn) error
	}{
		{PartServer, i.inspectServer},
		{PartTables, i.inspectTables},
		{PartTransactions, i.inspectTransactions},
		{PartStandbys, i.inspectStandbys},
		{PartClock, i.measureClock},
		{PartNotify, func(ctx context.Context, conn *pgx.Conn) error { return i.measureNotify(ctx, conn, url) }},
		{PartCommit, i.measureCommit}, // the last: a commit that does not end costs the connection
	} {
		if err := step.look(ctx, conn); err != nil {
			i.Failed[step.part] = err
		}
	}
	return i, nil
}

// inspectConnection looks at the way to the server, or to the pooler before it.
func (i *Inspection) inspectConnection(conn *pgx.Conn) {
	way := conn.PgConn().Conn()
	_, i.Encrypted = way.(*tls.Conn)
	peer, ok := way.RemoteAddr().(*net.TCPAddr)
	i.Remote = ok && !peer.IP.IsLoopback()
}

func (i *Inspection) inspectServer(ctx context.Context, conn *pgx.Conn) error {
	for _, name := range inspectedSettings {
		var value string
		if err := conn.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value); err != nil {
			return err
		}
		i.Settings[name] = value
	}
	return conn.QueryRow(ctx, `
SELECT current_setting('server_version'),
	pg_is_in_recovery(),
	current_setting('transaction_read_only')::bool,
	pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
	current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint`).
		Scan(&i.Version, &i.Recovering, &i.ReadOnly, &i.SeesAll, &i.Connections, &i.MaxConnections)
}

func (i *Inspection) inspectTables(ctx context.Context, conn *pgx.Conn) error {
	err := conn.QueryRow(ctx, `
SELECT coalesce(sum(n_live_tup), 0)::bigint, coalesce(sum(n_dead_tup), 0)::bigint
FROM pg_stat_all_tables
WHERE relid = 'messages'::regclass`).Scan(&i.LiveRows, &i.DeadRows)
	if err != nil {
		return err
	}
	rows, _ := conn.Query(ctx, `
SELECT relname::text
FROM pg_class
WHERE oid IN ('messages'::regclass, 'message_groups'::regclass, 'once_keys'::regclass, 'queue_counters'::regclass)
	AND EXISTS (SELECT 1 FROM pg_options_to_table(reloptions) WHERE option_name = 'autovacuum_enabled' AND NOT option_value::boolean)
ORDER BY 1`)
	if i.TableOff, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	var level string
	var queues int64
	rows, _ = conn.Query(ctx, `SELECT durability, count(*) FROM queues WHERE deleted_at IS NULL GROUP BY 1`)
	_, err = pgx.ForEachRow(rows, []any{&level, &queues}, func() error {
		i.Levels[level] = queues
		return nil
	})
	return err
}

func (i *Inspection) inspectTransactions(ctx context.Context, conn *pgx.Conn) error {
	var seconds float64
	err := conn.QueryRow(ctx, `
SELECT (`+oldestTransactionSQL+`),
	coalesce((
		SELECT pid
		FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL AND datname = current_database())
		ORDER BY xact_start
		LIMIT 1
	), 0),
	(SELECT count(*) FROM pg_prepared_xacts)`).Scan(&seconds, &i.OldestPID, &i.Prepared)
	i.OldestTransaction = time.Duration(seconds * float64(time.Second))
	return err
}

func (i *Inspection) inspectStandbys(ctx context.Context, conn *pgx.Conn) error {
	rows, _ := conn.Query(ctx, `
SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''),
	coalesce(extract(epoch FROM replay_lag), 0)::float8,
	CASE WHEN pg_is_in_recovery() THEN 0 ELSE coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint END
FROM pg_stat_replication
ORDER BY 1`)
	var err error
	i.Standbys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Standby, err error) {
		var lag float64
		err = row.Scan(&s.Name, &s.State, &s.Sync, &lag, &s.LagBytes)
		s.Lag = time.Duration(lag * float64(time.Second))
		return s, err
	})
	if err != nil {
		return err
	}
	rows, _ = conn.Query(ctx, `
SELECT slot_name::text,
	CASE WHEN pg_is_in_recovery() THEN 0 ELSE coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint END
FROM pg_replication_slots
WHERE NOT active
ORDER BY 1`)
	i.Slots, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Slot])
	return err
}

// measureClock asks for the time a few times: the shortest exchange tells most.
func (i *Inspection) measureClock(ctx context.Context, conn *pgx.Conn) error {
	for n := range samples {
		before := time.Now()
		var theirs time.Time
		if err := conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
			return err
		}
		took := time.Since(before)
		if n == 0 || took < i.RoundTrip {
			i.RoundTrip = took
			i.ClockAhead, i.ClockError = theirs.Sub(before.Add(took/2)), took/2
		}
	}
	return nil
}

// measureCommit times commits at the server's own level, unless the server is a standby.
func (i *Inspection) measureCommit(ctx context.Context, conn *pgx.Conn) error {
	if i.Recovering {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	times := make([]time.Duration, samples)
	for n := range times {
		began := time.Now()
		if _, err := conn.Exec(ctx, barrierSQL); err != nil {
			if ctx.Err() != nil {
				i.CommitStuck = time.Since(began)
				return nil
			}
			return err
		}
		times[n] = time.Since(began)
	}
	slices.Sort(times)
	i.CommitToDisk = times[samples/2]
	return nil
}

// connectPatience is how long a commit may take, and a notification.
const connectPatience = 10 * time.Second

// notifySQL notifies as the service does: the commit waits neither for the disk nor for a standby.
const notifySQL = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')`

// measureNotify times notifications on a channel of this inspection's own.
func (i *Inspection) measureNotify(ctx context.Context, conn *pgx.Conn, url string) error {
	if i.Recovering { // which has no notifications
		return nil
	}
	listener, err := connectToAny(ctx, url, "tusq doctor")
	if err != nil {
		return err
	}
	defer listener.Close(context.WithoutCancel(ctx))
	channel := "tusq_doctor_" + newReplicaID()
	if _, err := listener.Exec(ctx, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	times := make([]time.Duration, samples)
	for n := range times {
		began := time.Now()
		if _, err := conn.Exec(ctx, notifySQL, channel); err != nil {
			return err
		}
		waiting, cancel := context.WithTimeout(ctx, connectPatience)
		_, err := listener.WaitForNotification(waiting)
		cancel()
		if err != nil {
			return nil // none came: a pooler that does not hold connections
		}
		times[n] = time.Since(began)
	}
	slices.Sort(times)
	i.NotifyDelay = times[samples/2]
	return nil
}
