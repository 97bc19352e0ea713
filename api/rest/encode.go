package rest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// appender is an answer of a hot call. It appends its own JSON, without reflection: the
// same value that encoding/json would make of it, with the members in the same order. A
// test holds the two against each other.
type appender interface {
	appendJSON(b []byte) []byte
	size() int // about, in bytes
}

// encode appends value's JSON and a line's end to buffer, which is empty.
func encode(buffer *bytes.Buffer, value any) error {
	if hot, ok := value.(appender); ok {
		buffer.Grow(hot.size())
		text := append(hot.appendJSON(buffer.AvailableBuffer()), '\n')
		*buffer = *bytes.NewBuffer(text) // which is the buffer's own memory, or its successor
		return nil
	}
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// About how many bytes the JSON of one item has beside its texts.
const (
	sizeResult  = 160
	sizeMessage = 512
)

func (s Sent) size() int { return sizeResult }

func (s Sent) appendJSON(b []byte) []byte {
	b = append(b, '{')
	b = appendText(b, "id", s.ID)
	b = appendOptional(b, "sequence", s.Sequence)
	return append(b, '}')
}

func (s SendResults) size() int { return sizeResult * (1 + len(s.Results)) }

func (s SendResults) appendJSON(b []byte) []byte {
	return appendItems(b, "results", s.Results)
}

func (s SendResult) appendJSON(b []byte) []byte {
	b = append(b, '{')
	b = appendOptional(b, "id", s.ID)
	b = appendOptional(b, "sequence", s.Sequence)
	return append(appendError(b, s.Error), '}')
}

func (r Results) size() int { return sizeResult * (1 + len(r.Results)) }

func (r Results) appendJSON(b []byte) []byte {
	return appendItems(b, "results", r.Results)
}

func (r Result) appendJSON(b []byte) []byte {
	return append(appendError(append(b, '{'), r.Error), '}')
}

func appendError(b []byte, e *ItemError) []byte {
	if e == nil {
		return b
	}
	b = append(appendName(b, "error"), '{')
	b = appendText(b, "code", e.Code)
	b = appendText(b, "detail", e.Detail)
	b = appendOptional(b, "field", e.Field)
	return append(b, '}')
}

func (r ReceivedMessages) size() int {
	size := sizeMessage
	for i := range r.Messages {
		size += sizeMessage + len(r.Messages[i].Body)
	}
	return size
}

func (r ReceivedMessages) appendJSON(b []byte) []byte {
	return appendItems(b, "messages", r.Messages)
}

func (m ReceivedMessage) appendJSON(b []byte) []byte {
	b = append(b, '{')
	b = appendText(b, "receipt", m.Receipt)
	b = appendText(b, "id", m.ID)
	b = appendText(b, "body", m.Body)
	b = appendAttributes(b, m.Attributes)
	b = appendOptional(b, "group_id", m.GroupID)
	b = appendOptional(b, "deduplication_id", m.DeduplicationID)
	b = appendOptional(b, "sequence", m.Sequence)
	b = appendOptional(b, "dead_letter_source", m.DeadLetterSource)
	b = appendText(b, "state", m.State)
	b = strconv.AppendInt(appendName(b, "receive_count"), int64(m.ReceiveCount), 10)
	b = appendTime(b, "sent_at", m.SentAt)
	if !m.FirstReceivedAt.IsZero() {
		b = appendTime(b, "first_received_at", m.FirstReceivedAt)
	}
	return append(appendTime(b, "visible_at", m.VisibleAt), '}')
}

func appendAttributes(b []byte, attributes map[string]Attribute) []byte {
	if len(attributes) == 0 {
		return b
	}
	b = append(appendName(b, "attributes"), '{')
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		b = append(appendString(appendComma(b), name), ':', '{')
		b = appendText(b, "type", attributes[name].Type)
		b = appendText(b, "value", attributes[name].Value)
		b = append(b, '}')
	}
	return append(b, '}')
}

// appendItems appends an object whose only member is an array.
func appendItems[T interface{ appendJSON(b []byte) []byte }](b []byte, name string, items []T) []byte {
	b = append(appendName(append(b, '{'), name), '[')
	for i := range items {
		b = items[i].appendJSON(appendComma(b))
	}
	return append(b, ']', '}')
}

// appendName appends what stands before a member's value. name needs no escapes.
func appendName(b []byte, name string) []byte {
	b = append(appendComma(b), '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// appendComma appends a comma unless an object or an array has just begun.
func appendComma(b []byte) []byte {
	if last := b[len(b)-1]; last == '{' || last == '[' {
		return b
	}
	return append(b, ',')
}

func appendText(b []byte, name, value string) []byte {
	return appendString(appendName(b, name), value)
}

// appendOptional is appendText where an empty value is left out.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(b, name, value)
}

func appendTime(b []byte, name string, t time.Time) []byte {
	b = append(appendName(b, name), '"')
	return append(t.AppendFormat(b, time.RFC3339Nano), '"')
}

// appendString appends s in quotes.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	b = append(b, '"')
	for {
		n := plain(s)
		b = append(b, s[:n]...)
		if n == len(s) {
			return append(b, '"')
		}
		b = appendEscape(b, s[n])
		s = s[n+1:]
	}
}

// appendEscape appends the escape of a quote, a backslash or a control character.
func appendEscape(b []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}
