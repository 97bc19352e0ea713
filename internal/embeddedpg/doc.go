// Package embeddedpg runs a private PostgreSQL server as a child of this process: the database of a tusq that was given
// no database URL.
//
// # States
//
// A data directory holds one cluster, in DataDir/postgres. While initdb works on it, it is called DataDir/postgres.init;
// the rename to its final name is the moment from which it exists. So a cluster under its final name is complete, and
// anything under the other name is the remainder of an interrupted start and is removed.
//
// # Invariants
//
//   - One tusq for one data directory: DataDir/tusq.lock is locked (flock) for the life of the Server, and so is the cluster's
//     directory itself, because two data directories can link to the same cluster. The kernel releases both locks
//     however the process ends; PostgreSQL does not inherit them.
//   - Whoever holds the locks may stop any PostgreSQL process that works in the cluster's directory: its owner is gone. No
//     process is signalled before its program and its working directory were looked at.
//   - The server is reachable through one Unix socket, in a directory that only the server's user and root can enter. That
//     directory is the authentication; there is no TCP and no password.
//   - PostgreSQL never runs as root. Root starts it as the owner of the cluster, or for a new one as tusq, postgres or nobody,
//     whichever exists first.
//   - The version of an existing cluster decides which programs run it. Nothing is upgraded.
//
// # Failures
//
// When tusq is killed, on Linux the kernel sends PostgreSQL SIGINT and it shuts down cleanly; elsewhere it keeps running until the
// next Start stops it. When PostgreSQL is killed, Done is closed and the next Start recovers the cluster from its log.
// When both are killed, PostgreSQL's own child processes may survive for a while and block the shared memory; the next
// Start stops them. A postmaster.pid whose process id now belongs to somebody else's program is removed.
package embeddedpg
