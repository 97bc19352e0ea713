package pgtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/testcert"
)

// TLSServer starts a server that takes connections by TCP with TLS alone, with a
// certificate of ca for name: "" is the server's own address. It returns the URL of a
// migrated database, with the query that is given. The server ends with the test.
func TLSServer(t testing.TB, ca *testcert.Authority, name, query string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	// The port is the same for all embedded servers, so each has an address of its own.
	address := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	server, dir, err := startServer(ctx, map[string]string{"listen_addresses": address})
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	direct := serve(ctx, t, server, dir)
	if name == "" {
		name = address
	}
	if err := demandTLS(ctx, t, direct, filepath.Join(dir, "data", "postgres"), ca.Issue(name)); err != nil {
		t.Fatalf("switch TLS on: %v", err)
	}
	config, err := pgx.ParseConfig(direct)
	if err != nil {
		t.Fatal(err)
	}
	u := url.URL{
		Scheme: "postgres", User: url.User(config.User), Host: fmt.Sprintf("%s:%d", address, config.Port),
		Path: config.Database, RawQuery: query,
	}
	return u.String()
}

// demandTLS has a running server, whose cluster is in dir, take no other connections by TCP.
func demandTLS(ctx context.Context, t testing.TB, url, dir string, pair testcert.Pair) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	cert, key := pair.Write(t, dir, "server")
	access := testcert.Write(t, dir, "pg_hba.conf", []byte("local all all trust\nhostssl all all 127.0.0.0/8 trust\n"))
	for _, path := range []string{cert, key, access} {
		if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range []string{"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return awaitTLS(ctx, url)
}

// awaitTLS waits until new connections are made with what the server has read again.
func awaitTLS(ctx context.Context, url string) error {
	for {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		var on bool
		err = conn.QueryRow(ctx, "SELECT current_setting('ssl')::boolean").Scan(&on)
		conn.Close(ctx)
		if err != nil || on {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
