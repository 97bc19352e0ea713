package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"tusq/internal/pooler"
)

// pool is connections with settings. Behind a pooler, which lends a server for each
// transaction, transactions begin with the settings, and single statements have none: what
// needs them is a transaction.
type pool struct {
	*pgxpool.Pool
	begin string // of a transaction; "": the settings are the connections' own
}

// Begin begins a transaction with the pool's settings.
func (p *pool) Begin(ctx context.Context) (pgx.Tx, error) {
	return p.BeginTx(ctx, pgx.TxOptions{BeginQuery: p.begin})
}

// sessionSettings are the parameters of all connections.
var sessionSettings = map[string]string{"application_name": "tusq", "timezone": "UTC"}

// vanishSettings are for a replica that vanishes, and keeps its row locks until PostgreSQL
// notices: by TCP in the middle of a statement, by the timeout in the middle of a transaction.
var vanishSettings = map[string]string{
	"idle_in_transaction_session_timeout": "10s",
	"tcp_keepalives_idle":                 "10",
	"tcp_keepalives_interval":             "5",
	"tcp_keepalives_count":                "3",
	"tcp_user_timeout":                    "20s",
}

// way is how a database is reached.
type way struct {
	url    string
	pooled bool // a pooler lends a server for each transaction
}

// open prepares connections with vanishSettings and others, of which application_name is
// known to poolers.
func (w way) open(ctx context.Context, size int, settings map[string]string) (*pool, error) {
	config, err := parseURL(w.url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(size) // #nosec G115 -- constants of this program make it
	config.MaxConnIdleTime = time.Minute
	config.PingTimeout = time.Second
	config.AfterConnect = registerArrays
	settings = merged(vanishSettings, settings)
	if name, ok := settings["application_name"]; ok {
		config.ConnConfig.RuntimeParams["application_name"] = name
		delete(settings, "application_name")
	}
	p := &pool{}
	if w.pooled {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		p.begin = beginWith(settings)
	} else {
		maps.Copy(config.ConnConfig.RuntimeParams, settings)
	}
	if p.Pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, fmt.Errorf("prepare connections: %w", err)
	}
	return p, nil
}

// parseURL returns the configuration of a connection by a URL, with what PostgreSQL and
// poolers accept.
func parseURL(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be parsed") // its text may hold a password
	}
	config.ConnConfig.ConnectTimeout = connectTimeout
	if config.ConnConfig.ValidateConnect == nil { // whoever names one host, too, wants the one that takes changes
		config.ConnConfig.ValidateConnect = requireChanges
	}
	maps.Copy(config.ConnConfig.RuntimeParams, sessionSettings)
	config.ConnConfig.OnNotice = noteUnreplicated
	return config, nil
}

// requireChanges fails where a server takes no changes. PostgreSQL says so by itself at the
// beginning of a connection; poolers may not, and are asked.
func requireChanges(ctx context.Context, server *pgconn.PgConn) error {
	if server.ParameterStatus("in_hot_standby") == "off" && server.ParameterStatus("default_transaction_read_only") == "off" {
		return nil
	}
	return pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, server)
}

func merged(all ...map[string]string) map[string]string {
	settings := map[string]string{}
	for _, some := range all {
		maps.Copy(settings, some)
	}
	return settings
}

// beginWith begins a transaction with settings. Those of TCP are left to the pooler.
func beginWith(settings map[string]string) string {
	var sql strings.Builder
	sql.WriteString("BEGIN")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !strings.HasPrefix(name, "tcp_") {
			fmt.Fprintf(&sql, "; SET LOCAL %s = '%s'", name, settings[name])
		}
	}
	return sql.String()
}

// findWay finds out how the database is reached.
func findWay(ctx context.Context, url string) (way, error) {
	config, err := parseURL(url)
	if err != nil {
		return way{}, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return way{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pooled, err := pooler.IsBetween(ctx, conn)
	return way{url, pooled}, err
}

// findWays finds out how the database is reached, and how it can be listened to: behind a
// pooler not at all, unless there is a direct URL.
func (r *Repository) findWays(ctx context.Context, opts Options) (err error) {
	if r.way, err = findWay(ctx, opts.URL); err != nil {
		return r.classify("connect", err)
	}
	if opts.DirectURL == "" {
		if r.direct = r.way; r.way.pooled {
			r.log.Warn("the database is behind a pooler and no direct URL is given: other replicas are not heard, and receivers ask every second")
		}
		return nil
	}
	if r.direct, err = findWay(ctx, opts.DirectURL); err != nil {
		return r.classify("connect directly", err)
	}
	if r.direct.pooled {
		return errors.New("the direct URL leads to a pooler, through which nothing can be listened to")
	}
	return nil
}
