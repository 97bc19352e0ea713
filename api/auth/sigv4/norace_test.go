//go:build !race

package sigv4_test

// mostAllocations of a verification.
const mostAllocations = 0
