package service

import (
	"sync"
	"time"
)

// Claimed and deleted messages leave entries in the claim index until vacuum removes them,
// and vacuum cannot while any old transaction of the whole cluster may still see them. So
// that claims do not wade through them, they begin at a floor: a little before the first
// message that the last claim saw, or before its time where it took all that was visible.
//
// The floor is a hint. What becomes visible does so at about the present time, above it:
// a send, a release, the end of a lease, a move. A transaction that took long makes
// messages visible in the past; its event says since when, and lowers the floor. What
// slips under it all the same (a claim that was rolled back, an event that was lost) the
// sweep finds.

const (
	// floorSlack is how far the floor stays behind. Every entry inside is read by every claim.
	floorSlack = 20 * time.Millisecond
	floorAge   = 10 * time.Minute // after the last claim, a floor is forgotten
)

// floors are the floors of the queues from which this replica has claimed.
type floors struct {
	mu     sync.Mutex
	queues map[int64]*queueFloor
}

// queueFloor is a queue's floor and the database's time when it was set, by which the
// database's time can be told later.
type queueFloor struct {
	Floor
	now time.Time // the database's
	at  time.Time // this replica's, at that moment or later
}

// of returns where a claim begins.
func (f *floors) of(queueID int64) Floor {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queues[queueID]; q != nil {
		return q.Floor
	}
	return Floor{}
}

// raise sets a queue's floor to where a claim has found that the next one could begin.
func (f *floors) raise(queueID int64, claim *Claim) {
	if claim.Now.IsZero() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queues[queueID]
	if q == nil {
		if len(f.queues) >= cacheSize {
			clear(f.queues)
		}
		q = &queueFloor{}
		f.queues[queueID] = q
	}
	q.now, q.at = claim.Now, time.Now()
	if !claim.Floor.Fresh.IsZero() {
		q.Fresh = claim.Floor.Fresh.Add(-floorSlack)
	}
	if !claim.Floor.Returned.IsZero() {
		q.Returned = claim.Floor.Returned.Add(-floorSlack)
	}
}

// lowerTo lowers a queue's floor for messages that a transaction since then made visible.
func (f *floors) lowerTo(queueID int64, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queues[queueID]; q != nil && !since.IsZero() {
		q.lower(Floor{Fresh: q.now.Add(since.Sub(q.at)), Returned: q.now.Add(since.Sub(q.at))})
	}
}

// lower lowers a queue's floor to what was found below it.
func (f *floors) lower(queueID int64, found Floor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queues[queueID]; q != nil {
		q.lower(found)
	}
}

func (q *queueFloor) lower(to Floor) {
	q.Fresh, q.Returned = lower(q.Fresh, to.Fresh), lower(q.Returned, to.Returned)
}

// lower returns the lower of a floor and where something was found; zero: nothing was.
func lower(floor, found time.Time) time.Time {
	if floor.IsZero() || found.IsZero() || floor.Before(found.Add(-floorSlack)) {
		return floor
	}
	return found.Add(-floorSlack)
}

// forget makes the next claim begin at the beginning.
func (f *floors) forget(queueID int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.queues, queueID)
}

// used returns the floors of the queues that are claimed from, and forgets the others.
func (f *floors) used() map[int64]Floor {
	f.mu.Lock()
	defer f.mu.Unlock()
	used := make(map[int64]Floor, len(f.queues))
	for id, q := range f.queues {
		if time.Since(q.at) > floorAge {
			delete(f.queues, id)
			continue
		}
		used[id] = q.Floor
	}
	return used
}
