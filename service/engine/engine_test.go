package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var errPoison = errors.New("poison")

// recorder is a flush target that takes a millisecond a flush and refuses 13.
type recorder struct {
	mu      sync.Mutex
	flushes [][]int
	done    map[int]error
	doubled bool
}

func (r *recorder) options() Options[int] {
	return Options[int]{
		Flush: func(ctx context.Context, _ int, ops []int, _ func()) error {
			if _, bounded := ctx.Deadline(); !bounded {
				panic("a flush without a deadline")
			}
			time.Sleep(time.Millisecond) // of the test's fake clock
			if slices.Contains(ops, 13) {
				return errPoison
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.flushes = append(r.flushes, slices.Clone(ops))
			return nil
		},
		Done: func(ops []int, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, op := range ops {
				if _, again := r.done[op]; again {
					r.doubled = true
				}
				r.done[op] = err
			}
		},
		Divide: func(ops []int, err error) int {
			if errors.Is(err, errPoison) {
				return len(ops) / 2
			}
			return 0
		},
		Weight:       func(int) int { return 1 },
		MaxPending:   100,
		MaxWeight:    100,
		MaxOps:       100,
		FlushTimeout: time.Second,
		Loops:        1,
	}
}

// run gives a running loop to play with, then closes it and waits for its end.
func run(t *testing.T, change func(*Options[int]), play func(*Loop[int])) *recorder {
	t.Helper()
	r := &recorder{done: map[int]error{}}
	synctest.Test(t, func(t *testing.T) {
		opts := r.options()
		change(&opts)
		l := New(opts)
		ended := make(chan error)
		go func() { ended <- l.Run(t.Context()) }()
		synctest.Wait()
		play(l)
		l.Close()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if r.doubled {
		t.Error("an operation was done twice")
	}
	return r
}

func submit(t *testing.T, l *Loop[int], ops ...int) {
	t.Helper()
	if err := l.Submit(ops); err != nil {
		t.Errorf("Submit(%v): %v", ops, err)
	}
}

func TestFirstFlushesAtOnceAndTheRestTogether(t *testing.T) {
	r := run(t, func(*Options[int]) {}, func(l *Loop[int]) {
		submit(t, l, 1)
		synctest.Wait() // the first flush is under way
		submit(t, l, 2)
		submit(t, l, 3, 4)
		submit(t, l, 5)
	})
	want := [][]int{{1}, {2, 3, 4, 5}}
	if !slices.EqualFunc(r.flushes, want, slices.Equal) {
		t.Errorf("flushes %v, want %v", r.flushes, want)
	}
}

func TestPoisonFailsAlone(t *testing.T) {
	r := run(t, func(*Options[int]) {}, func(l *Loop[int]) {
		submit(t, l, 1)
		synctest.Wait()
		submit(t, l, 11, 12, 13, 14)
		submit(t, l, 15)
	})
	for _, op := range []int{1, 11, 12, 13, 14, 15} {
		err, done := r.done[op]
		if !done || (op == 13) != (err != nil) {
			t.Errorf("operation %d: done %v with %v", op, done, err)
		}
	}
}

func TestIndivisibleErrorFailsAll(t *testing.T) {
	r := run(t, func(o *Options[int]) { o.Divide = func([]int, error) int { return 0 } }, func(l *Loop[int]) {
		submit(t, l, 12, 13)
	})
	if r.done[12] == nil || r.done[13] == nil {
		t.Errorf("done %v, want both failed", r.done)
	}
}

func TestFullRefusesAndKeepsNothing(t *testing.T) {
	r := run(t, func(o *Options[int]) { o.MaxPending = 2 }, func(l *Loop[int]) {
		submit(t, l, 1)
		synctest.Wait()
		submit(t, l, 2)
		if err := l.Submit([]int{3, 4}); !errors.Is(err, ErrFull) {
			t.Errorf("Submit over the bound: %v, want ErrFull", err)
		}
		submit(t, l, 5)
	})
	if len(r.done) != 3 {
		t.Errorf("done %v, want 1, 2 and 5", r.done)
	}
}

func TestLimitsDivideFlushesBetweenSubmissions(t *testing.T) {
	r := run(t, func(o *Options[int]) { o.MaxOps = 3 }, func(l *Loop[int]) {
		submit(t, l, 1)
		synctest.Wait()
		submit(t, l, 2, 3)
		submit(t, l, 4, 5)
		submit(t, l, 6, 7, 8, 9) // longer than a flush: goes alone, undivided
	})
	want := [][]int{{1}, {2, 3}, {4, 5}, {6, 7, 8, 9}}
	if !slices.EqualFunc(r.flushes, want, slices.Equal) {
		t.Errorf("flushes %v, want %v", r.flushes, want)
	}
}

func TestAloneNeverMerges(t *testing.T) {
	r := run(t, func(o *Options[int]) { o.Alone = true; o.Loops = 2 }, func(l *Loop[int]) {
		submit(t, l, 1)
		submit(t, l, 2, 3)
		submit(t, l, 4)
	})
	if len(r.flushes) != 3 {
		t.Errorf("flushes %v, want one for each submission", r.flushes)
	}
}

func TestCloseFlushesWhatIsPendingAndRefusesMore(t *testing.T) {
	r := run(t, func(*Options[int]) {}, func(l *Loop[int]) {
		submit(t, l, 1)
		synctest.Wait()
		submit(t, l, 2)
		l.Close()
		if err := l.Submit([]int{3}); !errors.Is(err, ErrClosed) {
			t.Errorf("Submit after Close: %v, want ErrClosed", err)
		}
	})
	if len(r.done) != 2 {
		t.Errorf("done %v, want 1 and 2", r.done)
	}
}

// TestNextFlushBeginsBesideTheCommit gives a flush's first half the processor and lets its
// second half overlap with the next one.
func TestNextFlushBeginsBesideTheCommit(t *testing.T) {
	var mu sync.Mutex
	var executing, running, most int
	r := run(t, func(o *Options[int]) {
		record := o.Flush
		o.Loops = 2
		o.Flush = func(ctx context.Context, loop int, ops []int, next func()) error {
			mu.Lock()
			executing++
			running++
			if executing > 1 {
				t.Error("two flushes were carried out at a time")
			}
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Millisecond) // of the test's fake clock
			mu.Lock()
			executing--
			mu.Unlock()
			next()
			err := record(ctx, loop, ops, nil)
			mu.Lock()
			running--
			mu.Unlock()
			return err
		}
	}, func(l *Loop[int]) {
		for i := range 5 {
			submit(t, l, i)
			synctest.Wait()
		}
	})
	if most != 2 || len(r.done) != 5 {
		t.Errorf("%d flushes at a time at most, %d operations done; want 2 and 5", most, len(r.done))
	}
}
