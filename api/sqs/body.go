package sqs

import (
	"bytes"
	"net/http"
	"sync"
)

const (
	// maxPooled is the capacity, in bytes, over which a buffer is not kept: a few long
	// bodies must not stay in memory for ever.
	maxPooled = 256 << 10
	// maxExpected is how many bytes of a body get room before they have come.
	maxExpected = 1 << 20
)

// buffers hold bodies while they are read, and answers while they are made.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func getBuffer() *bytes.Buffer {
	buffer := buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	return buffer
}

func putBuffer(buffer *bytes.Buffer) {
	if buffer.Cap() <= maxPooled {
		buffers.Put(buffer)
	}
}

// readBody reads a request's body to its end.
func readBody(r *http.Request, buffer *bytes.Buffer) error {
	if r.ContentLength > 0 {
		buffer.Grow(int(min(r.ContentLength, maxExpected)) + bytes.MinRead) // or the end would need more room
	}
	_, err := buffer.ReadFrom(r.Body)
	return err
}
