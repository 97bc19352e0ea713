package lifecycle

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tusq/repository"
	"tusq/service"
	"tusq/test/testservice"
)

var wanted = flag.Int("model.actions", 10_500, "how many random actions the model test takes, about")

const stepsPerRun = 60 // on average

var caller = testservice.Caller

// TestModel runs three mixes of queues beside each other, each on a world of its own. A
// failure prints the seed (-rapid.seed) and the file (-rapid.failfile) to repeat it by.
func TestModel(t *testing.T) {
	mixes := map[string][]string{
		"standard": {""},
		"FIFO":     {".fifo"},
		"both":     {"", ".fifo"},
	}
	configure(t, *wanted/len(mixes))
	var done atomic.Int64
	t.Cleanup(func() { t.Logf("%d actions", done.Load()) })
	for name, kinds := range mixes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := machine{context: context.Background(), world: newWorld(t), kinds: kinds}
			base.store = openStore(t, base.world.Database)
			var once sync.Once
			base.first = func(failure string) { once.Do(func() { t.Log("first failure:", failure) }) }
			runs := 0
			rapid.Check(t, func(rt *rapid.T) {
				runs++
				m := base
				m.T, m.prefix = rt, fmt.Sprintf("r%d", runs)
				m.run(&done)
			})
		})
	}
}

// openStore opens a second way to the database, to do background work without waiting for the service.
func openStore(t *testing.T, database string) *repository.Repository {
	t.Helper()
	store, err := repository.Open(t.Context(), repository.Options{
		URL: database, Replica: t.Name() + " work", HotConnections: 1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// configure sets rapid's flags, unless they were given: the seed that is shown, and as
// many runs as make the actions.
func configure(t *testing.T, actions int) {
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{
		"rapid.seed":   strconv.FormatInt(time.Now().UnixNano(), 10),
		"rapid.steps":  strconv.Itoa(stepsPerRun),
		"rapid.checks": strconv.Itoa(max(1, actions/stepsPerRun)),
	} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("-rapid.seed=%s", flag.Lookup("rapid.seed").Value)
}

// run makes queues with dead-letter queues, takes actions, and empties what is left.
func (m *machine) run(done *atomic.Int64) {
	t := m.T
	for _, kind := range m.kinds {
		dead := m.newQueue(kind)
		m.deadLetter(m.newQueue(kind), dead)
	}
	m.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) {
		m.step(t)
		done.Add(1)
	}})
	m.T = t
	m.drain()
}

// drain receives and deletes everything, and deletes the queues.
func (m *machine) drain() {
	s := m.world.Surfaces[0]
	for _, q := range m.queues {
		if q.deleted {
			continue
		}
		m.fail(s.UpdateQueue(q.name, service.QueueChange{DeadLetter: &service.DeadLetter{}}), "remove the policy")
		q.dead = nil
		for m.awaitReceivable(q) {
			receive := service.ReceiveMessages{Max: 10, Wait: new(time.Duration(0)), Visibility: new(service.MaxVisibility)}
			before := q.receivable(m.now())
			got, err := s.Receive(q.name, receive)
			m.fail(err, "drain")
			for i, msg := range m.checkReceived(q, before, got, receive.Max, *receive.Visibility) {
				m.checkSettled(s, q, []taken{{q, msg, got[i].Receipt}}, nil, s.Delete(q.name, got[i].Receipt))
			}
			if len(got) == 0 { // it is held up, see uncertain
				m.world.Travel(q.events(m.now())[0].Sub(m.now()))
				m.expire()
			}
		}
		m.checkStats(s, q)
		m.fail(s.DeleteQueue(q.name), "delete the queue")
		q.deleted = true
	}
}

// awaitReceivable travels until a message may be received, or there is none.
func (m *machine) awaitReceivable(q *queue) bool {
	for len(q.receivable(m.now())) == 0 {
		exact, _ := q.stats(m.now())
		if exact.Total() == 0 {
			return false
		}
		m.world.Travel(q.events(m.now())[0].Sub(m.now()))
	}
	return true
}
