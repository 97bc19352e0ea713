package sqs

import (
	"bytes"
	"net/http"
)

// maxExpected is how many bytes of a body get room before they have come.
const maxExpected = 1 << 20

// readBody reads a request's body to its end.
func readBody(r *http.Request, buffer *bytes.Buffer) error {
	if r.ContentLength > 0 {
		buffer.Grow(int(min(r.ContentLength, maxExpected)) + bytes.MinRead) // or the end would need more room
	}
	_, err := buffer.ReadFrom(r.Body)
	return err
}
