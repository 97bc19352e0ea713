package service

import (
	"slices"
	"testing"
	"time"

	"tusq/service/wake"
)

// TestWhatLowersAFloorDuringAClaimHolds raises a floor by a claim that began before the floor
// was lowered, or forgotten; the claim after that is undisturbed.
func TestWhatLowersAFloorDuringAClaimHolds(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	claimAt := func(f *floors, seconds int, meanwhile func()) {
		c := &Claim{}
		f.begin(1, c)
		meanwhile()
		c.Now, c.Floor = at(seconds), Floor{Fresh: at(seconds), Returned: at(seconds)}
		f.raise(1, c, floorSlack)
	}
	nothing := func() {}
	for name, test := range map[string]struct {
		meanwhile func(*floors)
		want      Floor // after the claim
	}{
		"nothing":     {func(*floors) {}, Floor{Fresh: at(20), Returned: at(20)}},
		"a sweep":     {func(f *floors) { f.lower(1, Floor{Fresh: at(3)}) }, Floor{Fresh: at(3), Returned: at(20)}},
		"an event":    {func(f *floors) { f.lowerTo(1, time.Now().Add(-5*time.Second)) }, Floor{Fresh: at(5), Returned: at(5)}},
		"a change":    {func(f *floors) { f.forget(1) }, Floor{}},
		"an outage":   {func(f *floors) { f.forgetAll() }, Floor{}},
		"a new claim": {func(f *floors) { claimAt(f, 15, nothing) }, Floor{Fresh: at(20), Returned: at(20)}},
	} {
		f := &floors{queues: map[int64]*queueFloor{}}
		claimAt(f, 10, nothing)
		claimAt(f, 20, func() { test.meanwhile(f) })
		near(t, name+": fresh", f.of(1).Fresh, test.want.Fresh)
		near(t, name+": returned", f.of(1).Returned, test.want.Returned)
		claimAt(f, 30, nothing)
		near(t, name+": after an undisturbed claim", f.of(1).Fresh, at(30))
	}
}

// TestOvertakenClaimsRaiseNoFloor ends a claim after another that began after the floor was lowered, and found a message there.
func TestOvertakenClaimsRaiseNoFloor(t *testing.T) {
	start := time.Now()
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for name, test := range map[string]struct {
		lower func(*floors)
		want  int
	}{
		"a sweep":  {func(f *floors) { f.lower(1, Floor{Fresh: at(3), Returned: at(3)}) }, 3},
		"a change": {func(f *floors) { f.forget(1) }, 4},
	} {
		f := &floors{queues: map[int64]*queueFloor{}}
		end := func(c *Claim, floor int) {
			c.Now, c.Floor = at(20), Floor{Fresh: at(floor), Returned: at(floor)}
			f.raise(1, c, floorSlack)
		}
		first, overtaken, later := &Claim{}, &Claim{}, &Claim{}
		f.begin(1, first)
		end(first, 10)
		f.begin(1, overtaken)
		test.lower(f)
		f.begin(1, later)
		end(later, 4)
		end(overtaken, 20)
		near(t, name, f.of(1).Fresh, at(test.want))
		f.begin(1, first)
		end(first, 30)
		near(t, name+": after an undisturbed claim", f.of(1).Fresh, at(30))
	}
}

// TestEventsAboveAFloorHoldForClaims hears, during a claim, of a transaction that has made a message visible below the claim's time,
// and above the floor of the claim before. The claim has not seen it.
func TestEventsAboveAFloorHoldForClaims(t *testing.T) {
	start := time.Now()
	for name, before := range map[string]bool{"a claim a minute ago": true, "the first claim": false} {
		f := &floors{queues: map[int64]*queueFloor{}}
		claim := func(now time.Time, meanwhile func()) {
			c := &Claim{}
			f.begin(1, c)
			meanwhile()
			c.Now, c.Floor = now, Floor{Fresh: now, Returned: now}
			f.raise(1, c, aloneSlack)
		}
		if before {
			claim(start.Add(-time.Minute), func() {})
			f.queues[1].at = start.Add(-time.Minute)
		}
		since := start.Add(-5 * time.Second)
		claim(start, func() { f.lowerTo(1, since) })
		if floor := f.of(1); floor.Fresh.After(since) || floor.Returned.After(since) {
			t.Errorf("%s: the floor is %v above what has become visible", name, floor.Fresh.Sub(since))
		}
		claim(start, func() {})
		near(t, name+": after the next claim", f.of(1).Fresh, start)
	}
}

// TestOldChangesOfAFloorAreDropped so that a busy queue's do not grow.
func TestOldChangesOfAFloorAreDropped(t *testing.T) {
	q := &queueFloor{}
	for range 100 {
		q.lower(Floor{Fresh: time.Now()})
	}
	if n := len(q.latest); n > 50 {
		t.Errorf("%d changes at a time are noted apart", n)
	}
	for i := range q.latest {
		q.latest[i].at = time.Now().Add(-3 * loweredAge)
	}
	if q.lower(Floor{Fresh: time.Now()}); len(q.latest) != 1 {
		t.Errorf("%d changes are left of which no claim is so old", len(q.latest)-1)
	}
}

// TestFailedFlushesLowerFloors where they may have made messages visible, or kept them from other claims, here and elsewhere.
func TestFailedFlushesLowerFloors(t *testing.T) {
	const queue, dead = 1, 2
	settlements := []*Settlement{{}}
	for name, test := range map[string]struct {
		work  QueueWork
		lower []int64
	}{
		"sends":          {QueueWork{Sends: []*Outgoing{{}}}, nil},
		"deletes":        {QueueWork{Deletes: settlements}, nil},
		"claims":         {QueueWork{Claims: []*Claim{{}}}, []int64{queue}},
		"hand-offs":      {QueueWork{Sends: []*Outgoing{{}}, Handoffs: []*Claim{{}}}, []int64{queue}},
		"releases":       {QueueWork{Releases: settlements}, []int64{queue}},
		"extends":        {QueueWork{Extends: settlements}, []int64{queue}},
		"dead letters":   {QueueWork{Claims: []*Claim{{DeadLetter: &DeadLetter{QueueID: dead}}}}, []int64{queue, dead}},
		"a FIFO queue's": {QueueWork{FIFO: true, Claims: []*Claim{{DeadLetter: &DeadLetter{QueueID: dead}}}}, nil},
	} {
		s := &Service{floors: floors{queues: map[int64]*queueFloor{}}, hub: wake.NewHub(), notifier: newNotifier()}
		s.queues = newQueueCache(s, nil)
		now := time.Now()
		for _, id := range []int64{queue, dead} {
			c := &Claim{}
			s.floors.begin(id, c)
			c.Now, c.Floor = now, Floor{Fresh: now, Returned: now}
			s.floors.raise(id, c, floorSlack)
		}
		test.work.QueueID = queue
		s.distrustFloors([]QueueWork{test.work})
		for _, id := range []int64{queue, dead} {
			lowered, told := s.floors.of(id) == (Floor{}), s.notifier.events[id].Changed
			if want := slices.Contains(test.lower, id); lowered != want || told != want {
				t.Errorf("%s: floor of queue %d lowered: %v, told to others: %v, want %v", name, id, lowered, told, want)
			}
		}
	}
}

// near checks a floor, which has a slack, or that there is none.
func near(t *testing.T, what string, got, want time.Time) {
	t.Helper()
	if got.IsZero() != want.IsZero() || got.Sub(want).Abs() > time.Second {
		t.Errorf("%s: floor %v, want about %v", what, got, want)
	}
}
