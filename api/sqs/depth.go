package sqs

// maxDepth bounds how deep the objects and lists of a request are nested. No action has
// more than six levels. The reader of hot actions goes by its inputs' types, and so only as
// deep as these.
const maxDepth = 64

// isDeep tells whether a JSON text is nested in more than maxDepth levels. It neither
// recurses nor cares whether the text is valid, of which the decoder judges.
func isDeep(text []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
