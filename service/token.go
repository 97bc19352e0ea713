package service

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"log/slog"
	"strings"
)

// A key's secret has two forms. With the id it is what requests are signed by. For REST both
// are in a token,
//
//	tusq_TQABCDEFGHIJKLMNOPQR_43charactersOfTheSecret_crc32x
//
// whose beginning and checksum let those who search for leaked secrets recognise it, and let
// text that is no token be refused without a look at any key.
const (
	keyIDPrefix  = "TQ"
	keyIDLength  = 20 // like Amazon's
	secretLength = 43 // of 62 characters each: 256 bits
	tokenPrefix  = "tusq_"
	tokenSum     = 6
	tokenLength  = len(tokenPrefix) + keyIDLength + 1 + secretLength + 1 + tokenSum
)

const (
	digits62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// Secret is text that must not be seen in logs: it does not show itself when it is printed.
type Secret string

const redacted = "[redacted]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns no secret, for fmt.
func (Secret) String() string { return redacted }

// GoString returns no secret, for %#v.
func (Secret) GoString() string { return redacted }

// MarshalText returns no secret, for JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns no secret, for slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Credentials are what somebody who has a key knows.
type Credentials struct {
	KeyID  string // the access key id of signatures
	Secret Secret // the secret access key of signatures
}

// NewCredentials makes the credentials of a new key.
func NewCredentials() Credentials {
	return Credentials{KeyID: keyIDPrefix + rand.Text()[:keyIDLength-len(keyIDPrefix)], Secret: newSecret()}
}

func newSecret() Secret {
	secret := make([]byte, 0, secretLength)
	var random [64]byte
	for {
		rand.Read(random[:]) // never fails
		for _, b := range random {
			if int(b) >= 4*len(digits62) { // the rest of 256 would make some characters likelier
				continue
			}
			if secret = append(secret, digits62[int(b)%len(digits62)]); len(secret) == secretLength {
				return Secret(secret)
			}
		}
	}
}

// Token returns the form for REST.
func (c Credentials) Token() Secret {
	body := tokenPrefix + c.KeyID + "_" + string(c.Secret)
	return Secret(body + "_" + checksum(body))
}

// tokenHash is what is kept of a token.
func (c Credentials) tokenHash() []byte {
	hash := sha256.Sum256([]byte(c.Token()))
	return hash[:]
}

// checksum is CRC-32 in six digits.
func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	var digits [tokenSum]byte
	for i := range digits {
		digits[tokenSum-1-i] = digits62[sum%62]
		sum /= 62
	}
	return string(digits[:])
}

// ParseToken returns what a token says; ok: it is one. Whether there is such a key it does not tell.
func ParseToken(token string) (c Credentials, ok bool) {
	if len(token) != tokenLength || !strings.HasPrefix(token, tokenPrefix) {
		return Credentials{}, false
	}
	body, sum := token[:tokenLength-tokenSum-1], token[tokenLength-tokenSum:]
	if token[len(body)] != '_' || checksum(body) != sum {
		return Credentials{}, false
	}
	return parseCredentials(strings.Cut(body[len(tokenPrefix):], "_"))
}

// ParseCredentials is ParseToken for either form: a token, or the id and the secret with a
// colon between them.
func ParseCredentials(text string) (c Credentials, ok bool) {
	if id, secret, colon := strings.Cut(text, ":"); colon {
		return parseCredentials(id, secret, true)
	}
	return ParseToken(text)
}

func parseCredentials(id, secret string, both bool) (Credentials, bool) {
	if !both || !isKeyID(id) || len(secret) != secretLength || strings.Trim(secret, digits62) != "" {
		return Credentials{}, false
	}
	return Credentials{KeyID: id, Secret: Secret(secret)}, true
}

// isKeyID tells whether text has the form of a key's id.
func isKeyID(text string) bool {
	random, ok := strings.CutPrefix(text, keyIDPrefix)
	return ok && len(text) == keyIDLength && strings.Trim(random, digits32) == ""
}
