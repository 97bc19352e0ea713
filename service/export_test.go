package service

import (
	"context"
	"time"
)

// Listening is closed once the service hears of other replicas' events.
func (s *Service) Listening() <-chan struct{} { return s.listening }

// Hear does what an event of another replica does.
func (s *Service) Hear(e Event) { s.receiveEvent(e) }

// Sweep looks for what slipped under a floor, as the periodic sweep does.
func (s *Service) Sweep(ctx context.Context) error { return s.sweep(ctx) }

// IsAlone tells whether a replica believes that there are no others.
func (s *Service) IsAlone() bool { return s.isAlone() }

// LastHeard is when a replica last heard of another one.
func (s *Service) LastHeard() time.Time { return s.made.Add(time.Duration(s.heard.Load())) }

// ForgetOthers makes a replica believe that it is alone.
func (s *Service) ForgetOthers() { s.heard.Store(int64(-time.Hour)) }

// LookAtHealth looks at the database's health, as is done now and then.
func (s *Service) LookAtHealth(ctx context.Context, warned map[Unfit]bool) error {
	return s.lookAtHealth(ctx, warned)
}

// FillHashing takes all places in which passwords are hashed, and returns how to give them back.
func (s *Service) FillHashing() (free func()) {
	for range cap(s.passwords.slots) {
		s.passwords.slots <- struct{}{}
	}
	return func() {
		for range cap(s.passwords.slots) {
			<-s.passwords.slots
		}
	}
}

// KeepAttempts stops the time by which failed attempts to sign in are forgotten.
func (s *Service) KeepAttempts() {
	now := time.Now()
	s.attempts.now = func() time.Time { return now }
}

// KeepRates stops the time by which the keys that are known may make more requests.
func (s *Service) KeepRates() {
	for _, key := range s.keys.now.Load().keys {
		key.state.limiter.SetLimit(0)
		key.account.SetLimit(0)
	}
}

// FloorOf is where a queue's next claim begins.
func (s *Service) FloorOf(queueID int64) Floor { return s.floors.of(queueID) }

// Ended tells whether a caller's rights hold no longer.
func Ended(caller Caller) bool {
	select {
	case <-caller.ended():
		return true
	default:
		return false
	}
}

// NewTestCaller returns a caller with some rights.
func NewTestCaller(account, name string, rights Rights) Caller {
	return Caller{Account: account, actor: &actor{name: name, account: account, rights: rights.grants()}}
}
