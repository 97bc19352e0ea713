package embeddedpg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// settingsName is the file in the cluster's directory that postgresql.conf includes.
const settingsName = "tusq.conf"

// settingsText is the file; the verb stands for the compression of the log. All of it can be overruled: see includeSettings.
const settingsText = `# Written by tusq at every start; changes to this file are lost. Overrule it with ALTER SYSTEM, or below its inclusion in
# postgresql.conf.

# Durability: an acknowledged message is on disk. These are PostgreSQL's defaults, written down because tusq promises them.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica                 # lets pg_basebackup and archiving work

# The log. A queue writes all the time: rare checkpoints mean fewer full pages in the log, at the price of disk space
# (a few GB) and of a longer recovery after a crash.
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9  # spread the writes, so that they do not delay commits
max_wal_size = 4GB
min_wal_size = 256MB
wal_buffers = 16MB                  # a batch of large messages fits
wal_compression = %[1]s             # full pages compress well; lz4 costs the least time

# Long bodies: to compress 4 kB of JSON by lz4 takes 0.6 of the time of pglz, 64 kB 0.4.
default_toast_compression = %[2]s

# Memory and connections: a replica of tusq holds few connections, and what is read was just written.
shared_buffers = 256MB
max_connections = 100

# Dead rows are a queue's main product. Look often, and clean at full speed.
autovacuum = on
autovacuum_naptime = 5s
autovacuum_vacuum_cost_delay = 0

# Planning: every statement is short and goes by an index.
jit = off                           # compiling costs more than such a statement
max_parallel_workers_per_gather = 0 # starting workers too
random_page_cost = 1.1              # the indexes are in memory or on an SSD

# A transaction that was forgotten holds back vacuum everywhere.
idle_in_transaction_session_timeout = 1min

timezone = 'UTC'
log_timezone = 'UTC'
cluster_name = 'tusq'               # shown in the titles of the processes

# What is logged: faults, never the text or the values of a statement, for they hold message bodies.
log_statement = none
log_min_duration_statement = -1
log_min_duration_sample = -1
log_min_error_statement = panic
log_error_verbosity = terse         # no DETAIL, which shows rows
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_checkpoints = off               # they come all day; pg_stat_bgwriter counts them
log_lock_waits = on
log_autovacuum_min_duration = 1min
`

// writeSettings puts the settings file in place. It is written under a new name and renamed: this process may be root, and
// must not write through a link in another user's directory.
func (c cluster) writeSettings(ctx context.Context) error {
	file, err := os.CreateTemp(c.dir, settingsName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = fmt.Fprintf(file, settingsText,
		c.compression(ctx, "wal_compression", "on"), c.compression(ctx, "default_toast_compression", "pglz"))
	if c.owner.foreign {
		err = errors.Join(err, file.Chown(c.owner.uid, c.owner.gid))
	}
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(c.dir, settingsName))
}

// compression is the best method for a setting that this build of PostgreSQL knows: lz4, which came with version 14 (for
// the log: 15) and is optional, or else another one.
func (c cluster) compression(ctx context.Context, setting, other string) string {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	_, err := run(c.owner.command(ctx, syscall.SIGKILL, c.bin.postgres(), "-D", c.dir, "-C", setting, "-c", setting+"=lz4"))
	if err != nil {
		return other
	}
	return "lz4"
}

// serverArguments are the settings that this package relies on, which no configuration file may change, and then the caller's.
func serverArguments(c cluster, socket socketDir, overrides map[string]string) []string {
	args := []string{"-D", c.dir}
	set := func(name, value string) { args = append(args, "-c", name+"="+value) }
	set("listen_addresses", "")
	set("unix_socket_directories", quoteListItem(socket.path))
	set("unix_socket_permissions", "0700")
	set("port", socketPort)
	set("log_destination", "stderr")
	set("logging_collector", "off")
	set("log_line_prefix", logPrefix)
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		set(name, overrides[name])
	}
	return args
}
