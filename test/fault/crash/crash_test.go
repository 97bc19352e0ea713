package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tusq/internal/faultpoint/catalogue"
)

// operation is something that a client or a background job does.
type operation struct {
	name string
	plan string // faults that belong to it
	jobs string // how often background jobs run
	make func(w *world) attempt
}

// attempt is an operation on queues of its own.
type attempt struct {
	// do is called again after it failed: a client does not know what has happened.
	do func(ctx context.Context, again bool) error
	// check looks at what must be in the end.
	check func()
}

// hit is the n-th time that an operation passes a point.
type hit struct {
	point string
	n     int
}

func (h hit) String() string { return fmt.Sprintf("%s@%d", h.point, h.n) }

// kinds are the faults to try at a hit: a crash, and once in an operation a pause and, where that can be,
// a failure.
func (h hit) kinds() []string {
	point, _ := catalogue.FindPoint(h.point)
	switch {
	case h.n > 1:
		return []string{"crash"}
	case point.Fails:
		return []string{"crash", "pause:10ms", "fail"}
	}
	return []string{"crash", "pause:10ms"}
}

// tally counts what was tried.
type tally struct {
	mu      sync.Mutex
	crashed map[string]int // by point
	kinds   map[string]int // crash, pause, fail
}

func (c *tally) add(h hit, kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds[kind]++
	if kind == "crash" {
		c.crashed[h.point]++
	}
}

// elsewhere are points that other tests of this package pass.
var elsewhere = []string{"migrations.statement", "migrations.committed", "repository.notify"}

// TestEveryPointOfEveryOperation crashes, pauses and fails at all of them.
func TestEveryPointOfEveryOperation(t *testing.T) {
	t.Parallel()
	began := time.Now()
	count := &tally{crashed: map[string]int{}, kinds: map[string]int{}}
	t.Run("of", func(t *testing.T) {
		for _, o := range operations {
			t.Run(strings.ReplaceAll(o.name, " ", "-"), func(t *testing.T) {
				t.Parallel()
				o.enumerate(newWorld(t, o.jobs), count)
			})
		}
	})
	for _, p := range catalogue.Points {
		if count.crashed[p.Name] == 0 && !slices.Contains(elsewhere, p.Name) {
			t.Errorf("no operation passes %s", p.Name)
		}
	}
	fmt.Printf("%d operations, %d points: %d crashes, %d pauses, %d failures in %v\n", len(operations),
		len(count.crashed), count.kinds["crash"], count.kinds["pause"], count.kinds["fail"], time.Since(began).Round(time.Second))
}

func (o operation) enumerate(w *world, count *tally) {
	o.learn(w) // a server that has just been started may wake receivers once more
	hits := o.learn(w)
	w.t.Logf("%d hits: %v", len(hits), hits)
	for _, h := range hits {
		for _, kind := range h.kinds() {
			if w.t.Failed() {
				return
			}
			o.tryReaching(w, h, kind)
			if w.t.Failed() {
				w.t.Logf("this was %s with %s at %v", o.name, kind, h)
			}
			kind, _, _ := strings.Cut(kind, ":")
			count.add(h, kind)
		}
	}
}

// learn carries the operation out once and returns what it passes: of each point the first
// hit or, where the environment asks for that, all.
func (o operation) learn(w *world) (hits []hit) {
	var a attempt
	err := errAnswered
	for n := 0; n < tries && errors.Is(err, errAnswered); n++ {
		a = o.make(w)
		w.arm(o.plan)
		err = a.do(w.t.Context(), false)
	}
	if err != nil {
		w.t.Fatalf("%s without a fault: %v", o.name, err)
	}
	seen := map[string]int{}
	for _, point := range w.quiet() {
		seen[point]++
		switch h := (hit{point, seen[point]}); {
		case o.has(h):
			hits = nil // what comes before is the same as without this fault
		case !slices.Contains(elsewhere, point):
			hits = append(hits, h)
		}
	}
	w.arm("")
	a.check()
	if os.Getenv("TUSQ_FAULT_ALL") != "" {
		return hits
	}
	return slices.DeleteFunc(hits, func(h hit) bool { return h.n > 1 })
}

// has tells whether the operation has a fault of its own at a hit.
func (o operation) has(h hit) bool {
	point, fault, _ := strings.Cut(o.plan, "=")
	_, n, found := strings.Cut(fault, "@")
	return point == h.point && (found && n == strconv.Itoa(h.n) || !found && h.n == 1)
}

// tries are how often an operation is carried out until it passes what it is to pass.
const tries = 5

// tryReaching is try. On a machine that is very busy an operation may pass fewer points than
// when it was learned: a second receive, for one, finds what the first one waited for.
func (o operation) tryReaching(w *world, h hit, kind string) {
	for range tries {
		if o.try(w, h, kind) || w.t.Failed() {
			return
		}
	}
	w.t.Errorf("the point was not reached")
}

// try carries the operation out with a fault, and repeats it where it had no answer.
func (o operation) try(w *world, h hit, kind string) (reached bool) {
	a := o.make(w)
	w.arm(strings.Trim(fmt.Sprintf("%s,%s=%s@%d", o.plan, h.point, kind, h.n), ","))
	ctx, cancel := context.WithTimeout(w.t.Context(), bound)
	defer cancel()
	err := a.do(ctx, false)
	if kind == "crash" {
		if reached = w.awaitDeath(); reached {
			w.start("")
		} else {
			w.arm("")
		}
	} else {
		w.arm("")
		reached = true // nothing is lost where it was not
	}
	w.sound()
	if errors.Is(err, errAnswered) {
		return false
	}
	for again := 0; err != nil; again++ {
		if again == 5 || errors.Is(err, context.DeadlineExceeded) {
			w.t.Errorf("the repetition: %v", err)
			return true
		}
		err = a.do(w.t.Context(), true)
	}
	a.check()
	return reached
}
