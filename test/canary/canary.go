// Package canary finds secrets where they must not be: in logs, errors, metrics, process lists
// and dumps. A test puts secrets that it knows into a Cage, and asks it of every text that it
// gets hold of; what has the form of a secret of tusq is found even where nobody knows it.
package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Text is for tests to put into what must not be seen, such as bodies. Watch knows it.
const Text = "canary-Zq7Xw2Kp9"

// shapes are what secrets of tusq look like.
var shapes = map[string]*regexp.Regexp{
	"a token":             regexp.MustCompile(`tusq_TQ[A-Z2-7]{4,18}_[0-9A-Za-z]{8}`),
	"a receipt":           regexp.MustCompile(`(?:^|[^0-9A-Za-z_+-])A[Q-Za-f][0-9A-Za-z_-]{64}`),
	"a signature":         regexp.MustCompile(`(?i)Signature(=|%3D)[0-9a-f]{64}`),
	"a password's hash":   regexp.MustCompile(`\$argon2id\$`),
	"a private key":       regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY`),
	"an Authorization":    regexp.MustCompile(`(?i)(Bearer|Basic) [0-9A-Za-z+/_=-]{16}`),
	"a password of a URL": regexp.MustCompile(`[a-z]+://[^\s/:@]+:[^\s/:@]*[^\s/:@x*][^\s/:@]*@`),
}

// Sighting is a secret that was seen.
type Sighting struct {
	Secret string // its name
	Where  string // the text around it
}

// String is for a test's output.
func (s Sighting) String() string { return fmt.Sprintf("%s in %q", s.Secret, s.Where) }

// Cage is the secrets that a test knows, by name. It is not safe for concurrent use.
type Cage struct {
	names []string
	forms [][]string // of each
}

// shortest is how long a secret has to be for its forms to be no accident.
const shortest = 8

// Add puts a secret in. It panics where the secret is too short to be recognised.
func (c *Cage) Add(name, secret string) {
	if len(secret) < shortest {
		panic("canary: too short: " + name)
	}
	c.names = append(c.names, name)
	c.forms = append(c.forms, formsOf(secret))
}

// Find returns the secrets that text holds, each once: those of the cage in any of their forms,
// and what looks like one.
func (c *Cage) Find(text string) []Sighting { return append(c.FindKnown(text), FindShapes(text)...) }

// FindKnown is Find for those of the cage alone.
func (c *Cage) FindKnown(text string) (seen []Sighting) {
	for i, forms := range c.forms {
		for _, form := range forms {
			if at := strings.Index(text, form); at >= 0 {
				seen = append(seen, Sighting{c.names[i], around(text, at, at+len(form))})
				break
			}
		}
	}
	return seen
}

// FindShapes returns what looks like a secret in text, one of each shape.
func FindShapes(text string) (seen []Sighting) {
	for name, shape := range shapes {
		if at := shape.FindStringIndex(text); at != nil {
			seen = append(seen, Sighting{name, around(text, at[0], at[1])})
		}
	}
	return seen
}

// around is a part of text with a little of what surrounds it.
func around(text string, start, end int) string {
	const context = 80
	return strings.ToValidUTF8(text[max(0, start-context):min(len(text), end+context)], "?")
}

// formsOf are the ways in which a secret may be written: as it is, in hexadecimal, percent-encoded,
// as fmt prints bytes, and in base64 wherever it begins in what was encoded.
func formsOf(secret string) []string {
	forms := []string{
		secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
	}
	for offset := range 3 {
		// The characters at either end depend on what stands beside the secret.
		padded := append(make([]byte, offset), secret...)
		whole := len(padded) / 3 * 4
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			forms = append(forms, encoding.EncodeToString(padded)[[]int{0, 2, 3}[offset]:whole])
		}
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}
