package sqs

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonInput is an input of a hot action, which reads itself without reflection.
type jsonInput interface {
	// readJSON fills in a zero input, or has the reader give up.
	readJSON(r *jsonReader)
}

// jsonReader reads the JSON that clients write for hot actions. On all else, be it right
// or wrong, it gives up, and encoding/json decides what the body means: a member that
// is not known or has another case, a null, a value of a wrong type, text that is not
// Unicode. So it needs no errors of its own, and what it does read is exactly what
// encoding/json would read. Strings are parts of the body where they have no escapes.
type jsonReader struct {
	body   string
	pos    int
	gaveUp bool
	ids    []string // room for the entries' ids, of which inputs have pointers

	unescaped []byte // room for a string with escapes
}

// readHot reads a body into input and tells whether it could. If not, input may hold a
// part of it.
func readHot(body string, input jsonInput) bool {
	r := jsonReader{body: body}
	input.readJSON(&r)
	r.peek()
	return !r.gaveUp && r.pos == len(body)
}

// giveUp leaves the body to encoding/json. No value is found any more.
func (r *jsonReader) giveUp() {
	r.gaveUp = true
	r.pos = len(r.body)
}

// peek passes over white space and returns the next byte, or 0 at the end.
func (r *jsonReader) peek() byte {
	for ; r.pos < len(r.body); r.pos++ {
		switch c := r.body[r.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take passes over the next byte if it is c.
func (r *jsonReader) take(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.pos++
	return true
}

// need passes over the next byte, which has to be c.
func (r *jsonReader) need(c byte) {
	if !r.take(c) {
		r.giveUp()
	}
}

// object reads an object. member is called at each member's value.
func (r *jsonReader) object(member func(name string)) {
	r.need('{')
	if r.take('}') {
		return
	}
	for !r.gaveUp {
		name := r.string()
		r.need(':')
		member(name)
		if r.take('}') {
			return
		}
		r.need(',')
	}
}

// readList reads a list, whose items item reads. Given twice, a list is left to
// encoding/json, which reads the second one over the first.
func readList[T any](r *jsonReader, list *[]T, item func(*T)) {
	if *list != nil {
		r.giveUp()
		return
	}
	*list = []T{}
	r.need('[')
	if r.take(']') {
		return
	}
	*list = make([]T, 0, maxEntries)
	for !r.gaveUp {
		*list = append(*list, *new(T))
		item(&(*list)[len(*list)-1])
		if r.take(']') {
			return
		}
		r.need(',')
	}
}

// strings reads a list of strings.
func (r *jsonReader) strings(list *[]string) {
	readList(r, list, func(s *string) { *s = r.string() })
}

// id reads a string that stays where it is. A batch's ids are allocated together.
func (r *jsonReader) id() *string {
	if len(r.ids) == cap(r.ids) {
		r.ids = make([]string, 0, maxEntries)
	}
	r.ids = append(r.ids, r.string())
	return &r.ids[len(r.ids)-1]
}

// integer reads an integer of up to 18 digits, which cannot overflow.
func (r *jsonReader) integer() int {
	negative := r.take('-')
	start, n := r.pos, 0
	for r.pos < len(r.body) && '0' <= r.body[r.pos] && r.body[r.pos] <= '9' {
		n = n*10 + int(r.body[r.pos]-'0')
		r.pos++
	}
	digits := r.pos - start
	if digits == 0 || digits > 18 || digits > 1 && r.body[start] == '0' {
		r.giveUp()
	}
	if negative {
		return -n
	}
	return n
}

// binary reads a binary value.
func (r *jsonReader) binary() blob {
	value, err := base64.StdEncoding.DecodeString(r.string())
	if err != nil {
		r.giveUp()
	}
	return value
}

// string reads a string.
func (r *jsonReader) string() string {
	r.need('"')
	start := r.pos // of what is not in unescaped
	unescaped := r.unescaped[:0]
	for {
		r.pos += plainPrefix(r.body[r.pos:])
		if r.pos == len(r.body) {
			r.giveUp()
			return ""
		}
		part := r.body[start:r.pos]
		switch r.body[r.pos] {
		case '"':
			r.pos++
			if len(unescaped) == 0 {
				return part
			}
			r.unescaped = append(unescaped, part...)
			return string(r.unescaped)
		case '\\':
			unescaped = utf8.AppendRune(append(unescaped, part...), r.escape())
			start = r.pos
		default:
			r.character()
		}
	}
}

// character passes over a character that is not ASCII.
func (r *jsonReader) character() {
	c, size := utf8.DecodeRuneInString(r.body[r.pos:])
	if c < ' ' || c == utf8.RuneError && size == 1 {
		r.giveUp()
		return
	}
	r.pos += size
}

// escape reads an escape, at its backslash.
func (r *jsonReader) escape() rune {
	c := byte(0)
	if r.pos+1 < len(r.body) {
		c = r.body[r.pos+1]
	}
	r.pos += 2
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		return r.unicode()
	}
	r.giveUp()
	return 0
}

// unicode reads the digits of an escape \u, and the escape after it where they make a
// pair of surrogates.
func (r *jsonReader) unicode() rune {
	unit := r.hex()
	if !utf16.IsSurrogate(unit) {
		return unit
	}
	if strings.HasPrefix(r.body[r.pos:], `\u`) {
		r.pos += 2
		if pair := utf16.DecodeRune(unit, r.hex()); pair != utf8.RuneError {
			return pair
		}
	}
	r.giveUp()
	return 0
}

// hex reads four hexadecimal digits.
func (r *jsonReader) hex() rune {
	if r.pos+4 > len(r.body) {
		r.giveUp()
		return 0
	}
	var unit rune
	for _, c := range []byte(r.body[r.pos : r.pos+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = (c | 0x20) - 'a' + 10
		default:
			r.giveUp()
			return 0
		}
		unit = unit<<4 | rune(c)
	}
	r.pos += 4
	return unit
}
