// Package buffers keeps buffers for use again: for bodies while they are read, and for
// answers while they are made.
package buffers

import (
	"bytes"
	"net/http"
	"sync"
)

// MaxKept is the capacity, in bytes, over which a buffer is not kept: a few long bodies
// must not stay in memory for ever.
const MaxKept = 256 << 10

// FirstBytes is for how many bytes of a body there is room before any has come.
const FirstBytes = 4 << 10

var pool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Get returns an empty buffer. It should be Put back, when nothing refers to its bytes.
func Get() *bytes.Buffer {
	buffer := pool.Get().(*bytes.Buffer)
	buffer.Reset()
	return buffer
}

// Put keeps a buffer, unless it has grown too large.
func Put(buffer *bytes.Buffer) {
	if buffer.Cap() <= MaxKept {
		pool.Put(buffer)
	}
}

// ReadBody reads a request's body to its end. The buffer grows by what comes, not by what is announced.
func ReadBody(buffer *bytes.Buffer, r *http.Request) error {
	if r.ContentLength > 0 {
		buffer.Grow(int(min(r.ContentLength, FirstBytes)) + bytes.MinRead) // or the end would need more room
	}
	_, err := buffer.ReadFrom(r.Body)
	return err
}
