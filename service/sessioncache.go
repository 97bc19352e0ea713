package service

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"
)

// sessionCache keeps sessions for sessionAge: a page of the console makes several requests.
type sessionCache struct {
	store   SessionStore
	outlast func(ctx context.Context, call func() error) error

	mu      sync.Mutex
	entries map[[sha256.Size]byte]sessionEntry
	epoch   int // counts what was forgotten: what was read before that is not kept after it
}

type sessionEntry struct {
	session Session
	until   time.Time
	touched time.Time // when the store was last told of a person's use; zero: not by this replica
}

func newSessionCache(store SessionStore, outlast func(context.Context, func() error) error) *sessionCache {
	return &sessionCache{store: store, outlast: outlast, entries: map[[sha256.Size]byte]sessionEntry{}}
}

// get returns the session of a token's hash. person: somebody uses it.
func (c *sessionCache) get(ctx context.Context, hash [sha256.Size]byte, person bool) (Session, error) {
	now := time.Now()
	c.mu.Lock()
	entry := c.entries[hash]
	epoch := c.epoch
	c.mu.Unlock()
	touch := person && now.Sub(entry.touched) >= touchEvery
	if now.Before(entry.until) && !touch {
		return entry.session, nil
	}
	if touch {
		entry.touched = now
	}
	err := c.outlast(ctx, func() (err error) {
		entry.session, err = c.store.GetSession(ctx, hash[:], touch)
		return err
	})
	entry.until = now.Add(sessionAge)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		delete(c.entries, hash)
		return Session{}, err
	}
	if epoch == c.epoch {
		if len(c.entries) >= sessionCount {
			clear(c.entries)
		}
		c.entries[hash] = entry
	}
	return entry.session, nil
}

// forget drops a session that has ended.
func (c *sessionCache) forget(hash [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.entries, hash)
}

// forgetAll drops every session: keys or users have changed.
func (c *sessionCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	clear(c.entries)
}
