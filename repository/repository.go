package repository

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/singleflight"

	"tusq/internal/faultpoint"
	"tusq/service"
)

// hotPlans keep the planner from choosing: see the package comment.
var hotPlans = map[string]string{
	"enable_bitmapscan": "off",
	"enable_seqscan":    "off",
	"enable_sort":       "off",
	"enable_hashjoin":   "off",
	"enable_mergejoin":  "off",
	"plan_cache_mode":   "force_generic_plan",
	// A row that is known by its ctid is fetched by that. Where the statistics say that
	// the table is empty, reading a whole index would otherwise seem to cost nothing.
	"random_page_cost":     "0.01",
	"cpu_index_tuple_cost": "10",
	// These prices would make PostgreSQL compile each statement, in tens of milliseconds,
	// once a queue holds 200,000 messages.
	"jit": "off",
}

// Options of Open. All but DirectURL are required.
type Options struct {
	URL string // of the database, as libpq writes it; it may lead to a pooler
	// DirectURL leads to the same database without a pooler. "": there is none, and where URL
	// leads to a pooler, nothing is heard of other replicas.
	DirectURL string
	Replica   string // a name that stays this replica's own: it chooses its counter lane
	// HotConnections is how many flushes of one durability may run at a time.
	HotConnections int
	Logger         *slog.Logger
}

// Repository is a [service.Store] on PostgreSQL.
type Repository struct {
	hot     *pool // flushes, with fixed plans
	jobs    *pool // what reads or changes many messages outside of flushes, with fixed plans
	cold    *pool // all else
	keys    *pool // the keyring's, and of what is asked about the database: callers cannot occupy it, so that a revocation is always learned of
	signals *pool // notifications, whose commits need not be on disk; nil: there are none
	lane    int
	id      string // tells this process's notifications from others'
	// hotName is the application_name of the flushes' connections: this process's alone.
	hotName string
	log     *slog.Logger

	way    way
	direct way // without a pooler; with one, where there is no other
	known  descriptions

	counters counters
	pings    singleflight.Group
	changes  chan struct{} // that are being made

	deadlocks, serialization atomic.Int64 // see Conflicts

	mu      sync.Mutex
	leaving chan struct{} // closed by reconnect, which makes another
}

var _ service.Store = (*Repository)(nil)

const (
	jobConnections  = 4
	coldConnections = 8
	keyConnections  = 2               // so that one which is dead does not hold up the keyring
	connectTimeout  = 3 * time.Second // of each host: where one is dead, the next is to be tried soon
	pingTimeout     = 2 * time.Second
	changesAtATime  = coldConnections / 2 // those that wait for a standby leave some to reads
	changeTimeout   = 10 * time.Second
)

// Open connects to a migrated database and checks that it is fit for messages.
func Open(ctx context.Context, opts Options) (*Repository, error) {
	hash := fnv.New32a()
	hash.Write([]byte(opts.Replica))
	r := &Repository{
		lane: int(hash.Sum32() % counterLanes),
		id:   newReplicaID(),
		log:  opts.Logger,

		counters: counters{lanes: map[counterLane]*counterTurn{}},
		leaving:  make(chan struct{}),
		changes:  make(chan struct{}, changesAtATime),
	}
	r.hotName = "tusq flush " + r.id
	if err := r.findWays(ctx, opts); err != nil {
		return nil, err
	}
	if err := r.openPools(ctx, opts); err != nil {
		r.Close()
		return nil, err
	}
	if err := r.requireFitness(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Repository) openPools(ctx context.Context, opts Options) (err error) {
	// Besides the flushes: one connection to undo claims whose commit is unknown.
	if r.hot, err = r.way.open(ctx, opts.HotConnections*len(service.Durabilities)+1, r.hotSettings()); err != nil {
		return err
	}
	if r.jobs, err = r.way.open(ctx, jobConnections, hotPlans); err != nil {
		return err
	}
	if r.cold, err = r.way.open(ctx, coldConnections, nil); err != nil {
		return err
	}
	if r.keys, err = r.way.open(ctx, keyConnections, nil); err != nil || r.direct.pooled {
		return err
	}
	r.signals, err = r.direct.open(ctx, 1, map[string]string{"synchronous_commit": "off"})
	return err
}

// reconnect leaves a server that takes no changes: of all connections, each ends when its
// use does, and those that follow look for a server that does take them.
func (r *Repository) reconnect() {
	r.mu.Lock()
	close(r.leaving)
	r.leaving = make(chan struct{})
	r.mu.Unlock()
	for _, pool := range r.pools() {
		pool.Reset()
	}
}

// reconnecting is closed at the next reconnect.
func (r *Repository) reconnecting() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leaving
}

// pools are all pools of connections that there are.
func (r *Repository) pools() []*pool {
	return slices.DeleteFunc([]*pool{r.hot, r.jobs, r.cold, r.keys, r.signals}, func(p *pool) bool { return p == nil })
}

// Close ends all connections.
func (r *Repository) Close() {
	for _, pool := range r.pools() {
		pool.Close()
	}
}

// hotSettings are the parameters of the flushes' connections. A lock that is held for
// long fails the flush, which is repeated, instead of all queues.
func (r *Repository) hotSettings() map[string]string {
	settings := maps.Clone(hotPlans)
	settings["application_name"] = r.hotName
	settings["lock_timeout"] = "3s"
	return settings
}

// connect opens one connection of a tool, beside the service's, to a server that takes changes.
func connect(ctx context.Context, url, name string) (*pgx.Conn, error) {
	config, err := toolConfig(url, name)
	if err != nil {
		return nil, err
	}
	return connectWith(ctx, config)
}

// connectToAny is connect that takes, where no server takes changes, one that does not: it may tell why.
func connectToAny(ctx context.Context, url, name string) (*pgx.Conn, error) {
	config, err := toolConfig(url, name)
	if err != nil {
		return nil, err
	}
	conn, err := connectWith(ctx, config)
	if errors.Is(err, pgconn.ErrReadOnlyConnection) {
		config.ValidateConnect = nil
		conn, err = connectWith(ctx, config)
	}
	return conn, err
}

// toolConfig is for a connection that may lead to a pooler: nothing is prepared.
func toolConfig(url, name string) (*pgx.ConnConfig, error) {
	config, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.RuntimeParams["application_name"] = name
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	return config.ConnConfig, nil
}

func connectWith(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// requireFitness refuses a database that could not hold every message.
func (r *Repository) requireFitness(ctx context.Context) error {
	var encoding string
	var version int
	err := r.cold.QueryRow(ctx, `SELECT current_setting('server_encoding'), current_setting('server_version_num')::int`).
		Scan(&encoding, &version)
	if err != nil {
		return r.classify("check the database", err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: tusq needs UTF8", encoding)
	}
	if version < 140000 {
		return fmt.Errorf("the database is PostgreSQL %d: tusq needs 14 or newer", version/10000)
	}
	return nil
}

// change changes what is not messages, in one transaction. While a standby is away changes wait; reads on the same
// connections do not.
func (r *Repository) change(ctx context.Context, do func(pgx.Tx) error) error {
	bounded, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	select {
	case r.changes <- struct{}{}:
		defer func() { <-r.changes }()
	case <-bounded.Done():
		return cmp.Or(ctx.Err(), errUnacknowledged(bounded.Err()))
	}
	err := acknowledged(bounded, r.cold, func(tx pgx.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		return faultpoint.Hit("repository.change.done")
	})
	if err != nil && bounded.Err() != nil {
		return cmp.Or(ctx.Err(), errUnacknowledged(bounded.Err()))
	}
	if err != nil {
		return err
	}
	return faultpoint.Hit("repository.change.committed")
}

// errUnacknowledged is the end of a change that may have happened, and may not last.
func errUnacknowledged(why error) error {
	return &service.Error{Code: service.CodeUnavailable, Err: fmt.Errorf("%w: %w", service.ErrOutcomeUnknown, why),
		Message: "It is not known whether this has happened and will last: the database, or its synchronous standby, does not answer. Try again."}
}

var errGivenUp = errors.New("PostgreSQL gave up waiting for a standby")

// acknowledged runs a transaction that may be told of when it has ended: as of a flush, nothing is where PostgreSQL gave up
// waiting for a synchronous standby. Where do may find that all has happened before, it writes barrierSQL, to wait for that too.
func acknowledged(ctx context.Context, p *pool, do func(pgx.Tx) error) error {
	conn, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	marks := conn.Conn().PgConn().CustomData()
	delete(marks, unreplicated) // by what was asked before, and told to nobody
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: p.begin})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	if marks[unreplicated] != nil {
		return errUnacknowledged(errGivenUp)
	}
	return nil
}

// Ping tells whether the database can be written to. Who asks meanwhile is told the same: anybody may, and would
// otherwise occupy the keyring's connections.
func (r *Repository) Ping(ctx context.Context) error {
	answer := r.pings.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
		defer cancel()
		return nil, r.ping(ctx)
	})
	select {
	case told := <-answer:
		return told.Err
	case <-ctx.Done():
		return r.classify("ping", ctx.Err())
	}
}

func (r *Repository) ping(ctx context.Context) error {
	var readOnly bool
	if err := r.keys.QueryRow(ctx, `SELECT current_setting('transaction_read_only')::bool`).Scan(&readOnly); err != nil {
		return r.classify("ping", err)
	}
	if readOnly { // as it always is on a standby
		r.reconnect()
		return service.Errorf(service.CodeUnavailable, "The database takes no changes: it is a standby, or read-only.")
	}
	return nil
}

// ReceiptKey returns the key that seals receipts. The first replica to ask makes it.
func (r *Repository) ReceiptKey(ctx context.Context) (key []byte, err error) {
	err = pgx.BeginFunc(ctx, r.cold, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO instance (receipt_key) VALUES ($1) ON CONFLICT DO NOTHING`, newReceiptKey())
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT receipt_key FROM instance`).Scan(&key)
	})
	if err != nil {
		return nil, r.classify("load the receipt key", err)
	}
	return key, nil
}

// noteUnreplicated marks a connection on which PostgreSQL gave up waiting for a
// synchronous standby: it then reports success for a commit that was not replicated.
func noteUnreplicated(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.SeverityUnlocalized == "WARNING" && (notice.Code == "01000" || notice.Code == "57P01") {
		conn.CustomData()[unreplicated] = true
	}
}

// unreplicated is the key of a mark that is kept beside a connection.
const unreplicated = "unreplicated"

// newReplicaID makes the name under which this process notifies.
func newReplicaID() string { return rand.Text() }

func newReceiptKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	return key
}
