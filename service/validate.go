package service

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$|^[A-Za-z0-9_-]{1,75}\.fifo$`)
	nameStart = regexp.MustCompile(`^[A-Za-z0-9_-]{0,80}$|^[A-Za-z0-9_-]{1,75}\.(f|fi|fif|fifo)?$`)
	attribute = regexp.MustCompile(`^[\pL\pN_.-]+$`)
	number    = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)
	groupID   = regexp.MustCompile(`^[[:graph:]]{1,128}$`)
	tagText   = regexp.MustCompile(`^[\pL\pN _.:/=+@-]*$`)
)

func validQueueName(name string) error {
	if tokenForm.MatchString(name) { // it would be seen wherever queues are
		return &Error{Code: CodeInvalidQueueName, Field: "name", Message: "This looks like a token, which is no name."}
	}
	if queueName.MatchString(name) {
		return nil
	}
	return &Error{Code: CodeInvalidQueueName, Field: "name",
		Message: "A queue's name has 1 to 80 characters of A-Z, a-z, 0-9, hyphen and underscore; that of a FIFO queue ends with .fifo."}
}

// isNamePrefix tells whether a queue's name may begin with text.
func isNamePrefix(text string) bool { return nameStart.MatchString(text) }

// validDuration checks a duration in whole seconds against its range.
func validDuration(field string, d, low, high time.Duration) error {
	if d%time.Second != 0 {
		return invalid(field, "%s must be a whole number of seconds.", field)
	}
	if d < low || d > high {
		return invalid(field, "%s must be between %d and %d seconds.", field, int(low.Seconds()), int(high.Seconds()))
	}
	return nil
}

func validInt(field string, n, low, high int) error {
	if n < low || n > high {
		return invalid(field, "%s must be between %d and %d.", field, low, high)
	}
	return nil
}

// valid checks what a change of a queue sets.
func (c QueueChange) valid(fifo bool) error {
	if err := c.validDeduplication(fifo); err != nil {
		return err
	}
	durations := []struct {
		field     string
		value     *time.Duration
		low, high time.Duration
	}{
		{"visibility_timeout", c.VisibilityTimeout, 0, MaxVisibility},
		{"delay_seconds", c.Delay, 0, MaxDelay},
		{"retention_seconds", c.Retention, MinRetention, MaxRetention},
		{"wait_seconds", c.ReceiveWait, 0, MaxQueueWait},
	}
	for _, d := range durations {
		if d.value == nil {
			continue
		}
		if err := validDuration(d.field, *d.value, d.low, d.high); err != nil {
			return err
		}
	}
	if c.MaxMessageSize != nil {
		if err := validInt("max_message_size", *c.MaxMessageSize, MinMaxMessageSize, MaxMessageBytes); err != nil {
			return err
		}
	}
	if c.Durability != nil {
		if err := c.Durability.valid(); err != nil {
			return err
		}
	}
	if c.Encryption != nil {
		if err := c.Encryption.valid(); err != nil {
			return err
		}
	}
	if err := validTags(c.Tags); err != nil {
		return err
	}
	return c.DeadLetter.valid()
}

func (c QueueChange) validDeduplication(fifo bool) error {
	switch {
	case fifo && c.DeduplicationScope != nil && *c.DeduplicationScope != ScopeQueue && *c.DeduplicationScope != ScopeGroup:
		return invalid("deduplication_scope", "deduplication_scope must be queue or group.")
	case fifo:
		return nil
	case c.ContentDeduplication != nil:
		return invalid("content_deduplication", "Only a FIFO queue, whose name ends with .fifo, has content_deduplication.")
	case c.DeduplicationScope != nil:
		return invalid("deduplication_scope", "Only a FIFO queue, whose name ends with .fifo, has a deduplication_scope.")
	}
	return nil
}

// valid checks a dead-letter policy; none and the zero one, which removes, are valid.
func (d *DeadLetter) valid() error {
	if d == nil || (d.Queue == "" && d.MaxReceives == 0) {
		return nil
	}
	if !queueName.MatchString(d.Queue) {
		return invalid("dead_letter.queue", "dead_letter.queue must be the name of a queue.")
	}
	return validInt("dead_letter.max_receives", d.MaxReceives, 1, MaxReceives)
}

func validTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return invalid("tags", "A queue has at most %d tags.", MaxTags)
	}
	for key, value := range tags {
		keyLength := utf8.RuneCountInString(key)
		switch {
		case keyLength < 1 || keyLength > MaxTagKey || utf8.RuneCountInString(value) > MaxTagValue:
			return invalid("tags", "A tag's key has 1 to %d characters and its value at most %d.", MaxTagKey, MaxTagValue)
		case !tagText.MatchString(key) || !tagText.MatchString(value):
			return invalid("tags", "Tags are made of letters, digits, spaces and _ . : / = + - @.")
		}
	}
	return nil
}

// valid checks a message against the rules of its queue.
func (m *SendMessage) valid(settings Settings) error {
	maxSize := settings.MaxMessageSize
	if m.Body == "" {
		return &Error{Code: CodeMissingParameter, Field: "body", Message: "A message needs a body of at least one byte."}
	}
	if m.size() > maxSize {
		err := Errorf(CodeMessageTooLarge, "The message has %d bytes with its attributes; this queue takes %d.", m.size(), maxSize)
		err.Field = "body"
		return err
	}
	if err := validText("body", m.Body); err != nil {
		return err
	}
	if m.Delay != nil {
		if err := validDuration("delay_seconds", *m.Delay, 0, MaxDelay); err != nil {
			return err
		}
	}
	if err := m.validIDs(settings); err != nil {
		return err
	}
	if len(m.TraceHeader) > MaxTraceHeader {
		return invalid("trace_header", "A trace header has at most %d bytes.", MaxTraceHeader)
	}
	if err := validText("trace_header", m.TraceHeader); err != nil {
		return err
	}
	return m.validAttributes()
}

// validIDs checks group and deduplication id, which only FIFO queues need.
func (m *SendMessage) validIDs(settings Settings) error {
	if err := validToken("group_id", m.GroupID); err != nil {
		return err
	}
	if err := validToken("deduplication_id", m.DeduplicationID); err != nil {
		return err
	}
	switch {
	case !settings.FIFO && m.DeduplicationID != "":
		return invalid("deduplication_id", "Only messages of a FIFO queue have a deduplication_id.")
	case !settings.FIFO:
		return nil
	case m.GroupID == "":
		return &Error{Code: CodeMissingParameter, Field: "group_id", Message: "A message of a FIFO queue needs a group_id."}
	case m.DeduplicationID == "" && !settings.ContentDeduplication:
		return &Error{Code: CodeMissingParameter, Field: "deduplication_id",
			Message: "A message of this FIFO queue needs a deduplication_id: the queue has no content_deduplication."}
	case m.Delay != nil && *m.Delay != 0:
		return invalid("delay_seconds", "A FIFO queue delays all its messages alike: delay_seconds belongs to the queue.")
	}
	return nil
}

// validToken checks an id that may be absent.
func validToken(field, text string) error {
	if text == "" || groupID.MatchString(text) {
		return nil
	}
	return invalid(field, "%s has 1 to %d letters, digits and punctuation characters.", field, MaxGroupID)
}

// size is the message's size by SQS's rule: the body, and each attribute's name, type and value.
func (m *SendMessage) size() int {
	size := len(m.Body)
	for name, a := range m.Attributes {
		size += len(name) + len(a.Type) + len(a.Value) + len(a.Binary)
	}
	return size
}

func (m *SendMessage) validAttributes() error {
	if len(m.Attributes) > MaxAttributes {
		return badAttribute("A message has at most %d attributes.", MaxAttributes)
	}
	for name, a := range m.Attributes {
		if err := validAttributeName(name); err != nil {
			return err
		}
		if err := a.valid(name); err != nil {
			return err
		}
	}
	return nil
}

func validAttributeName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case name == "" || utf8.RuneCountInString(name) > MaxAttributeName || !attribute.MatchString(name):
		return badAttribute("An attribute's name has 1 to %d letters, digits and _ - . characters.", MaxAttributeName)
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return badAttribute("An attribute's name must not begin with AWS. or Amazon.")
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return badAttribute("An attribute's name must not begin or end with a period, or have two in a row.")
	}
	return nil
}

func (a Attribute) valid(name string) error {
	base, label, labelled := strings.Cut(a.Type, ".")
	if len(a.Type) > MaxAttributeName || (labelled && label == "") || validText("attributes", label) != nil {
		return badAttribute("The type of attribute %q is not valid.", name)
	}
	switch base {
	case "String":
		return a.validString(name)
	case "Number":
		if !validNumber(a.Value) {
			return badAttribute("The value of attribute %q is not a number of at most 38 digits between 1e-128 and 1e126.", name)
		}
	case "Binary":
		if len(a.Binary) == 0 {
			return badAttribute("The value of attribute %q is empty.", name)
		}
	default:
		return badAttribute("The type of attribute %q is not String, Number or Binary, with an optional label.", name)
	}
	return nil
}

func (a Attribute) validString(name string) error {
	if a.Value == "" {
		return badAttribute("The value of attribute %q is empty.", name)
	}
	return validText("attributes", a.Value)
}

// validNumber tells whether text is a number in SQS's range.
func validNumber(text string) bool {
	if !number.MatchString(text) {
		return false
	}
	mantissa, exponent := decompose(text)
	digits := strings.TrimLeft(strings.Replace(mantissa, ".", "", 1), "0")
	if digits == "" {
		return true // zero
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	magnitude := len(strings.TrimLeft(whole, "0"))
	if magnitude == 0 {
		magnitude = -(len(fraction) - len(strings.TrimLeft(fraction, "0")))
	}
	magnitude += exponent // the number is 0.d × 10^magnitude with a first digit d that is not 0
	digits = strings.TrimRight(digits, "0")
	return len(digits) <= 38 && magnitude >= -127 && (magnitude < 127 || magnitude == 127 && digits == "1")
}

// decompose splits a number that matches its pattern into unsigned mantissa and exponent.
func decompose(text string) (mantissa string, exponent int) {
	text = strings.TrimLeft(text, "+-")
	at := strings.IndexAny(text, "eE")
	if at < 0 {
		return text, 0
	}
	sign := 1
	for _, c := range text[at+1:] {
		switch c {
		case '-':
			sign = -1
		case '+':
		default:
			exponent = exponent*10 + int(c-'0')
		}
	}
	return text[:at], sign * exponent
}

func badAttribute(format string, args ...any) *Error {
	err := Errorf(CodeInvalidAttribute, format, args...)
	err.Field = "attributes"
	return err
}

// validText refuses what a message cannot hold. SQS allows tab, LF, CR, U+0020 to
// U+D7FF, U+E000 to U+FFFD and U+10000 to U+10FFFF; PostgreSQL needs valid UTF-8.
func validText(field, text string) error {
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < utf8.RuneSelf || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return badText(field, "Invalid UTF-8 at byte %d.", i)
		case r < ' ' || r == 0xFFFE || r == 0xFFFF:
			return badText(field, "The character U+%04X at byte %d is not allowed in a message.", r, i)
		}
		i += size
	}
	return nil
}

func badText(field, format string, args ...any) *Error {
	err := Errorf(CodeInvalidMessage, format, args...)
	err.Field = field
	return err
}
