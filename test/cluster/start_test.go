package cluster

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tusq/client"
)

// TestPostgresThatDoesNotStartAgain: while the embedded PostgreSQL finds its log's directory closed, as it finds
// no room on a full disk, calls are refused; once that has passed they are served without anybody's help.
func TestPostgresThatDoesNotStartAgain(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	r := serve(t, freeAddress(t), "--data-dir", dir)
	c := newClient(t, r.url())
	if _, _, err := c.CreateQueue(t.Context(), client.CreateQueue{Name: "demo"}); err != nil {
		t.Fatal(err)
	}
	wal := filepath.Join(dir, "postgres", "pg_wal")
	mode := func(mode os.FileMode) {
		if err := os.Chmod(wal, mode); err != nil {
			t.Error(err)
		}
	}
	mode(0)
	t.Cleanup(func() { mode(0o700) })
	kill(t, postmaster(t, dir), syscall.SIGKILL)
	eventually(t, 30*time.Second, "two attempts have failed", func() bool {
		return strings.Count(r.log.String(), "cannot start the embedded PostgreSQL again yet") >= 2
	})
	if live, ready := status(r.url()+"/livez"), status(r.url()+"/readyz"); live != http.StatusOK || ready != http.StatusServiceUnavailable {
		t.Errorf("/livez answers %d, /readyz %d while PostgreSQL is down", live, ready)
	}
	mode(0o700)
	r.awaitReady()
	if _, err := c.Send(t.Context(), "demo", client.SendMessage{Body: "after"}); err != nil {
		t.Error(err)
	}
}
