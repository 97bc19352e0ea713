package service

import (
	"slices"
	"sync"
	"time"

	"tusq/internal/faultpoint"
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
	// floorSlack is how far the floor stays behind, for the flushes of other replicas that are
	// under way. Every entry inside is read by every claim.
	floorSlack = 20 * time.Millisecond
	// aloneSlack is enough where there are none: this replica's own flushes follow each other.
	aloneSlack = time.Millisecond
	floorAge   = 10 * time.Minute // after the last claim, a floor is dropped
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

	// A claim raises the floor when it has ended. What has become visible below its time meanwhile still holds.
	changes int       // counts them
	latest  []lowered // in their order
}

// lowered is what a floor has to be below, for claims that began before the change.
type lowered struct {
	change int
	at     time.Time // the change, or the first of a few
	to     Floor
	all    bool // at the beginning
}

const (
	loweredTogether = 5 * time.Millisecond // changes that are noted as one
	loweredAge      = 30 * time.Second     // longer than a claim takes
)

// note notes a change.
func (q *queueFloor) note(to Floor, all bool) {
	q.changes++
	now := time.Now()
	if n := len(q.latest); n > 0 && now.Sub(q.latest[n-1].at) < loweredTogether {
		last := &q.latest[n-1]
		*last = lowered{change: q.changes, at: last.at, all: last.all || all, to: Floor{
			Fresh: earliest(last.to.Fresh, to.Fresh), Returned: earliest(last.to.Returned, to.Returned),
		}}
		return
	}
	if len(q.latest) > 0 && now.Sub(q.latest[0].at) > 2*loweredAge {
		q.latest = slices.DeleteFunc(q.latest, func(l lowered) bool { return now.Sub(l.at) > loweredAge })
	}
	q.latest = append(q.latest, lowered{change: q.changes, at: now, to: to, all: all})
}

// missed is what a claim has missed that was told where to begin before the changes after one.
func (q *queueFloor) missed(change int) (to Floor, all bool) {
	for _, l := range slices.Backward(q.latest) {
		if l.change <= change {
			break
		}
		to.Fresh, to.Returned, all = earliest(to.Fresh, l.to.Fresh), earliest(to.Returned, l.to.Returned), all || l.all
	}
	return to, all
}

// begin tells a claim where to begin.
func (f *floors) begin(queueID int64, claim *Claim) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue(queueID)
	claim.From, claim.floorChanges = q.Floor, q.changes
}

// of returns a queue's floor.
func (f *floors) of(queueID int64) Floor {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queues[queueID]; q != nil {
		return q.Floor
	}
	return Floor{}
}

func (f *floors) queue(id int64) *queueFloor {
	q := f.queues[id]
	if q == nil {
		if len(f.queues) >= cacheSize {
			clear(f.queues)
		}
		q = &queueFloor{at: time.Now()}
		f.queues[id] = q
	}
	return q
}

// raise sets a queue's floor to where a claim has found that the next one could begin, less
// a slack.
func (f *floors) raise(queueID int64, claim *Claim, slack time.Duration) {
	if claim.Now.IsZero() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queues[queueID]
	if q == nil {
		return
	}
	q.now, q.at = claim.Now, time.Now()
	missed, all := q.missed(claim.floorChanges)
	if all {
		return
	}
	if to := claim.Floor.Fresh; !to.IsZero() {
		q.Fresh = lower(to.Add(-slack), missed.Fresh)
	}
	if to := claim.Floor.Returned; !to.IsZero() {
		q.Returned = lower(to.Add(-slack), missed.Returned)
	}
}

// lowerTo lowers a queue's floor for messages that a transaction since then made visible.
func (f *floors) lowerTo(queueID int64, since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queues[queueID]
	switch {
	case q == nil || since.IsZero():
	case q.now.IsZero(): // the first claim has not ended
		q.forget()
	default:
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
	if faultpoint.Bug("floor-never-lowered") {
		return
	}
	to = Floor{Fresh: withSlack(to.Fresh), Returned: withSlack(to.Returned)}
	q.Fresh, q.Returned = lower(q.Fresh, to.Fresh), lower(q.Returned, to.Returned)
	q.note(to, false)
}

func withSlack(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-floorSlack)
}

// lower returns the lower of a floor, of which zero is the lowest, and where something was
// found; zero: nothing was.
func lower(floor, found time.Time) time.Time {
	if floor.IsZero() || found.IsZero() || floor.Before(found) {
		return floor
	}
	return found
}

// earliest returns the earlier of two times; zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// forget makes claims begin at the beginning, until one that begins after this has ended.
func (f *floors) forget(queueID int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q := f.queues[queueID]; q != nil {
		q.forget()
	}
}

// forgetAll is forget for every queue.
func (f *floors) forgetAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, q := range f.queues {
		q.forget()
	}
}

func (q *queueFloor) forget() {
	if faultpoint.Bug("floor-never-lowered") {
		return
	}
	q.Floor = Floor{}
	q.note(Floor{}, true)
}

// used returns the floors of the queues that are claimed from, and drops the others.
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
