package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"tusq/repository"
	"tusq/service"
)

// machine runs random actions against the model and against tusq, each over a surface
// that is drawn anew, and compares.
type machine struct {
	*rapid.T
	context context.Context
	first   func(failure string) // keeps the first failure, should it not happen again
	world   *world
	store   *repository.Repository // to do background work at once
	kinds   []string               // of queues: endings of their names
	prefix  string                 // of the queues' names
	queues  []*queue
	taken   []taken
	calls   []*keyedCall
	bodies  int
	touched []*queue // by the action
}

// taken is a receipt, which may not hold any more.
type taken struct {
	queue   *queue
	message *message
	receipt string
}

// keyedCall is a send with a key.
type keyedCall struct {
	queue    *queue
	key      string
	lenient  bool // by SQS: its keys are others than those of REST
	messages []service.SendMessage
	answers  []service.Sent
	at       time.Time
}

func deduplicationID(m service.SendMessage) string {
	if m.DeduplicationID != "" {
		return m.DeduplicationID
	}
	sum := sha256.Sum256([]byte(m.Body))
	return hex.EncodeToString(sum[:])
}

// action is one of the things that a machine does, and how often.
type action struct {
	name   string
	weight int
	do     func(*machine)
}

var actions = []action{
	{"send", 50, (*machine).send},
	{"repeat a send", 8, (*machine).repeatSend},
	{"receive", 75, (*machine).receive},
	{"settle", 40, (*machine).settle},
	{"travel", 35, (*machine).travel},
	{"update", 10, (*machine).update},
	{"create", 3, (*machine).create},
	{"delete", 1, (*machine).deleteQueue},
	{"purge", 3, (*machine).purge},
	{"redrive", 8, (*machine).redrive},
	{"expire", 3, (*machine).expire},
}

// drawAction draws an action by the weights.
func drawAction(t *rapid.T) action {
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	n := rapid.IntRange(0, total-1).Draw(t, "action")
	for _, a := range actions {
		if n -= a.weight; n < 0 {
			t.Log("action:", a.name)
			return a
		}
	}
	panic("the weights do not add up")
}

// step is one action and the check of what it touched.
func (m *machine) step(t *rapid.T) {
	m.T, m.touched = t, nil
	drawAction(t).do(m)
	for i, q := range m.touched {
		if !q.deleted && !slices.Contains(m.touched[:i], q) {
			m.checkStats(m.surface(), q)
		}
	}
}

func (m *machine) now() time.Time { return m.world.Now() }

// surface draws the surface of a call.
func (m *machine) surface() surface {
	i := rapid.IntRange(0, len(m.world.Surfaces)-1).Draw(m.T, "surface")
	m.Log("surface:", m.world.Surfaces[i].Name())
	return m.world.Surfaces[i]
}

// pick draws one of the live queues that match.
func (m *machine) pick(match func(*queue) bool) *queue {
	var live []*queue
	for _, q := range m.queues {
		if !q.deleted && match(q) {
			live = append(live, q)
		}
	}
	if len(live) == 0 {
		m.Skip("no such queue")
	}
	q := live[rapid.IntRange(0, len(live)-1).Draw(m.T, "queue")]
	m.Log("queue:", q.name)
	m.touched = append(m.touched, q)
	return q
}

func anyQueue(*queue) bool { return true }

func draw[T any](m *machine, label string, of ...T) T { return rapid.SampledFrom(of).Draw(m.T, label) }

// differ ends the run. The failure itself is the format alone: only runs that fail in the
// same words are taken for the same failure, and shrunk.
func (m *machine) differ(format string, args ...any) {
	m.first(fmt.Sprintf(format, args...))
	m.Logf(format, args...)
	m.Fatal(format)
}

func (m *machine) fail(err error, doing string) {
	if err != nil {
		m.first(doing + ": " + err.Error())
		m.Log(err)
		m.Fatal(doing)
	}
}

// wantCode fails unless err has one of the codes; "" is no error.
func (m *machine) wantCode(err error, doing string, codes ...service.Code) {
	got := service.Code("")
	if err != nil {
		got = service.ErrorCode(err)
	}
	if !slices.Contains(codes, got) {
		m.differ("%s: got %v, want %q", doing, err, codes)
	}
}

// expire deletes what has expired, as the service does from time to time.
func (m *machine) expire() {
	_, err := m.store.DeleteExpired(m.context)
	m.fail(err, "delete what has expired")
}

// checkStats compares a queue's counts.
func (m *machine) checkStats(s surface, q *queue) {
	got, err := s.Stats(q.name)
	m.fail(err, "stats")
	want, more := q.stats(m.now())
	most := service.Stats{Visible: want.Visible, InFlight: want.InFlight + more.InFlight, Delayed: want.Delayed + more.Delayed}
	within := got.InFlight >= want.InFlight && got.InFlight <= most.InFlight && got.Delayed >= want.Delayed && got.Delayed <= most.Delayed
	if got.Visible != want.Visible || !within {
		m.differ("stats of %s are %+v, want %+v to %+v", q.name, got, want, most)
	}
}

// travel moves the time on: by some time, to the next event, or to just before it.
func (m *machine) travel() {
	d := draw(m, "time", 0, -time.Microsecond, 0, -time.Microsecond, time.Second, 10*time.Second, 40*time.Second,
		time.Minute, 5*time.Minute, time.Hour, 13*time.Hour)
	if d <= 0 {
		events := m.pick(anyQueue).events(m.now())
		if len(events) == 0 {
			m.Skip("nothing to come")
		}
		event := events[rapid.IntRange(0, min(3, len(events)-1)).Draw(m.T, "event")]
		d += event.Sub(m.now())
	}
	m.world.Travel(d)
	m.Logf("travelled %v to %v", d, m.now())
	m.touched = append(m.touched, m.pick(anyQueue))
}
