package service

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPasswordHash(t *testing.T) {
	p := newPasswords()
	const password = "correct horse battery staple"
	hash, err := p.hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(hash), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s", string(hash))
	}
	again, err := p.hash(t.Context(), password)
	if err != nil || again == hash {
		t.Errorf("two hashes of a password are the same: they have no salt (%v)", err)
	}
	for typed, want := range map[string]bool{password: true, password + " ": false, "": false, "Correct horse battery staple": false} {
		if got, err := p.match(t.Context(), typed, hash); err != nil || got != want {
			t.Errorf("%q matches: %v %v, want %v", typed, got, err, want)
		}
	}
	if got, err := p.match(t.Context(), "", dummyHash); err != nil || got {
		t.Errorf("the dummy matches: %v %v", got, err)
	}
	if shown := fmt.Sprintf("%v %+v %#v %s", hash, StoredUser{Password: hash}, StoredUser{Password: hash}, hash); strings.Contains(shown, "argon2") {
		t.Errorf("a hash shows itself: %s", shown)
	}
}

// TestForeignHashes checks hashes that the reference implementation's program has made, with the
// cost of today and with another.
func TestForeignHashes(t *testing.T) {
	for password, hash := range map[string]PasswordHash{
		"correct horse battery staple": "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$ISO7kkvFzh19GM8qB7patN3C3Y9HHsjlVTfEZ9T600Y",
		"password":                     "$argon2id$v=19$m=4096,t=3,p=2$c29tZXNhbHQ$lXVg849vSND1P2W3dzLsZi7RPhAgyEyD",
	} {
		if got, err := newPasswords().match(t.Context(), password, hash); err != nil || !got {
			t.Errorf("%s is not that of %q: %v", string(hash), password, err)
		}
	}
}

func TestDamagedHashes(t *testing.T) {
	good := string(dummyHash)
	for _, hash := range []string{
		"", "password", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=99999999", 1), strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=255", 1), good[:len(good)-40], good + "!", good + "$",
	} {
		if got, err := newPasswords().match(t.Context(), "password", PasswordHash(hash)); err == nil || got {
			t.Errorf("%q: %v %v, want an error", hash, got, err)
		}
	}
}

// Only so many passwords are hashed at a time; the next waits a little and is refused.
func TestHashingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPasswords()
		for range cap(p.slots) {
			p.slots <- struct{}{}
		}
		before := time.Now()
		_, err := p.hash(t.Context(), "password")
		if ErrorCode(err) != CodeOverloaded || time.Since(before) != hashPatience {
			t.Errorf("%v after %v, want %s after %v", err, time.Since(before), CodeOverloaded, hashPatience)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.match(ctx, "password", dummyHash); err == nil {
			t.Error("one that nobody waits for is hashed")
		}
		time.AfterFunc(hashPatience/2, func() { <-p.slots })
		if _, err := p.hash(t.Context(), "password"); err != nil {
			t.Errorf("one that waited for another's end: %v", err)
		}
	})
}
