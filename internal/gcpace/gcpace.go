// Package gcpace paces the garbage collector of a server whose live heap is small.
//
// Go collects when the heap has grown by a share of what is live (GOGC, 100 %). A server
// with 10 MiB of live heap then collects a hundred times a second under load, which took a
// tenth of its time. So the share follows from what is live: room to grow by a fixed number of
// bytes, and by no more than a small share where much is live. It is set anew after
// each collection, when a sentinel has been collected; the goal of the next one follows.
//
// GOMEMLIMIT holds beside it. Where GOGC is set, nothing is changed.
package gcpace

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Bounds of the share, in percent.
const (
	least = 50
	most  = 1600
)

// Start lets the heap grow by room bytes between two collections, for as long as the
// process lives.
func Start(room uint64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	watch(room)
}

// watch sets the share after the next collection, and so on.
func watch(room uint64) {
	sentinel := new([64]byte) // larger than what shares its memory with others
	runtime.AddCleanup(sentinel, func(room uint64) {
		debug.SetGCPercent(percent(live(), room))
		watch(room)
	}, room)
}

// live is how many bytes the last collection found in use.
func live() uint64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}

// percent is the share that room is of live, within its bounds.
func percent(live, room uint64) int {
	return int(min(max(100*room/max(live, 1), least), most))
}
