// Package faultpoint holds the places at which the fault suite makes tusq crash, pause or
// fail, and the defects that it puts into tusq on purpose, to see that they are found.
//
// In a normal build it is empty: its functions are inlined to nothing, and no name of a
// point or a defect is in the binary. Built with the tag "fault", it does what the
// environment says:
//
//	TUSQ_FAULT="repository.commit.before=crash@3,api.reply=pause:500ms"
//	TUSQ_BUG=delete-ignores-lease
//	TUSQ_FAULT_CONTROL=127.0.0.1:9999  # where another plan can be given at any time
//	TUSQ_FAULT_JOBS=50ms               # how often background jobs run
//
// A fault is crash (the process kills itself by SIGKILL), pause:DURATION, fail (an error as
// of a lost connection) or refuse (an error as of data that PostgreSQL refuses), at the
// n-th hit of its point, @n, at each one, @*, or at the first.
//
// Package catalogue lists all points and defects.
package faultpoint
