package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// units are those in which durations are shown and typed, the longest first.
var units = []struct {
	letter string
	name   string
	length time.Duration
}{
	{"d", "day", 24 * time.Hour},
	{"h", "h", time.Hour},
	{"m", "min", time.Minute},
	{"s", "s", time.Second},
}

// formatDuration writes a duration in whole seconds for reading: "4 days", "1 min 30 s", "0 s".
func formatDuration(d time.Duration) string {
	var parts []string
	for _, unit := range units {
		n := d / unit.length
		d -= n * unit.length
		switch {
		case n == 0:
		case unit.letter == "d" && n > 1:
			parts = append(parts, fmt.Sprintf("%d days", n))
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
		}
	}
	if parts == nil {
		return "0 s"
	}
	return strings.Join(parts, " ")
}

// formatAge writes how long something is or will be, in its largest unit: "12 s", "3 h".
// Less than nothing, by a clock that differs from the database's, is "0 s".
func formatAge(d time.Duration) string {
	for _, unit := range units {
		if d >= unit.length {
			return formatDuration(d.Truncate(unit.length))
		}
	}
	return "0 s"
}

// formatCount groups a number's digits: "1,234,567".
func formatCount(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// formatBytes writes a size in the largest unit that leaves it exact or at least 1: "1 MiB", "1.5 KiB", "12 B".
func formatBytes(n int) string {
	switch {
	case n >= 1<<20:
		return trimZero(float64(n)/(1<<20)) + " MiB"
	case n >= 1<<10:
		return trimZero(float64(n)/(1<<10)) + " KiB"
	}
	return strconv.Itoa(n) + " B"
}

func trimZero(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// cutText returns at most limit bytes of text, cut between characters.
func cutText(text string, limit int) (cut string, shortened bool) {
	if len(text) <= limit {
		return text, false
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit], true
}

// oneLine writes the beginning of a text on one line: spaces for line ends and other white space.
func oneLine(text string, limit int) string {
	cut, shortened := cutText(text, limit)
	cut = strings.Join(strings.FieldsFunc(cut, unicode.IsSpace), " ")
	if shortened {
		cut += "…"
	}
	return cut
}
