package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// readLines reads all lines of in, and the error at its end.
func readLines(in io.Reader, limit int) (lines []line, err error) {
	r := newLineReader(in, limit)
	for {
		l, err := r.next()
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	const limit = 100_000 // more than the reader's buffer
	long := strings.Repeat("x", limit)
	for name, test := range map[string]struct {
		input string
		want  []line
	}{
		"nothing":              {"", nil},
		"one line":             {"a\n", []line{{1, "a", ""}}},
		"a last line":          {"a\nb", []line{{1, "a", ""}, {2, "b", ""}}},
		"empty lines":          {"\n\na\n\n", []line{{1, "", ""}, {2, "", ""}, {3, "a", ""}, {4, "", ""}}},
		"CR is content":        {"a\r\n\r\nb\rc\r", []line{{1, "a\r", ""}, {2, "\r", ""}, {3, "b\rc\r", ""}}},
		"white space":          {" \t \n", []line{{1, " \t ", ""}}},
		"the longest":          {long + "\n" + long, []line{{1, long, ""}, {2, long, ""}}},
		"one too long":         {"a\n" + long + "y\nb\n", []line{{1, "a", ""}, {2, "", "100001 bytes, more than a message's 100000"}, {3, "b", ""}}},
		"a last one too long":  {long + long, []line{{1, "", "200000 bytes, more than a message's 100000"}}},
		"long, then short":     {long[:70_000] + "\nb\n", []line{{1, long[:70_000], ""}, {2, "b", ""}}},
		"all planes":           {"\u00e9\ud7ff\ue000\ufffd\U00010000\U0010ffff\x7f\n", []line{{1, "\u00e9\ud7ff\ue000\ufffd\U00010000\U0010ffff\x7f", ""}}},
		"not UTF-8":            {"a\xffb\nc\n", []line{{1, "", "not UTF-8 at byte 2"}, {2, "c", ""}}},
		"a surrogate":          {"\xed\xa0\x80\n", []line{{1, "", "not UTF-8 at byte 1"}}},
		"a cut character":      {"abc\xe2\x82\nd", []line{{1, "", "not UTF-8 at byte 4"}, {2, "d", ""}}},
		"NUL":                  {"\x00\n", []line{{1, "", "a message cannot hold U+0000, at byte 1"}}},
		"escape":               {"red: \x1b[31m\n", []line{{1, "", "a message cannot hold U+001B, at byte 6"}}},
		"form feed":            {"\f\n", []line{{1, "", "a message cannot hold U+000C, at byte 1"}}},
		"a non-character":      {"é\ufffe\n", []line{{1, "", "a message cannot hold U+FFFE, at byte 3"}}},
		"the other":            {"\uffff", []line{{1, "", "a message cannot hold U+FFFF, at byte 1"}}},
		"a byte order mark":    {"\ufeffa", []line{{1, "\ufeffa", ""}}},
		"line ends of Unicode": {"a\u2028b\u0085c\v\n", []line{{1, "", "a message cannot hold U+000B, at byte 9"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for reader, in := range map[string]io.Reader{
				"whole":   strings.NewReader(test.input),
				"by half": iotest.HalfReader(strings.NewReader(test.input)),
				"by byte": iotest.OneByteReader(strings.NewReader(test.input)),
				"by end":  iotest.DataErrReader(strings.NewReader(test.input)),
			} {
				got, err := readLines(in, limit)
				if err != io.EOF || !slices.Equal(got, test.want) {
					t.Errorf("%s: got %.200s, %v, want %.200s", reader, fmt.Sprint(got), err, fmt.Sprint(test.want))
				}
			}
		})
	}
}

func TestLinesEndWithAReadError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	got, err := readLines(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), 10)
	if !errors.Is(err, broken) || !slices.Equal(got, []line{{1, "a", ""}}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestTheEndIsReadOnce: a terminal gives more after an end of file.
func TestTheEndIsReadOnce(t *testing.T) {
	t.Parallel()
	ends := &endsTwice{parts: []string{"a\nb", "", "c\n"}}
	if got, err := readLines(ends, 10); err != io.EOF || len(got) != 2 || ends.at != 2 {
		t.Errorf("got %v, %v after %d reads", got, err, ends.at)
	}
}

type endsTwice struct {
	parts []string
	at    int
}

func (e *endsTwice) Read(p []byte) (int, error) {
	part := e.parts[e.at]
	e.at++
	if part == "" {
		return 0, io.EOF
	}
	return copy(p, part), nil
}

func TestReadyTellsWhetherALineIsThere(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	r := newLineReader(in, 10)
	if r.ready() {
		t.Error("ready before anything came")
	}
	go func() { _, _ = out.Write([]byte("a\nb\nc")) }()
	if l, err := r.next(); err != nil || l.body != "a" {
		t.Fatal(l, err)
	}
	if !r.ready() {
		t.Error("not ready with b there")
	}
	if l, err := r.next(); err != nil || l.body != "b" {
		t.Fatal(l, err)
	}
	if r.ready() {
		t.Error("ready with half a line")
	}
}

// endless gives the same byte for ever, up to a number of bytes.
type endless struct{ left int64 }

var manyX = bytes.Repeat([]byte("x"), 64<<10)

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), e.left)], manyX)
	e.left -= int64(n)
	return n, nil
}

func TestALineOfAnyLengthTakesLittleMemory(t *testing.T) {
	// Not parallel: it measures allocations of the process.
	const length = 1 << 30
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	lines, err := readLines(io.MultiReader(&endless{length}, strings.NewReader("\nshort\n")), 1<<20)
	runtime.ReadMemStats(&after)
	if err != io.EOF || len(lines) != 2 || lines[0].refused == "" || lines[1] != (line{2, "short", ""}) {
		t.Fatalf("got %.200s, %v", fmt.Sprint(lines), err)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 10<<20 {
		t.Errorf("%d bytes were allocated for a line of %d", allocated, length)
	}
}

// FuzzLines compares the reader with a split of the whole input.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "a\nb", "\n\n", "a\r\n\xff\n\x00\n", "\ufffe\n\ufffd", strings.Repeat("long", 10) + "\n"} {
		f.Add([]byte(seed), 16, 3)
	}
	f.Fuzz(func(t *testing.T, input []byte, limit, chunk int) {
		limit, chunk = 1+max(limit, 0)%200_000, 1+max(chunk, 0)%100_000
		got, err := readLines(&chunks{input, chunk}, limit)
		if err != io.EOF {
			t.Fatal(err)
		}
		want := bytes.Split(input, []byte("\n"))
		if len(want[len(want)-1]) == 0 {
			want = want[:len(want)-1]
		}
		if len(got) != len(want) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
		}
		for i, text := range want {
			if fits := len(text) <= limit && allowed(string(text)); fits != (got[i].refused == "") {
				t.Errorf("line %d %q: %q", i+1, text, got[i].refused)
			} else if got[i].number != int64(i+1) || fits && got[i].body != string(text) {
				t.Errorf("line %d: got %+v, want %q", i+1, got[i], text)
			}
		}
	})
}

// chunks gives an input a few bytes at a time.
type chunks struct {
	left []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.left[:min(c.size, len(c.left))])
	c.left = c.left[n:]
	return n, nil
}

// allowed is Amazon's rule, word for word.
func allowed(text string) bool {
	for _, char := range text {
		switch {
		case char == 0x9, char == 0xA, char == 0xD, char >= 0x20 && char <= 0xD7FF,
			char >= 0xE000 && char <= 0xFFFD, char >= 0x10000 && char <= 0x10FFFF:
		default:
			return false
		}
	}
	return utf8.ValidString(text)
}
