package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// stepTimeout bounds each step of Start (initdb, creating the database, the first sign of life of the server) on top of the
// caller's context. Crash recovery is bounded by the context alone.
const stepTimeout = 60 * time.Second

// Options of Start.
type Options struct {
	// DataDir is tusq's data directory. It is created when missing; the cluster lives in DataDir/postgres.
	DataDir string
	// BinDir is the directory of initdb and postgres. Empty: they are looked for in PATH, then in the directories where
	// the distributions install them.
	BinDir string
	// Settings are server settings that win over all others, those in the cluster's configuration files too.
	Settings map[string]string
	// Logger receives what this package does and what the server logs. Nil discards both.
	Logger *slog.Logger
}

// Server is a running PostgreSQL server. Its methods may be called concurrently.
type Server struct {
	log       *slog.Logger
	server    *child
	socket    socketDir
	locks     []*lock
	releasing sync.Once
}

// Start makes the cluster if there is none, starts PostgreSQL on it, and returns when it accepts connections. The context
// bounds the start only. Whatever an earlier run left behind, finished or killed, is cleared up first. On an error
// nothing is left running.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	dataDir, err := makeDataDir(opts.DataDir)
	if err != nil {
		return nil, fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	held, err := lockDataDir(dataDir)
	if err != nil {
		return nil, fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	s := &Server{log: opts.Logger, locks: []*lock{held}}
	if err := s.start(ctx, dataDir, opts); err != nil {
		s.release()
		return nil, fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	return s, nil
}

// start runs the steps that need the data directory's lock.
func (s *Server) start(ctx context.Context, dataDir string, opts Options) error {
	began := time.Now()
	c, err := openCluster(ctx, dataDir, opts)
	if err != nil {
		return err
	}
	held, err := lockCluster(c.dir)
	if err != nil {
		return err
	}
	s.locks = append(s.locks, held)
	if err := clearLeftovers(ctx, c.dir, s.log); err != nil {
		return err
	}
	if err := c.writeSettings(ctx); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if s.socket, err = makeSocketDir(c); err != nil {
		return err
	}
	if s.server, err = launch(ctx, c, s.socket, opts); err != nil {
		return err
	}
	if err := s.server.waitReady(ctx, c.dir); err != nil {
		return s.abandon(err)
	}
	s.log.Info("embedded PostgreSQL is ready", "version", c.bin.major, "pid", s.server.pid(), "user", c.owner.name,
		"cluster", c.dir, "socket", s.socket.path, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// abandon stops a server that did not become ready and returns why, with the last lines that it logged.
func (s *Server) abandon(cause error) error {
	expired, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.server.stop(expired)
	if ended := s.server.err; errors.Is(cause, errEnded) && ended != nil {
		return ended
	}
	return s.server.tail.explain(cause)
}

// URL is a connection string for pgx and libpq in their keyword/value form: Unix socket, user and database "tusq". It
// holds no secret.
func (s *Server) URL() string {
	return fmt.Sprintf("host=%s port=%s user=%s dbname=%s", quoteKeyword(s.socket.path), socketPort, superuser, database)
}

// Done is closed when the server process has ended, asked or not.
func (s *Server) Done() <-chan struct{} { return s.server.done }

// Err says why the server ended, with its last log lines. It is nil before Done is closed and after a clean Stop.
func (s *Server) Err() error {
	select {
	case <-s.server.done:
		return s.server.err
	default:
		return nil
	}
}

// Stop shuts the server down and returns when it has ended: connections are closed and open transactions rolled back at
// once (fast shutdown). When ctx ends first the server is cut off, and Stop returns an error; nothing that was committed
// is lost, the next Start recovers it. Stop may be called again, and after the server has ended by itself.
func (s *Server) Stop(ctx context.Context) error {
	err := s.server.stop(ctx)
	s.release()
	return err
}

// release gives up the locks, once, after the server has ended.
func (s *Server) release() {
	s.releasing.Do(func() {
		s.socket.remove()
		for i := len(s.locks) - 1; i >= 0; i-- {
			s.locks[i].release()
		}
	})
}

// makeDataDir creates the directory, private but for root, whose PostgreSQL runs as another user and must pass through
// it. The result is absolute and free of symbolic links.
func makeDataDir(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("no data directory is configured")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory %s: %w", dir, err)
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711
	}
	if err := os.MkdirAll(abs, mode); err != nil {
		return "", fmt.Errorf("create data directory: %w", err)
	}
	abs, err = filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	return abs, nil
}
