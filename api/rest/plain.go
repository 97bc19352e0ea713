package rest

// plain returns how many bytes at the start of text stand for themselves in a JSON
// string: all before the first quote, backslash or control character. It looks at eight
// bytes at a time (H. S. Warren, Hacker's Delight, 2nd edition, section 6-1).
func plain[T string | []byte](text T) int {
	const (
		ones   = 0x0101010101010101
		tops   = 0x80 * ones
		quotes = '"' * ones
		slants = '\\' * ones
		spaces = ' ' * ones
	)
	n := 0
	for ; n+8 <= len(text); n += 8 {
		word := uint64(text[n]) | uint64(text[n+1])<<8 | uint64(text[n+2])<<16 | uint64(text[n+3])<<24 |
			uint64(text[n+4])<<32 | uint64(text[n+5])<<40 | uint64(text[n+6])<<48 | uint64(text[n+7])<<56
		// In each byte the subtraction borrows from the top bit where the byte is too
		// small. What the borrow spoils lies behind a byte that ends the loop anyway.
		quote, slant, control := (word^quotes)-ones, (word^slants)-ones, word-spaces
		if (quote|slant|control)&^word&tops != 0 {
			break
		}
	}
	for n < len(text) && text[n] >= ' ' && text[n] != '"' && text[n] != '\\' {
		n++
	}
	return n
}
