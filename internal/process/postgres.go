package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"tusq/internal/embeddedpg"
)

// Postgres is a private PostgreSQL with the settings of `tusq serve --data-dir`.
type Postgres struct {
	server *embeddedpg.Server
	dir    string
}

// StartPostgres makes a new cluster in dir and starts it.
func StartPostgres(ctx context.Context, dir string) (*Postgres, error) {
	dir = filepath.Join(dir, "data")
	server, err := embeddedpg.Start(ctx, embeddedpg.Options{DataDir: dir})
	if err != nil {
		return nil, err
	}
	return &Postgres{server: server, dir: dir}, nil
}

// URL is a connection string for pgx.
func (p *Postgres) URL() string { return p.server.URL() }

// ID is the process id of the server, the parent of all its others.
func (p *Postgres) ID() (int, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "postgres", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}

// Version is what the server calls its version, without the distribution's words.
func (p *Postgres) Version(ctx context.Context) (string, error) {
	db, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		return "", fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx))
	var version string
	err = db.QueryRow(ctx, "SHOW server_version").Scan(&version)
	version, _, _ = strings.Cut(version, " ")
	return version, err
}

// Stop ends it.
func (p *Postgres) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = p.server.Stop(ctx) // when it is cut off, the next step removes its files all the same
}
