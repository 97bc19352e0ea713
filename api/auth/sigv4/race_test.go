//go:build race

package sigv4_test

// mostAllocations of a verification: the race detector has pools forget at random.
const mostAllocations = 8
