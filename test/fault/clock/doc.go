// Package clock tests what happens when the database's clock jumps. All of tusq's decisions
// are made by that clock, so a jump moves them all together: forward, leases end early and
// their messages come again; back, leases and the memory of deduplication ids last
// longer, and what was sent before the jump is visible when the clock has come to it again.
// Nothing is lost, and the order of a group does not depend on time.
package clock
