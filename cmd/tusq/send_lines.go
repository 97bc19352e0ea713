package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// line is one line of an input: without its LF, everything else as it was.
type line struct {
	number  int64 // from 1
	body    string
	refused string // why it cannot be a message; empty: it can
}

// lineReader splits an input of any length into lines. It holds no more than limit
// bytes of a line, whatever the input.
type lineReader struct {
	in     *bufio.Reader
	limit  int // bytes of a body
	number int64
	end    error  // of the input, once met
	long   []byte // the line being read, where the reader's buffer cannot hold it
}

func newLineReader(in io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// ready tells whether next can return a line without reading from the input.
func (r *lineReader) ready() bool {
	buffered, err := r.in.Peek(r.in.Buffered())
	return err == nil && bytes.IndexByte(buffered, '\n') >= 0
}

// next returns the next line, or io.EOF. A last line without LF is a line; after a
// read error the unfinished line is not returned.
func (r *lineReader) next() (line, error) {
	if r.end != nil {
		return line{}, r.end
	}
	text, length, err := r.read()
	if err != nil {
		return line{}, err
	}
	r.number++
	l := line{number: r.number}
	if length > int64(r.limit) {
		l.refused = fmt.Sprintf("%d bytes, more than a message's %d", length, r.limit)
	} else if l.refused = unfit(text); l.refused == "" {
		l.body = string(text)
	}
	return l, nil
}

// read returns the next line's text, which is valid until the next call, and its
// length; of a line over the limit only the length.
func (r *lineReader) read() (text []byte, length int64, err error) {
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		last := err == nil
		if last {
			part = part[:len(part)-1]
		}
		length += int64(len(part))
		switch {
		case last && length == int64(len(part)):
			return part, length, nil
		case length <= int64(r.limit):
			r.long = append(r.long, part...)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			r.end = err
		}
		switch {
		case last, errors.Is(r.end, io.EOF) && length > 0:
			return r.long, length, nil
		case r.end != nil:
			return nil, 0, r.end
		}
	}
}

// unfit returns why text cannot be a message's body, or "". Allowed are the characters
// of XML 1.0, as in Amazon SQS: #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF.
func unfit(text []byte) string {
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c < utf8.RuneSelf || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		char, size := utf8.DecodeRune(text[i:])
		switch {
		case char == utf8.RuneError && size == 1:
			return fmt.Sprintf("not UTF-8 at byte %d", i+1)
		case char < 0x20 || char == 0xFFFE || char == 0xFFFF:
			return fmt.Sprintf("a message cannot hold %U, at byte %d", char, i+1)
		}
		i += size
	}
	return ""
}
