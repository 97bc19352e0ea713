package bench

import "bytes"

// An answer's JSON is not decoded: it is searched for the few members that matter. Inside
// a JSON string each quote follows a backslash, so that `"name"` with plain quotes before
// a colon can only be a member.

// eachText calls use with the text of each member of this name, given with its quotes, in
// the order of the document. Escapes remain as they are: such text can be put into
// another string.
func eachText(document, quotedName []byte, use func(text []byte)) {
	for {
		at := bytes.Index(document, quotedName)
		if at < 0 {
			return
		}
		document = document[at+len(quotedName):]
		if text, ok := textAfterColon(document); ok {
			use(text)
			document = document[len(text):]
		}
	}
}

// textAfterColon returns the string that follows a colon at the start.
func textAfterColon(document []byte) ([]byte, bool) {
	document, ok := bytes.CutPrefix(bytes.TrimLeft(document, " \t\r\n"), []byte(":"))
	document = bytes.TrimLeft(document, " \t\r\n")
	if !ok || len(document) == 0 || document[0] != '"' {
		return nil, false
	}
	document = document[1:]
	for end := 0; ; end++ {
		next := bytes.IndexByte(document[end:], '"')
		if next < 0 {
			return nil, false
		}
		if end += next; !escaped(document[:end]) {
			return document[:end], true
		}
	}
}

// escaped tells whether what follows text is escaped: it ends with an odd number of
// backslashes.
func escaped(text []byte) bool {
	return (len(text)-len(bytes.TrimRight(text, `\`)))%2 == 1
}

// countTexts counts the members of this name.
func countTexts(document, quotedName []byte) int {
	n := 0
	eachText(document, quotedName, func([]byte) { n++ })
	return n
}
