package service

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of a new password's hash: the second of the equally strong choices in OWASP's
// Password Storage Cheat Sheet. It takes 19 MiB and, on one core, tens of milliseconds.
const (
	hashMemory  = 19 << 10 // KiB
	hashPasses  = 2
	hashThreads = 1
	hashSalt    = 16 // bytes
	hashLength  = 32 // bytes
)

// What is checked of a stored hash before it is worked with.
const (
	maxHashMemory  = 1 << 20 // KiB
	maxHashPasses  = 100
	maxHashThreads = 16
)

// hashPatience is how long a hashing waits for others to end.
const hashPatience = time.Second

// passwords hashes passwords, only so many at a time: whoever tries to sign in must be able to
// take neither all memory nor all processors.
type passwords struct {
	slots    chan struct{}
	patience time.Duration
}

func newPasswords() *passwords {
	return &passwords{slots: make(chan struct{}, max(1, min(4, runtime.GOMAXPROCS(0)/2))), patience: hashPatience}
}

// PasswordHash is an argon2id hash in PHC's form. It is not shown where it is printed.
type PasswordHash string

func (PasswordHash) String() string { return "[redacted]" }

// GoString is String.
func (PasswordHash) GoString() string { return "[redacted]" }

// hash makes a new password's hash. It fails with CodeOverloaded where too many are at work.
func (p *passwords) hash(ctx context.Context, password string) (PasswordHash, error) {
	h := parsedHash{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: make([]byte, hashSalt)}
	rand.Read(h.salt) // never fails
	sum, err := p.derive(ctx, password, h, hashLength)
	if err != nil {
		return "", err
	}
	h.sum = sum
	return h.text(), nil
}

// dummyHash is of no password. What is compared with it takes as long as with a user's.
var dummyHash = parsedHash{
	memory: hashMemory, passes: hashPasses, threads: hashThreads,
	salt: make([]byte, hashSalt), sum: make([]byte, hashLength),
}.text()

// match tells whether a hash is the password's. The same errors as hash.
func (p *passwords) match(ctx context.Context, password string, hash PasswordHash) (bool, error) {
	h, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	sum, err := p.derive(ctx, password, h, uint32(len(h.sum)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, h.sum) == 1, nil
}

func (p *passwords) derive(ctx context.Context, password string, h parsedHash, length uint32) ([]byte, error) {
	patience := time.NewTimer(p.patience)
	defer patience.Stop()
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-patience.C:
		return nil, Errorf(CodeOverloaded, "Too many passwords are being checked. Try again in a moment.")
	}
	defer func() { <-p.slots }()
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.threads, length), nil
}

// parsedHash is a PasswordHash in its parts.
type parsedHash struct {
	memory, passes uint32
	threads        uint8
	salt, sum      []byte
}

func (h parsedHash) text() PasswordHash {
	encode := base64.RawStdEncoding.EncodeToString
	return PasswordHash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, h.memory, h.passes, h.threads, encode(h.salt), encode(h.sum)))
}

var errBadHash = errors.New("the stored hash of a password is damaged")

func parseHash(hash PasswordHash) (h parsedHash, err error) {
	parts := strings.Split(string(hash), "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errBadHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.threads); n != 3 || err != nil {
		return h, errBadHash
	}
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return h, errBadHash
	}
	if h.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.sum) < 16 || len(h.sum) > 64 {
		return h, errBadHash
	}
	if h.memory < 8 || h.memory > maxHashMemory || h.passes < 1 || h.passes > maxHashPasses || h.threads < 1 || h.threads > maxHashThreads {
		return h, errBadHash
	}
	return h, nil
}

// validPassword checks a password that somebody wants to have.
func validPassword(password string) error {
	switch {
	case password == "":
		return &Error{Code: CodeMissingParameter, Field: "password", Message: "password is required."}
	case !utf8.ValidString(password):
		return invalid("password", "A password must be text.")
	case utf8.RuneCountInString(password) < MinPassword || len(password) > MaxPassword:
		return invalid("password", "A password has %d characters at least and %d bytes at most.", MinPassword, MaxPassword)
	}
	return nil
}
