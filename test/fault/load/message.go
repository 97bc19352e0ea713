package load

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"

	"tusq/test/fault/history"
)

// outgoing is a message to send.
type outgoing struct {
	uid, body  string
	attributes []attribute
	digest     string
	delay      int // seconds
	group      string
}

// Bodies have so many bytes of random text behind their UID.
const (
	minText = 20
	maxText = 2000
)

// pieces are what random text is made of: words, and what encoders and parsers stumble over.
var pieces = []string{
	"order", "paid", " ", "  ", "\n", "\r\n", "\t", `"`, `\`, `\\"`, "'", "<", ">", "&", "&amp;", "]]>", "<!--", "%00", "+", "\u0085", "\u00a0",
	"ß", "é", "e\u0301", "Ω", "日本語", "שלום", "🙂", "👩‍👩‍👧‍👦", "𝔘", "\u2028", "\u2029", "\ufffd", "\ufeff", "\ue000", "\u007f", "{}", "null", "0.1",
}

// newText makes random text, of which bodies are cut.
func newText(random *rand.Rand) string {
	var b strings.Builder
	for b.Len() < 1<<16 {
		b.WriteString(pieces[random.IntN(len(pieces))])
	}
	return b.String()
}

// cut returns about n bytes of text from a random place on, and no part of a character.
func cut(text string, n int, random *rand.Rand) string {
	from := random.IntN(len(text) - n - 2*utf8.UTFMax) // each end moves on by less than a character
	for !utf8.RuneStart(text[from]) {
		from++
	}
	to := from + n
	for !utf8.RuneStart(text[to]) {
		to++
	}
	return text[from:to]
}

// newBody makes a body that begins with its UID.
func newBody(uid, text string, random *rand.Rand) string {
	// Most messages are short.
	size := minText + int(float64(maxText-minText)*random.Float64()*random.Float64()*random.Float64())
	return uid + " " + cut(text, size, random)
}

// uidOf returns the UID that a received body begins with.
func uidOf(body string) (string, bool) {
	uid, _, found := strings.Cut(body[:min(len(body), 64)], " ")
	return uid, found && strings.HasPrefix(uid, uidPrefix)
}

const uidPrefix = "m-"

// newAttributes makes one to three attributes, in the order of their names.
func newAttributes(text string, random *rand.Rand) []attribute {
	all := []attribute{
		{"Größe.1", "Number", fmt.Sprintf("%d.50", random.IntN(1000))},
		{"color", "String.label", "x" + cut(text, 1+random.IntN(40), random)},
		{"raw", "Binary", base64.StdEncoding.EncodeToString(fmt.Append(nil, "\x00\xff", random.Uint64()))},
	}
	from := random.IntN(len(all))
	return all[from : from+1+random.IntN(len(all)-from)]
}

// received is a message that was received.
type received struct {
	history.Message
	receipt string // whole
}

// newReceived completes what a surface read of a received message.
func newReceived(m history.Message, receipt, body string, attributes []attribute) received {
	uid, ours := uidOf(body)
	if !ours {
		m.Error = errBody
		uid = strings.ToValidUTF8(body[:min(len(body), 64)], "?")
	}
	m.UID, m.Outcome, m.Digest = uid, history.OK, digest(body, attributes)
	m.Receipt = receiptHash(receipt)
	m.Sequence = strings.TrimLeft(m.Sequence, "0")
	return received{m, receipt}
}
