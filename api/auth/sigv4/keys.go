package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"strings"
	"sync"
)

// maxSigningKeys bounds the kept signing keys. Each is about a kilobyte.
const maxSigningKeys = 4096

// keyScope is what a signing key is derived from, but the service. The secret itself is
// in it, not a name of it: a key that has got another secret can not find the old one.
type keyScope struct {
	secret       Secret
	date, region string
}

func (c *claim) keyScope(secret Secret) keyScope {
	return keyScope{secret: secret, date: c.date, region: c.region}
}

// signingKeys are the derived keys of the requests that were verified.
type signingKeys struct {
	mu   sync.RWMutex
	keys map[keyScope]*signingKey
}

// get returns a kept key, or nil.
func (k *signingKeys) get(id keyScope) *signingKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[id]
}

// put keeps a key. When there are too many all others are forgotten: those of other days
// are not needed any more, and the rest are soon derived again.
func (k *signingKeys) put(id keyScope, key *signingKey) {
	// They are parts of a request, which must not be kept for them.
	id.date, id.region = strings.Clone(id.date), strings.Clone(id.region)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil || len(k.keys) >= maxSigningKeys {
		k.keys = make(map[keyScope]*signingKey)
	}
	k.keys[id] = key
}

// signingKey is a derived key, ready to sign.
type signingKey struct {
	macs sync.Pool // of hash.Hash
}

func newSigningKey(key [sha256.Size]byte) *signingKey {
	return &signingKey{macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key[:]) }}}
}

func (k *signingKey) sign(message []byte, sum *[sha256.Size]byte) {
	mac := k.macs.Get().(hash.Hash)
	mac.Reset()
	mac.Write(message)
	mac.Sum(sum[:0])
	k.macs.Put(mac)
}

// derive derives the signing key of a secret, day, region and service.
func (w *work) derive(secret Secret, date, region, service string) [sha256.Size]byte {
	var key [sha256.Size]byte
	w.hmac([]byte("AWS4"+string(secret)), []byte(date), &key)
	w.hmac(key[:], []byte(region), &key)
	w.hmac(key[:], []byte(service), &key)
	w.hmac(key[:], []byte("aws4_request"), &key)
	return key
}

// hmac puts the HMAC of a message into sum, which may be the key's own memory, and
// counts it.
func (w *work) hmac(key, message []byte, sum *[sha256.Size]byte) {
	w.macs++
	mac := hmac.New(sha256.New, key)
	mac.Write(message)
	mac.Sum(sum[:0])
}
