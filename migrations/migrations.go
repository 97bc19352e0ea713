// Package migrations holds the database schema's history and applies it.
//
// golang-migrate does the work; around it stands a lock that is polled, not waited
// for, so that any number of replicas may start at once: one migrates, the others
// see that it is done. A binary accepts a schema newer than its own as long as the
// schema says that it supports it (schema_state.oldest_supported).
package migrations

//go:generate go test -run ^TestSchemaDump$ . -args -update

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib" // the database/sql driver that golang-migrate runs on

	"tusq/internal/pooler"
)

//go:embed *.sql
var files embed.FS

// lockKey is the advisory lock that a migrating process holds: "tusq" in ASCII.
const lockKey = 0x74757371

const pollInterval = 100 * time.Millisecond

// connectTimeout is how long each host may take to let this one in, unless the URL says so: where one is dead, the
// next is to be tried soon.
const connectTimeout = 3 * time.Second

// endGrace is how long what is being carried out may go on after the end of the context.
const endGrace = 3 * time.Second

// lockWait bounds how long a migration waits for a table that others use. Whoever comes after it
// waits as long, since PostgreSQL serves those who ask for a table in their order.
const lockWait = time.Second

// Status tells where a database's schema is.
type Status struct {
	Database        int // the schema's version; 0: empty
	Binary          int // the newest version that this binary knows
	OldestSupported int // the oldest binary that the schema supports
}

// Current tells whether nothing has to be applied.
func (s Status) Current() bool { return s.Database >= s.Binary }

// ErrTooNew means that the schema no longer supports this binary.
var ErrTooNew = errors.New("the database's schema is too new for this version of tusq")

// ErrUnreachable means that the database could not be connected to.
var ErrUnreachable = errors.New("the database cannot be reached")

// ErrInUse means that a table was in use for longer than a migration waits for it: by a dump, say. Nothing was
// changed by that migration. Try again after a pause in which others get on.
var ErrInUse = errors.New("a table that is to be changed is in use")

// ErrOutcomeUnknown means that a migration was still being carried out some seconds after the end of the context, and
// was left to PostgreSQL: it may wait there for a standby. Up finds out what has become of it.
var ErrOutcomeUnknown = errors.New("a migration was left to the database, and it is not known whether it will be done: migrate again")

// ErrPooled means that migrations are missing and the database is behind a pooler, which cannot
// hold the lock that they need.
var ErrPooled = errors.New("migrations are missing, and cannot be applied by way of a pooler: give --database-direct-url")

// configure describes connections that work by way of a pooler, to a server that takes changes.
func configure(databaseURL string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.ValidateConnect == nil {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return config, nil
}

// refusePooler fails where a connection is to a pooler.
func refusePooler(ctx context.Context, conn *sql.Conn) error {
	return conn.Raw(func(driver any) error {
		pooled, err := pooler.IsBetween(ctx, driver.(*stdlib.Conn).Conn())
		if err == nil && pooled {
			err = ErrPooled
		}
		return err
	})
}

// Up is UpLogged without a log.
func Up(ctx context.Context, databaseURL string) (applied int, err error) {
	return UpLogged(ctx, databaseURL, slog.New(slog.DiscardHandler))
}

// UpLogged brings the database to this binary's version. It is safe to run from many
// processes at once: one applies the migrations while the others wait for it, until
// ctx ends. It returns how many migrations it applied itself, ErrInUse where one of
// them would have held up others for longer than a second, and ErrOutcomeUnknown where one
// did not end within seconds of ctx.
func UpLogged(ctx context.Context, databaseURL string, log *slog.Logger) (applied int, err error) {
	config, err := configure(databaseURL)
	if err != nil {
		return 0, err
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer conn.Close()
	for waiting := false; ; waiting = true {
		status, err := readStatus(ctx, conn)
		if err != nil {
			return 0, err
		}
		if status.Current() {
			return 0, status.check()
		}
		if err := refusePooler(ctx, conn); err != nil {
			return 0, err
		}
		locked, err := tryLock(ctx, conn)
		if err != nil {
			return 0, err
		}
		if locked {
			applied, err := apply(ctx, databaseURL, conn, log)
			if isLockTimeout(err) {
				err = fmt.Errorf("%w: %w", ErrInUse, err)
			}
			return applied, err
		}
		if !waiting {
			log.Info("waiting for another process to migrate the schema", "from", status.Database, "to", status.Binary)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for another process to migrate: %w", ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

// ReadStatus tells where the database's schema is, without changing anything: by a standby, where no server takes changes.
func ReadStatus(ctx context.Context, databaseURL string) (Status, error) {
	config, err := configure(databaseURL)
	if err != nil {
		return Status{}, err
	}
	status, err := readStatusOf(ctx, stdlib.OpenDB(*config))
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		config.ValidateConnect = nil // any server that answers
		status, err = readStatusOf(ctx, stdlib.OpenDB(*config))
	}
	return status, err
}

// readStatusOf reads it by a connection, and closes db.
func readStatusOf(ctx context.Context, db *sql.DB) (Status, error) {
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return Status{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer conn.Close()
	return readStatus(ctx, conn)
}

// check fails where the schema does not support this binary.
func (s Status) check() error {
	if s.OldestSupported > s.Binary {
		return fmt.Errorf("%w: it has version %d and supports binaries from version %d on, this one has %d",
			ErrTooNew, s.Database, s.OldestSupported, s.Binary)
	}
	return nil
}

// apply runs the migrations; conn holds the lock until it is closed.
func apply(ctx context.Context, databaseURL string, conn *sql.Conn, log *slog.Logger) (int, error) {
	before, err := readStatus(ctx, conn) // another process may have migrated before the lock was free
	if err != nil {
		return 0, err
	}
	if !before.Current() {
		log.Info("migrating the schema", "from", before.Database, "to", before.Binary)
	}
	working, cut := outlasting(ctx)
	defer cut()
	err = carryOut(ctx, working, databaseURL, conn)
	if err != nil && working.Err() != nil {
		return 0, fmt.Errorf("%w: %w", ErrOutcomeUnknown, context.Cause(ctx))
	}
	if err != nil {
		return 0, err
	}
	after, err := readStatus(ctx, conn)
	if err != nil {
		return 0, err
	}
	return after.Database - before.Database, after.check()
}

// outlasting ends endGrace after ctx, or when it is cut.
func outlasting(ctx context.Context) (longer context.Context, cut func()) {
	longer, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(endGrace, end) })
	return longer, func() {
		stop()
		end()
	}
}

// carryOut runs the migrations that are missing. No other is begun once ctx has ended, and the one that runs is
// cut off when working has.
func carryOut(ctx, working context.Context, databaseURL string, conn *sql.Conn) error {
	m, err := newMigrate(working, databaseURL)
	if err != nil {
		return err
	}
	defer m.Close()
	committed, err := readStatus(ctx, conn) // of one that was left to PostgreSQL too: newMigrate has waited for its end
	if err != nil {
		return err
	}
	if err := repairDirty(m, committed.Database); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true })
	defer stop()
	if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// isLockTimeout looks into golang-migrate's errors too, which do not unwrap.
func isLockTimeout(err error) bool {
	if failed, ok := errors.AsType[database.Error](err); ok {
		err = failed.OrigErr
	} else if failed, ok := errors.AsType[*database.Error](err); ok {
		err = failed.OrigErr
	}
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == "55P03" // lock_not_available
}

// newMigrate opens a connection of its own, which the result's Close ends, and the end of ctx, of which
// golang-migrate knows nothing.
func newMigrate(ctx context.Context, databaseURL string) (*migrate.Migrate, error) {
	source, err := iofs.New(files, ".")
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	config, err := configure(databaseURL)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["lock_timeout"] = strconv.FormatInt(lockWait.Milliseconds(), 10) // which no pooler takes
	cutOff(ctx, config)
	db := stdlib.OpenDB(*config)
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare migrations: %w", err), db.Close())
	}
	return migrate.NewWithInstance("iofs", source, "pgx5", inSteps(driver, db))
}

// cutOff has connections closed when ctx ends. What they carry out is not cancelled, which takes a connection too:
// it goes on as after the death of the process, so that a long migration ends some day.
func cutOff(ctx context.Context, config *pgx.ConnConfig) {
	dial := config.DialFunc
	config.DialFunc = func(dialing context.Context, network, address string) (net.Conn, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		conn, err := dial(dialing, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { conn.Close() })
		}
		return conn, err
	}
}

// repairDirty resolves what a killed migration left. golang-migrate then only knows
// that one was begun; schema_state, which each migration sets in its own transaction,
// tells the last one that was committed.
func repairDirty(m *migrate.Migrate, committed int) error {
	_, dirty, err := m.Version()
	if err != nil && !errors.Is(err, migrate.ErrNilVersion) {
		return fmt.Errorf("read migration version: %w", err)
	}
	if !dirty {
		return nil
	}
	version := committed
	if version == 0 {
		version = -1 // golang-migrate's word for an empty database
	}
	if err := m.Force(version); err != nil {
		return fmt.Errorf("repair the migration version: %w", err)
	}
	return nil
}

func tryLock(ctx context.Context, conn *sql.Conn) (locked bool, err error) {
	err = conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, lockKey).Scan(&locked)
	if err != nil {
		return false, fmt.Errorf("lock for migrating: %w", err)
	}
	return locked, nil
}

// readStatus reads schema_state, which does not exist in an empty database.
func readStatus(ctx context.Context, conn *sql.Conn) (Status, error) {
	status := Status{Binary: newest()}
	var exists bool
	err := conn.QueryRowContext(ctx, `SELECT to_regclass('schema_state') IS NOT NULL`).Scan(&exists)
	if err == nil && exists {
		err = conn.QueryRowContext(ctx, `SELECT version, oldest_supported FROM schema_state`).
			Scan(&status.Database, &status.OldestSupported)
	}
	if err != nil {
		return Status{}, fmt.Errorf("read the schema's version: %w", err)
	}
	return status, nil
}

// newest is the highest number among the embedded migrations.
func newest() int {
	highest := 0
	names, _ := fs.Glob(files, "*.up.sql") // the pattern is valid: it cannot fail
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		if n, err := strconv.Atoi(number); err == nil && n > highest {
			highest = n
		}
	}
	return highest
}
