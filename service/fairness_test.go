package service_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tusq/service"
)

// Of TestNoGroupStarves.
const (
	coldGroups = 3000
	hotBacklog = 500 // messages of the hot group that are older than the cold ones
	receivers  = 100 // half of them of each replica
	batch      = 10
	lease      = time.Minute

	// Both are 200 or less, more only where receivers do not keep step.
	mostOvertaken = coldGroups / 3 // places by which a cold message comes later than its age says
	mostBetween   = coldGroups / 3 // cold messages between two of the hot group; once, as a backend may pause, twice as many
)

// TestNoGroupStarves has a hundred receivers take one message at a time from a group that never runs
// empty and from thousands of groups of one message each, while one more group is blocked.
//
// Its bounds come from how claims choose. Ready groups of new messages are taken in the order in
// which their first messages became visible: so each message comes after those that are older, and
// besides only after those that other claims took at the same time. A group with a message in
// flight is not ready: so the hot group, which goes first because its backlog is the oldest, has one
// receiver, and comes again once the others have taken about one cold group each.
func TestNoGroupStarves(t *testing.T) {
	w := fifoWorld(t, service.QueueChange{VisibilityTimeout: new(lease)})
	f := &fairness{world: w, done: make(chan struct{})}
	w.post("blocked:1", "blocked:2")
	blocked := w.wantTake(1, "blocked:1")
	for range hotBacklog / batch {
		f.sendHot(w.Service, batch)
	}
	f.sendCold()
	var work sync.WaitGroup
	for n := range receivers {
		work.Go(func() { f.repeat(f.receive, n) })
	}
	for n := range 2 { // each replica's sender locks the hot group most of the time
		work.Go(func() { f.repeat(func(replica *service.Service) { f.sendHot(replica, 1) }, n) })
	}
	work.Wait()
	f.check()
	w.mustDelete(blocked...)
	if m := w.one(w.queue); m.GroupID != "blocked" || m.Body != "2" { // it is the oldest now
		t.Errorf("received %s:%s, want blocked:2", m.GroupID, m.Body)
	}
}

// fairness is what was received of each kind, in this order.
type fairness struct {
	*world
	sent atomic.Int64  // messages of the hot group
	done chan struct{} // closed when all cold groups were received

	mu        sync.Mutex
	hot, cold []service.Message
}

// repeat does something on one of the replicas until all cold groups were received, or the test failed.
func (f *fairness) repeat(do func(*service.Service), n int) {
	for !f.t.Failed() {
		select {
		case <-f.done:
			return
		default:
			do([]*service.Service{f.Service, f.other}[n%2])
		}
	}
}

func (f *fairness) sendHot(replica *service.Service, n int) {
	messages := make([]service.SendMessage, n)
	for i := range messages {
		messages[i] = service.SendMessage{Body: "hot", GroupID: "hot", DeduplicationID: fmt.Sprint("hot-", f.sent.Add(1))}
	}
	f.sendAll(replica, messages)
}

func (f *fairness) sendAll(replica *service.Service, messages []service.SendMessage) {
	sent, err := replica.SendMessages(f.ctx, caller, f.queue, service.SendMessages{Messages: messages})
	for _, s := range sent {
		err = errors.Join(err, s.Err)
	}
	if err != nil {
		f.t.Errorf("send: %v", err)
	}
}

// sendCold sends a message to each cold group, in many calls at a time.
func (f *fairness) sendCold() {
	var work sync.WaitGroup
	for n := range coldGroups / batch {
		work.Go(func() {
			messages := make([]service.SendMessage, batch)
			for i := range messages {
				group := fmt.Sprint("cold-", n, "-", i)
				messages[i] = service.SendMessage{Body: "cold", GroupID: group, DeduplicationID: group}
			}
			f.sendAll(f.Service, messages)
		})
	}
	work.Wait()
}

// receive receives a message, notes it, and deletes it.
func (f *fairness) receive(replica *service.Service) {
	messages, err := replica.ReceiveMessages(f.ctx, caller, f.queue, service.ReceiveMessages{Max: 1, Wait: new(time.Second)})
	if err != nil {
		f.t.Errorf("receive: %v", err)
	}
	for _, m := range messages {
		f.note(m)
		answers, err := replica.DeleteMessages(f.ctx, caller, f.queue, []string{m.Receipt})
		if err != nil || answers[0] != nil {
			f.t.Errorf("delete: %v, %v", answers, err)
		}
	}
}

func (f *fairness) note(m service.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case m.GroupID == "hot":
		f.hot = append(f.hot, m)
	case strings.HasPrefix(m.GroupID, "cold-"):
		if f.cold = append(f.cold, m); len(f.cold) == coldGroups {
			close(f.done)
		}
	default:
		f.t.Errorf("received %s:%s, whose group is blocked", m.GroupID, m.Body)
	}
}

// check checks the bounds, by the database's time.
func (f *fairness) check() {
	f.t.Helper()
	overtaken, between := f.mostOvertaken(), f.between()
	f.t.Logf("beside %d messages of the hot group a cold one was overtaken by %d at most; %d came between two, and once %d",
		len(f.hot), overtaken, between[1], between[0])
	if len(f.hot) > hotBacklog+mostOvertaken || overtaken > mostOvertaken || between[0] > 2*mostBetween || between[1] > mostBetween {
		f.t.Errorf("want %d, %d and %d at most", hotBacklog+mostOvertaken, mostOvertaken, mostBetween)
	}
	for i, m := range f.hot[min(1, len(f.hot)):] {
		if m.Sequence <= f.hot[i].Sequence {
			f.t.Errorf("the hot group came out of order: %d after %d", m.Sequence, f.hot[i].Sequence)
		}
	}
	groups := map[string]bool{}
	for _, m := range f.cold {
		groups[m.GroupID] = true
	}
	if len(groups) != coldGroups {
		f.t.Errorf("%d cold groups were received, want %d", len(groups), coldGroups)
	}
}

func receivedAt(m service.Message) time.Time { return m.VisibleAt.Add(-lease) }

// mostOvertaken is by how many places of the cold messages, at most, one was received later than it was sent.
func (f *fairness) mostOvertaken() (most int) {
	all := slices.Clone(f.cold)
	slices.SortStableFunc(all, func(a, b service.Message) int { return receivedAt(a).Compare(receivedAt(b)) })
	received := make(map[string]int, len(all))
	for i, m := range all {
		received[m.ID] = i
	}
	slices.SortStableFunc(all, func(a, b service.Message) int { return a.SentAt.Compare(b.SentAt) })
	for i, m := range all {
		most = max(most, received[m.ID]-i)
	}
	return most
}

// between is how many cold messages were received between two of the hot group, at most and otherwise at most.
func (f *fairness) between() (most [2]int) {
	var times []time.Time
	for _, m := range f.cold {
		times = append(times, receivedAt(m))
	}
	slices.SortFunc(times, time.Time.Compare)
	var gaps []int
	last := 0
	for _, m := range f.hot {
		n, _ := slices.BinarySearchFunc(times, receivedAt(m), time.Time.Compare)
		gaps, last = append(gaps, n-last), n
	}
	gaps = append(gaps, len(times)-last, 0)
	slices.Sort(gaps)
	slices.Reverse(gaps)
	return [2]int(gaps)
}
