package sigv4

import (
	"crypto/sha256"
	"sync"
)

// maxKept is the capacity, in bytes, over which a work's memory is not used again.
const maxKept = 64 << 10

// work is the memory of one verification.
type work struct {
	claim      claim
	buffer     []byte // the canonical request, and then the string to sign
	query      []byte // the escaped names and values of parameters
	parameters []parameter
	name       [maxName]byte     // of a header, as http.Header has it
	claimed    [sha256.Size]byte // the request's signature
	mac        [sha256.Size]byte // the signature that it should have
	macs       int               // HMACs made
}

var works = sync.Pool{New: func() any { return new(work) }}

func getWork() *work {
	w := works.Get().(*work)
	w.buffer, w.query, w.parameters, w.macs = w.buffer[:0], w.query[:0], w.parameters[:0], 0
	return w
}

// putWork keeps a work's memory, but not the request's.

func putWork(w *work) {
	w.claim = claim{}
	if cap(w.buffer) <= maxKept && cap(w.query) <= maxKept {
		works.Put(w)
	}
}
