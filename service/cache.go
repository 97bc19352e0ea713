package service

import (
	"context"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	cacheAge  = 2 * time.Second // after which a queue is read again, should its event have been lost
	cacheSize = 20_000          // queues; a full cache is emptied
)

// queueCache holds what calls on messages need to know of their queue. It may be
// out of date for cacheAge at most: the statements themselves refuse deleted queues.
type queueCache struct {
	store QueueStore
	// outlast repeats a read while the database is away, as flushes do.
	outlast func(ctx context.Context, read func() error) error
	permits func(Queue) []Permit // nil: none
	givenUp <-chan struct{}
	flight  singleflight.Group

	mu      sync.RWMutex
	entries map[queueKey]cacheEntry
	names   map[int64]queueKey
	epoch   int // counts changes: what was read before one is not kept after it
}

type queueKey struct{ account, name string }

type cacheEntry struct {
	queue *Queue
	until time.Time
}

func newQueueCache(s *Service, permits func(Queue) []Permit) *queueCache {
	return &queueCache{
		store: s.store, outlast: s.outlast, permits: permits, givenUp: s.givenUp,
		entries: map[queueKey]cacheEntry{}, names: map[int64]queueKey{},
	}
}

// get returns a queue, which must not be changed.
func (c *queueCache) get(ctx context.Context, account, name string) (*Queue, error) {
	key := queueKey{account, name}
	c.mu.RLock()
	entry, ok := c.entries[key]
	epoch := c.epoch
	c.mu.RUnlock()
	if ok && time.Now().Before(entry.until) {
		return entry.queue, nil
	}
	if err := validQueueName(name); err != nil {
		return nil, err
	}
	flight := account + "/" + name + "/" + strconv.Itoa(epoch) // never share a read from before a change
	load := func() (any, error) { return c.load(context.WithoutCancel(ctx), key, epoch) }
	return await[*Queue](ctx, c.givenUp, c.flight.DoChan(flight, load))
}

// await returns the answer of a read that callers share, unless the caller goes or the service gives up first.
func await[T any](ctx context.Context, givenUp <-chan struct{}, read <-chan singleflight.Result) (answer T, err error) {
	select {
	case result := <-read:
		if result.Err == nil {
			answer = result.Val.(T)
		}
		return answer, result.Err
	case <-ctx.Done():
		return answer, ctx.Err()
	case <-givenUp:
		return answer, Errorf(CodeUnavailable, "This replica is shutting down.")
	}
}

func (c *queueCache) load(ctx context.Context, key queueKey, epoch int) (*Queue, error) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	var queue Queue
	err := c.outlast(ctx, func() (err error) {
		queue, err = c.store.GetQueue(ctx, key.account, key.name)
		return err
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		delete(c.entries, key)
		return nil, err
	}
	if c.permits != nil {
		queue.permits = c.permits(queue)
	}
	if epoch == c.epoch {
		if len(c.entries) >= cacheSize {
			c.empty()
		}
		c.entries[key] = cacheEntry{queue: &queue, until: time.Now().Add(cacheAge)}
		c.names[queue.ID] = key
	}
	return &queue, nil
}

// confirm notes that a queue was last updated then. It tells whether what is kept of the queue,
// if anything, is of that time; that is kept longer, unless it depends on another queue.
func (c *queueCache) confirm(id int64, updatedAt time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := c.names[id]
	entry, ok := c.entries[key]
	if !ok || entry.queue.ID != id {
		return true
	}
	if !entry.queue.UpdatedAt.Equal(updatedAt) {
		return false
	}
	if entry.queue.Settings.DeadLetter == nil {
		entry.until = time.Now().Add(cacheAge)
		c.entries[key] = entry
	}
	return true
}

// forget drops a queue that has changed.
func (c *queueCache) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	if key, ok := c.names[id]; ok {
		delete(c.entries, key)
		delete(c.names, id)
	}
}

// forgetName drops the queue of a name, which has changed.
func (c *queueCache) forgetName(account, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.entries, queueKey{account, name})
}

// forgetAll drops every queue.
func (c *queueCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.empty()
}

func (c *queueCache) empty() {
	clear(c.entries)
	clear(c.names)
}
