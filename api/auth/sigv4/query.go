package sigv4

import (
	"bytes"
	"slices"
)

// maxParameters bounds the parameters of a query string. The fullest batch has about 400.
const maxParameters = 1024

// parameter is one of the query string, as offsets in work.query, where its escaped name
// and value follow each other.
type parameter struct {
	start, middle, end int
}

func (w *work) nameOf(p parameter) []byte  { return w.query[p.start:p.middle] }
func (w *work) valueOf(p parameter) []byte { return w.query[p.middle:p.end] }

// readQuery takes a raw query string apart. As for every handler a plus is a space, and
// between two ampersands there is no parameter.
func (w *work) readQuery(raw string) *Error {
	for start := 0; start < len(raw); {
		end := start
		for end < len(raw) && raw[end] != '&' {
			end++
		}
		if end > start {
			if err := w.readParameter(raw[start:end]); err != nil {
				return err
			}
		}
		start = end + 1
	}
	return nil
}

func (w *work) readParameter(pair string) *Error {
	if len(w.parameters) == maxParameters {
		return incomplete("The query string has more than %d parameters.", maxParameters)
	}
	p := parameter{start: len(w.query), middle: -1}
	for i := 0; i < len(pair); i++ {
		b := pair[i]
		switch {
		case b == '=' && p.middle < 0:
			p.middle = len(w.query)
			continue
		case b == '+':
			b = ' '
		case b == '%':
			if i+2 >= len(pair) || !isHex(pair[i+1]) || !isHex(pair[i+2]) {
				return incomplete("The query string has an invalid escape.")
			}
			b = unhex(pair[i+1])<<4 | unhex(pair[i+2])
			i += 2
		}
		w.query = appendEscaped(w.query, b)
	}
	p.end = len(w.query)
	if p.middle < 0 {
		p.middle = p.end
	}
	w.parameters = append(w.parameters, p)
	return nil
}

// writeQuery writes the canonical query string: all parameters but the signature, in the
// order of their escaped names and values.
func (w *work) writeQuery(presigned bool) {
	slices.SortFunc(w.parameters, func(a, b parameter) int {
		if order := bytes.Compare(w.nameOf(a), w.nameOf(b)); order != 0 {
			return order
		}
		return bytes.Compare(w.valueOf(a), w.valueOf(b))
	})
	first := true
	for _, p := range w.parameters {
		if presigned && string(w.nameOf(p)) == paramSignature {
			continue
		}
		if !first {
			w.buffer = append(w.buffer, '&')
		}
		first = false
		w.buffer = append(w.buffer, w.nameOf(p)...)
		w.buffer = append(w.buffer, '=')
		w.buffer = append(w.buffer, w.valueOf(p)...)
	}
}

// appendEscaped appends a byte of text in the form that URIs are signed in: all but
// unreserved characters are escaped.
func appendEscaped(to []byte, b byte) []byte {
	if isUnreserved(b) {
		return append(to, b)
	}
	const digits = "0123456789ABCDEF"
	return append(to, '%', digits[b>>4], digits[b&15])
}

func isUnreserved(b byte) bool {
	return isAlphanumeric(b) || b == '-' || b == '.' || b == '_' || b == '~'
}

func isAlphanumeric(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || isDigit(b)
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isLowerHex(b byte) bool { return isDigit(b) || b >= 'a' && b <= 'f' }

func isHex(b byte) bool { return isLowerHex(b) || b >= 'A' && b <= 'F' }

// unhex returns the value of a hexadecimal digit.
func unhex(b byte) byte {
	if isDigit(b) {
		return b - '0'
	}
	return b&^0x20 - 'A' + 10
}
