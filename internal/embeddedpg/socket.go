package embeddedpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// socketPort is part of the socket's name only.
	socketPort = "5432"
	socketName = ".s.PGSQL." + socketPort
	// longestSocket is the length in bytes of a socket's path that works everywhere: 103 on macOS, 107 on Linux.
	longestSocket = 103
)

// socketDir is the directory of the server's socket. Only the server's user and root can enter it: that is the authentication.
type socketDir struct {
	path      string
	temporary bool // made for one run of the server, outside of the cluster
}

// makeSocketDir uses the cluster's own directory, which PostgreSQL keeps private, unless its path is too long for a socket or has
// a comma, which separates hosts in a connection string. The caller has made sure that no server runs on the cluster.
func makeSocketDir(c cluster) (socketDir, error) {
	d := socketOf(c)
	if d.temporary {
		if err := makePrivate(d.path, c.owner); err != nil {
			return socketDir{}, err
		}
	}
	// Left by a server that was killed. PostgreSQL would refuse to start if the process id in the lock file had gone to
	// another program of the same user.
	for _, name := range []string{socketName, socketName + ".lock"} {
		if err := os.Remove(filepath.Join(d.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return socketDir{}, fmt.Errorf("remove the socket of an earlier run: %w", err)
		}
	}
	return d, nil
}

// socketOf is where the socket of a cluster's server is, whether it runs or not.
func socketOf(c cluster) socketDir {
	if !fits(c.dir) || strings.Contains(c.dir, ",") {
		return socketDir{path: temporarySocketDir(c), temporary: true}
	}
	return socketDir{path: c.dir}
}

// makePrivate makes a directory that only the owner and root can enter, or accepts one that exists.
func makePrivate(path string, owner account) error {
	err := os.Mkdir(path, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make a directory for the socket: %w", err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("look at the socket directory: %w", err)
	}
	uid, _ := ownerOf(info)
	private := info.IsDir() && info.Mode().Perm() == 0o700
	switch {
	case private && uid == owner.uid:
		return nil
	case private && uid == os.Geteuid():
		return owner.give(path)
	default:
		return fmt.Errorf("%s exists and is not a private directory of user %s: somebody else has put it there; remove it", path, owner.name)
	}
}

// temporarySocketDir is the same for the same cluster at every start. Root's is in /tmp, because TMPDIR may be closed to the user that
// runs PostgreSQL.
func temporarySocketDir(c cluster) string {
	sum := sha256.Sum256([]byte(c.dir))
	name := fmt.Sprintf("tusq-%d-%s", c.owner.uid, hex.EncodeToString(sum[:8]))
	if path := filepath.Join(os.TempDir(), name); !c.owner.foreign && fits(path) && !strings.Contains(path, ",") {
		return path
	}
	return filepath.Join("/tmp", name)
}

func fits(dir string) bool { return len(filepath.Join(dir, socketName)) <= longestSocket }

func (d socketDir) remove() {
	if d.temporary {
		_ = os.RemoveAll(d.path) // a remainder is taken over by the next start
	}
}

// quoteListItem quotes a path for a setting that is a list.
func quoteListItem(path string) string { return `"` + strings.ReplaceAll(path, `"`, `""`) + `"` }

// quoteKeyword quotes a value of a keyword/value connection string.
func quoteKeyword(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
