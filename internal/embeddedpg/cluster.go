package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	clusterName    = "postgres"      // in the data directory: the cluster, or a link to it
	unfinishedName = "postgres.init" // the same while initdb works on it
	farPrefix      = "cluster-"      // in farHome: clusters that could not be in their data directory
)

// farHome holds the clusters of data directories that PostgreSQL's user cannot reach, such as those below /root.
const farHome = "/var/lib/tusq"

// cluster is a complete PostgreSQL cluster, who owns it, and the programs that can run it.
type cluster struct {
	dir   string // real path
	owner account
	bin   binaries
}

// openCluster finds the data directory's cluster, or makes it.
func openCluster(ctx context.Context, dataDir string, opts Options) (cluster, error) {
	if err := removeUnfinished(ctx, dataDir); err != nil {
		return cluster{}, fmt.Errorf("remove the remainder of an interrupted start: %w", err)
	}
	exists, err := clusterExists(dataDir)
	if err != nil {
		return cluster{}, err
	}
	if !exists {
		return createCluster(ctx, dataDir, opts)
	}
	return adoptCluster(ctx, dataDir, opts)
}

// clusterExists reports false for a missing and for an empty directory.
func clusterExists(dataDir string) (bool, error) {
	path := filepath.Join(dataDir, clusterName)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if _, err := os.Stat(path); err != nil {
			return false, fmt.Errorf("%s is a link to a cluster that cannot be found: %w", path, err)
		}
		return true, nil
	}
	entries, err := os.ReadDir(path)
	return err != nil || len(entries) > 0, nil // whatever is wrong with it, adoptCluster finds out
}

// adoptCluster looks at an existing cluster and finds who and what can run it. It changes nothing.
func adoptCluster(ctx context.Context, dataDir string, opts Options) (cluster, error) {
	dir, err := filepath.EvalSymlinks(filepath.Join(dataDir, clusterName))
	if err != nil {
		return cluster{}, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return cluster{}, err
	}
	owner, err := accountForOwner(dir, info)
	if err != nil {
		return cluster{}, err
	}
	major, err := readMajor(dir)
	if err != nil {
		return cluster{}, err
	}
	bin, err := newFinder(opts.BinDir, owner).forCluster(ctx, dir, major)
	if err != nil {
		return cluster{}, err
	}
	reachable, err := owner.canEnter(ctx, bin, dir)
	if err == nil && !reachable {
		err = fmt.Errorf("user %s, who owns the cluster %s, cannot pass through the directories above it", owner.name, dir)
	}
	return cluster{dir: dir, owner: owner, bin: bin}, err
}

// readMajor reads the major version that made a cluster.
func readMajor(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s is not a PostgreSQL cluster (it has no PG_VERSION): move it away", dir)
	}
	if err != nil {
		return 0, fmt.Errorf("read the cluster's version: %w", err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0, fmt.Errorf("read the cluster's version: %s/PG_VERSION holds %q", dir, text)
	}
	return major, nil
}

// createCluster makes a cluster under its unfinished name and renames it when it is complete and on disk.
func createCluster(ctx context.Context, dataDir string, opts Options) (cluster, error) {
	owner, err := accountForNew()
	if err != nil {
		return cluster{}, err
	}
	bin, err := newFinder(opts.BinDir, owner).anyVersion(ctx)
	if err != nil {
		return cluster{}, err
	}
	c := cluster{owner: owner, bin: bin}
	if c.dir, err = c.place(ctx, dataDir, opts); err != nil {
		return cluster{}, fmt.Errorf("make room for the cluster: %w", err)
	}
	opts.Logger.Info("creating the embedded PostgreSQL's cluster", "cluster", c.dir, "version", bin.major, "programs", bin.dir, "user", owner.name)
	if err := c.initialise(ctx, opts); err != nil {
		return cluster{}, errors.Join(err, removeUnfinished(context.WithoutCancel(ctx), dataDir))
	}
	final := filepath.Join(dataDir, clusterName)
	if err := os.Remove(final); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty directory; see clusterExists
		return cluster{}, fmt.Errorf("put the new cluster in place: %w", err)
	}
	if err := os.Rename(filepath.Join(dataDir, unfinishedName), final); err != nil {
		return cluster{}, fmt.Errorf("put the new cluster in place: %w", err)
	}
	if c.dir, err = filepath.EvalSymlinks(final); err != nil {
		return cluster{}, err
	}
	return c, errors.Join(syncDir(dataDir), syncDir(filepath.Dir(c.dir)))
}

// place makes the empty directory for a new cluster: in the data directory, or in farHome when the cluster's user cannot reach
// the data directory.
func (c cluster) place(ctx context.Context, dataDir string, opts Options) (string, error) {
	reachable, err := c.owner.canEnter(ctx, c.bin, dataDir)
	if err != nil {
		return "", err
	}
	unfinished := filepath.Join(dataDir, unfinishedName)
	if reachable {
		return unfinished, errors.Join(os.Mkdir(unfinished, 0o700), c.owner.give(unfinished))
	}
	// #nosec G301 -- the server's user passes through it; its names cannot be listed
	if err := os.MkdirAll(farHome, 0o711); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(farHome, farPrefix)
	if err != nil {
		return "", err
	}
	opts.Logger.Warn("the data directory cannot be reached by the user that runs PostgreSQL; the cluster is placed elsewhere, and linked",
		"data_dir", dataDir, "user", c.owner.name, "cluster", dir)
	return dir, errors.Join(os.Symlink(dir, unfinished), c.owner.give(dir))
}

// removeUnfinished removes what an interrupted createCluster left, running programs included.
func removeUnfinished(ctx context.Context, dataDir string) error {
	path := filepath.Join(dataDir, unfinishedName)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	dir := path
	if info.Mode()&fs.ModeSymlink != 0 {
		if dir, err = os.Readlink(path); err != nil {
			return err
		}
		if filepath.Dir(dir) != farHome || !strings.HasPrefix(filepath.Base(dir), farPrefix) {
			return fmt.Errorf("%s links to %s, which tusq did not make", path, dir)
		}
	}
	if err := killAllIn(ctx, dir); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(dir), os.RemoveAll(path))
}

// syncDir makes the names in a directory durable: a commit is worth nothing in a cluster whose name is lost.
func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
