//go:build !fault

package faultpoint

import "time"

// Enabled tells whether this build has fault points.
const Enabled = false

// Hit passes a point, which may fail.
func Hit(string) error { return nil }

// Pass passes a point that cannot fail.
func Pass(string) {}

// Planned tells whether faults may be asked for.
func Planned() bool { return false }

// Bug tells whether a defect is switched on.
func Bug(string) bool { return false }

// SQL is a statement, with the defect that is switched on.
func SQL(sql string) string { return sql }

// Every is the pause of a background job.
func Every(pause time.Duration) time.Duration { return pause }
