package rest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tusq/service"
)

// decoder walks over one JSON text, which must be valid UTF-8.
type decoder struct {
	data []byte
	pos  int
}

// decodeError is what is wrong with a body. It learns its path on the way out.
type decodeError struct {
	code service.Code
	path string // "messages[3].body"; empty for the body as a whole
	text string // goes on after the path: "must be an integer"
}

// wrong makes an error about the value or the name that is being read.
func wrong(text string) *decodeError {
	return &decodeError{code: service.CodeInvalidRequest, text: text}
}

// within puts a step in front of the error's path: a member's name or "[3]".
func (e *decodeError) within(step string) *decodeError {
	const maxPath = 200 // bytes; a step that would make it longer is left out
	switch {
	case len(step)+len(e.path) > maxPath:
	case e.path == "" || strings.HasPrefix(e.path, "["):
		e.path = step + e.path
	default:
		e.path = step + "." + e.path
	}
	return e
}

func (e *decodeError) serviceError() *service.Error {
	subject := e.path
	if subject == "" {
		subject = "The body"
	}
	return &service.Error{Code: e.code, Field: e.path, Message: subject + " " + e.text + "."}
}

// syntax makes an error about text that is not JSON.
func (d *decoder) syntax(what string) *decodeError {
	return wrong(fmt.Sprintf("is not valid JSON: %s at byte %d", what, d.pos))
}

// mismatch makes an error about a value of another kind than the wanted.
func (d *decoder) mismatch(want string) *decodeError {
	var got string
	switch c := d.peek(); {
	case c == '"':
		got = "a string"
	case c == '{':
		got = "an object"
	case c == '[':
		got = "an array"
	case c == '-' || '0' <= c && c <= '9':
		got = "a number"
	case c == 't' || c == 'f':
		got = "a boolean"
	case c == 'n':
		got = "null"
	default:
		return d.syntax("no value")
	}
	return wrong(fmt.Sprintf("must be %s, not %s (at byte %d)", want, got, d.pos))
}

// peek passes over white space and returns the next byte, or 0 at the end. (A zero
// byte in the text is taken for nothing that is JSON, so it is an error too.)
func (d *decoder) peek() byte {
	for ; d.pos < len(d.data); d.pos++ {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// take passes over the next byte if it is c.
func (d *decoder) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.pos++
	return true
}

// literal passes over a word such as null, if it is next.
func (d *decoder) literal(word string) bool {
	if d.peek() != word[0] || !bytes.HasPrefix(d.data[d.pos:], []byte(word)) {
		return false
	}
	d.pos += len(word)
	return true
}

// number passes over the bytes that a number can be made of, and returns them.
func (d *decoder) number() []byte {
	start := d.pos
	for d.pos < len(d.data) && strings.IndexByte("+-.0123456789eE", d.data[d.pos]) >= 0 {
		d.pos++
	}
	return d.data[start:d.pos]
}

// members reads an object. read is called at each member's value; the name is
// good until it returns.
func (d *decoder) members(read func(name []byte) *decodeError) *decodeError {
	if !d.take('{') {
		return d.mismatch("an object")
	}
	if d.take('}') {
		return nil
	}
	for {
		if d.peek() != '"' {
			return d.syntax("no member name")
		}
		name, err := d.text()
		if err != nil {
			return err
		}
		if !d.take(':') {
			return d.syntax("no ':' after a name")
		}
		if err := read(name); err != nil {
			return err.within(string(name))
		}
		if d.take('}') {
			return nil
		}
		if !d.take(',') {
			return d.syntax("neither ',' nor '}'")
		}
	}
}

// elements reads an array. read is called at each element.
func (d *decoder) elements(read func(n int) *decodeError) *decodeError {
	if !d.take('[') {
		return d.mismatch("an array")
	}
	if d.take(']') {
		return nil
	}
	for n := 0; ; n++ {
		if err := read(n); err != nil {
			return err.within("[" + strconv.Itoa(n) + "]")
		}
		if d.take(']') {
			return nil
		}
		if !d.take(',') {
			return d.syntax("neither ',' nor ']'")
		}
	}
}

// text reads a string, at its opening quote. What it returns may be a part of data.
func (d *decoder) text() ([]byte, *decodeError) {
	d.pos++
	start := d.pos
	var unescaped []byte // what comes before start; nil while there was no escape
	for {
		d.pos += plain(d.data[d.pos:])
		if d.pos == len(d.data) {
			return nil, d.syntax("a string without end")
		}
		switch d.data[d.pos] {
		case '"':
			part := d.data[start:d.pos]
			d.pos++
			if unescaped == nil {
				return part, nil
			}
			return append(unescaped, part...), nil
		case '\\':
			unescaped = append(unescaped, d.data[start:d.pos]...)
			var err *decodeError
			if unescaped, err = d.escape(unescaped); err != nil {
				return nil, err
			}
			start = d.pos
		default:
			return nil, d.syntax("a control character, which a string must escape,")
		}
	}
}

// unescape returns what a backslash and c stand for, or 0 where that is no escape of one
// character.
func unescape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
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
	}
	return 0
}

// escape reads an escape, at its backslash, and appends what it stands for.
func (d *decoder) escape(text []byte) ([]byte, *decodeError) {
	if d.pos+1 < len(d.data) {
		if c := unescape(d.data[d.pos+1]); c != 0 {
			d.pos += 2
			return append(text, c), nil
		}
	}
	r, ok := d.unit()
	if !ok {
		return nil, d.syntax("an unknown escape")
	}
	d.pos += 6
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(text, r), nil
	}
	low, ok := d.unit()
	if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
		d.pos += 6
		return utf8.AppendRune(text, pair), nil
	}
	return nil, wrong(fmt.Sprintf("is not valid Unicode: half of a surrogate pair at byte %d", d.pos-6))
}

// unit returns the UTF-16 unit of the \uXXXX at the current place.
func (d *decoder) unit() (rune, bool) {
	rest := d.data[d.pos:]
	if len(rest) < 6 || rest[0] != '\\' || rest[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[2:6]), 16, 16)
	return rune(n), err == nil
}
