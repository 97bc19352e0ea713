// Package engine merges concurrent operations into flushes: one flush, one commit.
//
// The first operation flushes at once. Whatever arrives while that flush runs is the
// next one. There is no timer, so a lone caller waits for nothing, and under load a
// commit's cost is shared by all that waited for the one before it (group commit, as
// in "Implementation Techniques for Main Memory Database Systems", DeWitt et al., 1984).
//
// While a flush waits for its commit alone, the next one may begin, on another
// loop: what takes the processor goes on while the disk is waited for.
//
// The package knows neither SQL nor HTTP nor queues: an operation is any T.
//
// States of an operation: pending, in a flush, done. Invariants:
//
//   - Pending operations are bounded by weight; beyond it Submit refuses with ErrFull
//     and keeps nothing.
//   - Operations that are submitted together are flushed together, in their order,
//     and no flush exceeds its limits except by a single submission.
//   - Done is called exactly once for each operation that Submit accepted, also when
//     the loop is closed: what is pending then is flushed first.
//   - A flush runs on a context of its own with its own deadline. A caller that goes
//     away never cancels a commit.
//
// A flush that fails for one operation's data is divided, until the operation that
// spoils it fails alone and its neighbours succeed.
package engine
