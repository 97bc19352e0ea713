package web

import (
	"strconv"
	"strings"
	"time"

	"tusq/service"
)

// longest is what a typed duration may be at most: far over every limit, far under an overflow.
const longest = 100 * 365 * 24 * time.Hour

// parseDuration reads a typed duration: whole seconds, or a whole number with one of
// the letters s, m, h and d. Nothing typed is nil: the default.
func parseDuration(field, label, typed string) (*time.Duration, error) {
	text := strings.ToLower(strings.TrimSpace(typed))
	if text == "" {
		return nil, nil
	}
	unit := time.Second
	for _, u := range units {
		if number, ok := strings.CutSuffix(text, u.letter); ok {
			text, unit = strings.TrimSpace(number), u.length
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if limit := int64(longest / unit); err != nil || n > limit || n < -limit {
		return nil, invalidInput(field, label+" is not a duration: write a number with s, m, h or d, such as 30s or 4d.")
	}
	d := time.Duration(n) * unit
	return &d, nil
}

// parseNumber reads a typed whole number. Nothing typed is nil: the default.
func parseNumber(field, label, typed string) (*int, error) {
	text := strings.TrimSpace(typed)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return nil, invalidInput(field, label+" is not a whole number.")
	}
	number := int(n)
	return &number, nil
}

// parseAttributes reads one attribute a line: name=value, or name:type=value. The value
// is everything after the first equals sign.
func parseAttributes(typed string) (map[string]service.Attribute, error) {
	var attributes map[string]service.Attribute
	for line := range strings.Lines(typed) {
		line = strings.TrimRight(line, "\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, invalidInput("attributes", "An attribute is written name=value, on a line of its own.")
		}
		name, kind, typed := strings.Cut(strings.TrimSpace(name), ":")
		if !typed {
			kind = "String"
		}
		if kind == "Binary" || strings.HasPrefix(kind, "Binary.") {
			return nil, invalidInput("attributes", "Binary attributes cannot be typed here: send them through the API.")
		}
		if _, twice := attributes[name]; twice {
			return nil, invalidInput("attributes", "Two attributes have the same name.")
		}
		if attributes == nil {
			attributes = map[string]service.Attribute{}
		}
		attributes[name] = service.Attribute{Type: kind, Value: value}
	}
	return attributes, nil
}

// textArea undoes what browsers do to the text of a multi-line input: they send each
// line end as CR LF.
func textArea(sent string) string { return strings.ReplaceAll(sent, "\r\n", "\n") }

func invalidInput(field, message string) error {
	return &service.Error{Code: service.CodeInvalidParameter, Field: field, Message: message}
}
