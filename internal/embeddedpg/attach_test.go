package embeddedpg

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	opts := Options{DataDir: dataDir}
	if _, _, err := Attach(testContext(t), opts); !errors.Is(err, ErrNoCluster) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := os.Stat(dataDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the look has made the directory: %v", err)
	}
	h := startHelper(t, dataDir, self(t), nil)
	want := h.url(t)
	url, running, err := Attach(testContext(t), opts)
	if err != nil || !running || url != want {
		t.Errorf("attached to %q, %v, %v, want %q", url, running, err, want)
	}
	insert(t, url)
	must(t, h.stdin.Close())
	must(t, h.cmd.Wait())
	if url, running, err := Attach(testContext(t), opts); err != nil || running {
		t.Errorf("after the end: %q, %v, %v", url, running, err)
	}
	checkRows(t, start(t, dataDir).URL(), 1)
}
