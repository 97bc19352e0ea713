package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"
)

// ErrNoCluster means that a data directory holds no cluster.
var ErrNoCluster = errors.New("there is no database")

// attachTimeout bounds the look at a socket.
const attachTimeout = 2 * time.Second

// Attach returns the connection string of the server that another process runs on the data
// directory's cluster; running is false where none does. It changes nothing. Where there is no
// cluster it fails with ErrNoCluster.
func Attach(ctx context.Context, opts Options) (url string, running bool, err error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	dataDir, err := filepath.Abs(opts.DataDir)
	if err != nil {
		return "", false, fmt.Errorf("data directory %s: %w", opts.DataDir, err)
	}
	exists, err := clusterExists(dataDir)
	if err != nil {
		return "", false, fmt.Errorf("data directory: %w", err)
	}
	if !exists {
		return "", false, fmt.Errorf("%w in the data directory %s", ErrNoCluster, dataDir)
	}
	c, err := adoptCluster(ctx, dataDir, opts)
	if err != nil {
		return "", false, fmt.Errorf("embedded PostgreSQL: %w", err)
	}
	s := &Server{socket: socketOf(c)}
	dialer := net.Dialer{Timeout: attachTimeout}
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(s.socket.path, socketName))
	if err != nil {
		return "", false, nil // nobody listens
	}
	return s.URL(), true, conn.Close()
}
