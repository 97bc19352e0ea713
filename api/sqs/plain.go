package sqs

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// plainPrefix returns how many bytes at the beginning of text stand for themselves in JSON:
// ASCII but for control characters, the quote and the backslash. It looks at eight bytes at a time,
// for a message's body is nearly all of a request: a byte's high bit in special is set
// if it is not ASCII, or if what is subtracted from it borrows. A borrow reaches only bytes
// after that one, so the first bit is right.
func plainPrefix(text string) int {
	bytes := []byte(text) // not copied: nothing writes to it
	n := 0
	for ; n+8 <= len(bytes); n += 8 {
		word := binary.LittleEndian.Uint64(bytes[n:])
		special := word |
			(word - ' '*everyByte) |
			((word ^ '"'*everyByte) - everyByte) |
			((word ^ '\\'*everyByte) - everyByte)
		if special &= highBits; special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for n < len(bytes) && isPlain[bytes[n]] {
		n++
	}
	return n
}

// isPlain tells of every byte whether it stands for itself in JSON.
var isPlain = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()
