package load

import "unicode/utf8"

// appendText appends a JSON string. All but quotes, backslashes and control characters stand for themselves.
func appendText(b []byte, text string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// appendMember appends a member whose value is a string, after a comma. The name needs no escapes.
func appendMember(b []byte, name, text string) []byte {
	return appendText(append(append(append(b, `,"`...), name...), `":`...), text)
}

// appendEach appends the elements 0 to n-1 of a list with its brackets.
func appendEach(b []byte, n int, element func(b []byte, i int) []byte) []byte {
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, i)
	}
	return append(b, ']')
}
