package pgtest

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Hosts returns a connection string that names the servers of several, in their order, and the
// user and the database of the last.
func Hosts(t testing.TB, urls ...string) string {
	t.Helper()
	var hosts, ports []string
	var last *pgx.ConnConfig
	for _, url := range urls {
		config, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		hosts, ports, last = append(hosts, config.Host), append(ports, strconv.Itoa(int(config.Port))), config
	}
	quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	return "host='" + strings.Join(hosts, ",") + "' port=" + strings.Join(ports, ",") +
		" user='" + quoted.Replace(last.User) + "' password='" + quoted.Replace(last.Password) + "' dbname='" + quoted.Replace(last.Database) + "'"
}

// Silent returns the URL of a server that takes connections and never says a word. It ends with the test.
func Silent(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return "postgres://" + listener.Addr().String() + "/none"
}
