package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"tusq/internal/embeddedpg"
	"tusq/migrations"
)

const (
	startTimeout   = 2 * time.Minute  // of the embedded PostgreSQL's first start, crash recovery included
	stopTimeout    = 20 * time.Second // of the embedded PostgreSQL, after which it is made to stop
	migrateTimeout = 10 * time.Minute
	connectTimeout = 30 * time.Second // until a given database must have answered once
	connectPause   = 500 * time.Millisecond
	inUsePause     = 2 * time.Second // longer than a migration waits for a table

	// Pauses before an embedded PostgreSQL that died is started again: each is twice as long as the one before.
	restartPause        = time.Second
	longestRestartPause = 30 * time.Second
)

// databaseFlags say where the database is.
type databaseFlags struct {
	DatabaseURL string `help:"PostgreSQL to use, 14 or newer. Absent: a private one, started and stopped with tusq." env:"TUSQ_DATABASE_URL" placeholder:"URL"`
	DirectURL   string `name:"database-direct-url" help:"The same PostgreSQL without the pooler, if --database-url leads to one: to hear of other replicas, and to migrate." env:"TUSQ_DATABASE_DIRECT_URL" placeholder:"URL"`
	DataDir     string `help:"Directory of the private PostgreSQL." env:"TUSQ_DATA_DIR" default:"./data" type:"path"`
	PostgresBin string `help:"Directory of the private PostgreSQL's programs. Absent: PATH, then the usual places." env:"TUSQ_POSTGRES_BIN" placeholder:"DIR" type:"path"`
}

// database is the one to use: a given one, or a private one that this process runs.
type database struct {
	url      string
	direct   string // without a pooler; "": as given by url
	options  embeddedpg.Options
	embedded *embeddedpg.Server // nil: a given one
	log      *slog.Logger
}

// straight is the way to it without a pooler, as far as one is known.
func (d *database) straight() string { return cmp.Or(d.direct, d.url) }

// open starts the private PostgreSQL where no database was given.
func (f databaseFlags) open(ctx context.Context, log *slog.Logger) (*database, error) {
	if f.DatabaseURL != "" {
		if err := checkURL(f.DatabaseURL); err != nil {
			return nil, fmt.Errorf("--database-url: %w", err)
		}
		if err := checkURL(f.DirectURL); err != nil {
			return nil, fmt.Errorf("--database-direct-url: %w", err)
		}
		return &database{url: f.DatabaseURL, direct: f.DirectURL, log: log}, nil
	}
	if f.DirectURL != "" {
		return nil, errors.New("--database-direct-url is for a --database-url that leads to a pooler")
	}
	d := &database{log: log, options: embeddedpg.Options{DataDir: f.DataDir, BinDir: f.PostgresBin, Logger: log}}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	server, err := embeddedpg.Start(ctx, d.options)
	if err != nil {
		return nil, fmt.Errorf("start the embedded PostgreSQL, for no --database-url is given: %w", err)
	}
	d.embedded, d.url = server, server.URL()
	return d, nil
}

// openExisting is open for a tool that makes no database, and that works beside a tusq which
// serves: where that runs the private PostgreSQL already, it is used as it is.
func (f databaseFlags) openExisting(ctx context.Context, log *slog.Logger) (*database, error) {
	if f.DatabaseURL != "" {
		return f.open(ctx, log)
	}
	url, running, err := embeddedpg.Attach(ctx, embeddedpg.Options{DataDir: f.DataDir, BinDir: f.PostgresBin, Logger: log})
	switch {
	case err != nil:
		return nil, fmt.Errorf("look for the embedded PostgreSQL, for no --database-url is given: %w", err)
	case running:
		return &database{url: url, log: log}, nil
	}
	return f.open(ctx, log)
}

// requireSchema fails where the database's schema is not one that this binary works on.
func (d *database) requireSchema(ctx context.Context) error {
	status, err := migrations.ReadStatus(ctx, d.straight())
	switch {
	case err != nil:
		return err
	case !status.Current():
		return fmt.Errorf("the database's schema is at version %d, this binary needs %d: run tusq migrate up", status.Database, status.Binary)
	}
	return checkSupport(status)
}

// checkSupport fails where the schema no longer supports this binary.
func checkSupport(status migrations.Status) error {
	if status.OldestSupported > status.Binary {
		return fmt.Errorf("%w: it is at version %d and supports binaries from version %d on, this one has %d",
			migrations.ErrTooNew, status.Database, status.OldestSupported, status.Binary)
	}
	return nil
}

// supervise starts the private PostgreSQL again when it dies, until ctx ends.
func (d *database) supervise(ctx context.Context) error {
	if d.embedded == nil {
		return nil
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-d.embedded.Done():
			d.log.Error("the embedded PostgreSQL ended; starting it again", "err", d.embedded.Err())
			d.restart(ctx)
		}
	}
	return nil
}

// restart tries to start a PostgreSQL that died until it runs or ctx ends: a full disk, say, lets it start once there is room.
// An attempt may take as long as it needs, for one that is cut off has to recover from the beginning.
func (d *database) restart(ctx context.Context) {
	d.close()
	for pause := restartPause; ; pause = min(2*pause, longestRestartPause) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		server, err := embeddedpg.Start(ctx, d.options)
		if err == nil {
			d.embedded = server
			return
		}
		if ctx.Err() == nil {
			d.log.Error("cannot start the embedded PostgreSQL again yet", "err", err)
		}
	}
}

// close stops the private PostgreSQL.
func (d *database) close() {
	if d.embedded == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := d.embedded.Stop(ctx); err != nil {
		d.log.Error("stop the embedded PostgreSQL", "err", err)
	}
}

// migrate brings the schema up to date. A database that does not answer yet is given
// some time: services are often started together with theirs. While others use a table that is to be
// changed, it is asked for again and again, with pauses in which whoever waits behind it gets on.
func (d *database) migrate(ctx context.Context) (applied int, err error) {
	patience := time.Now().Add(connectTimeout)
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	for {
		applied, err = migrations.UpLogged(ctx, d.straight(), d.log)
		pause := connectPause
		switch {
		case errors.Is(err, migrations.ErrInUse):
			pause = inUsePause
			d.log.Warn("waiting to migrate: see who holds it in pg_locks", "err", err)
		case errors.Is(err, migrations.ErrUnreachable) && time.Now().Before(patience):
			d.log.Warn("waiting for the database", "err", err)
		default:
			return applied, err
		}
		select {
		case <-ctx.Done():
			return 0, errors.Join(context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}
