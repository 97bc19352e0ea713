package service

import (
	"crypto/sha256"
	"sync"
	"time"
)

// attempts bounds how often signing in may fail, for each address that tries and for each name
// that is tried: failedBurst times at once, and then once in failedEvery. Attempts that succeed
// are not counted.
type attempts struct {
	now func() time.Time

	mu    sync.Mutex
	full  map[attempt]time.Time // when all of its failures will be forgotten
	swept time.Time             // when room was last made
}

// attempt is something whose attempts are counted: a hash, so that what is typed needs no room.
type attempt [16]byte

// others is what is counted where there is no room to count it apart.
var others attempt

func newAttempts() *attempts {
	return &attempts{now: time.Now, full: map[attempt]time.Time{}}
}

// of returns what an attempt to sign in counts for. One from inside counts for no address, and one by a key
// for no name: its secret cannot be guessed.
func (a *attempts) of(signIn SignIn) (all []attempt) {
	if from := signIn.From.Unmap(); from.IsValid() {
		if from.Is6() {
			network, _ := from.WithZone("").Prefix(sourceBits6) // the length is valid
			from = network.Addr()
		}
		all = append(all, attemptOf("address", from.String()))
	}
	if signIn.Token == "" {
		all = append(all, attemptOf("user", signIn.Account+"/"+signIn.User))
	}
	return all
}

func attemptOf(kind, name string) attempt {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return attempt(sum[:16])
}

// take counts an attempt, as a failure for now, unless there were too many.
func (a *attempts) take(all []attempt) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.makeRoom(now)
	for i, one := range all {
		if _, known := a.full[one]; !known && len(a.full) >= failedCount {
			all[i] = others
		}
		if a.full[all[i]].Sub(now) > (failedBurst-1)*failedEvery {
			return false
		}
	}
	for _, one := range all {
		a.move(one, now, failedEvery)
	}
	return true
}

// giveBack undoes take for an attempt that did not fail.
func (a *attempts) giveBack(all []attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range all {
		a.move(one, a.now(), -failedEvery)
	}
}

func (a *attempts) move(one attempt, now time.Time, by time.Duration) {
	at := a.full[one]
	if at.Before(now) {
		at = now
	}
	a.full[one] = at.Add(by)
}

// makeRoom drops what has no failures any more, when there is no room left, and not at each attempt.
func (a *attempts) makeRoom(now time.Time) {
	if len(a.full) < failedCount || now.Sub(a.swept) < failedEvery {
		return
	}
	a.swept = now
	for one, at := range a.full {
		if !at.After(now) {
			delete(a.full, one)
		}
	}
}
