package service

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// masterKeyBytes is the length of a master key: AES-256.
const masterKeyBytes = 32

// MasterKeys seal the secrets of keys, which are kept in the database: the first of them seals,
// all of them open. Without them keys cannot be made, and signatures not be verified.
type MasterKeys struct{ keys []masterKey }

type masterKey struct {
	fingerprint string
	aead        cipher.AEAD
}

// String shows no key, for fmt.
func (MasterKeys) String() string { return redacted }

// GoString shows no key, for %#v.
func (MasterKeys) GoString() string { return redacted }

// LogValue shows no key, for slog.
func (MasterKeys) LogValue() slog.Value { return slog.StringValue(redacted) }

// NewMasterKey makes a master key, in the form that ParseMasterKeys reads.
func NewMasterKey() Secret {
	key := make([]byte, masterKeyBytes)
	rand.Read(key) // never fails
	return Secret(base64.StdEncoding.EncodeToString(key))
}

// ParseMasterKeys reads master keys: each 32 bytes in base64, with white space or commas between them.
// The errors show nothing of the text.
func ParseMasterKeys(text string) (MasterKeys, error) {
	var m MasterKeys
	for i, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\r\n,", c) }) {
		key, err := base64.StdEncoding.DecodeString(word)
		if err != nil || len(key) != masterKeyBytes {
			return MasterKeys{}, fmt.Errorf("master key %d is not %d bytes in base64", i+1, masterKeyBytes)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return MasterKeys{}, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return MasterKeys{}, err
		}
		m.keys = append(m.keys, masterKey{fingerprint: fingerprint(key), aead: aead})
	}
	if len(m.keys) == 0 {
		return MasterKeys{}, errors.New("there is no master key")
	}
	return m, nil
}

// fingerprint names a master key without telling anything of it.
func fingerprint(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("fingerprint of a master key of tusq"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// None tells whether there is no master key.
func (m MasterKeys) None() bool { return len(m.keys) == 0 }

// seal seals a key's secret by the first master key.
func (m MasterKeys) seal(c Credentials) (sealed []byte, by string, err error) {
	return m.sealBound([]byte(c.Secret), c.KeyID)
}

// sealBound seals a secret by the first master key, bound to what it is.
func (m MasterKeys) sealBound(secret []byte, binding string) (sealed []byte, by string, err error) {
	if m.None() {
		return nil, "", Errorf(CodeMasterKeyMissing, "This server has no master key, which is needed to keep secrets.")
	}
	first := m.keys[0]
	return first.aead.Seal(nil, nil, secret, []byte(binding)), first.fingerprint, nil
}

// openBound returns what sealBound has sealed; ok: one of the master keys has sealed it for that.
func (m MasterKeys) openBound(sealed []byte, by, binding string) (secret []byte, ok bool) {
	for _, key := range m.keys {
		if key.fingerprint != by {
			continue
		}
		opened, err := key.aead.Open(nil, nil, sealed, []byte(binding))
		return opened, err == nil
	}
	return nil, false
}

// first is the fingerprint of the first master key; "": there is none.
func (m MasterKeys) first() string {
	if m.None() {
		return ""
	}
	return m.keys[0].fingerprint
}

// open returns a key's secret; ok: one of the master keys has sealed it for that key.
func (m MasterKeys) open(keyID string, sealed []byte, by string) (secret Secret, ok bool) {
	opened, ok := m.openBound(sealed, by, keyID)
	return Secret(opened), ok
}

// sealsBy tells whether what was sealed so is sealed by the first master key.
func (m MasterKeys) sealsBy(by string) bool { return !m.None() && m.first() == by }
