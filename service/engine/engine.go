package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"tusq/internal/faultpoint"
)

// ErrFull is returned by Submit when too much is pending.
var ErrFull = errors.New("engine: too many operations are pending")

// ErrClosed is returned by Submit once the loop has been closed.
var ErrClosed = errors.New("engine: closed")

// Options of a Loop. All but Divide are required.
type Options[T any] struct {
	// Flush carries out operations in one transaction, for one of the loops. An error means
	// that none took effect, as far as is known.
	// It may call next when nothing is left but to wait for the commit: the next flush may
	// then begin beside it, where there is another loop.
	Flush func(ctx context.Context, loop int, ops []T, next func()) error
	// Done takes operations whose flush has ended, with its error.
	Done func(ops []T, err error)
	// Divide tells where to divide operations that failed with err, because parts may succeed; 0: nowhere. It may
	// change their order. It is asked for two at least.
	Divide func(ops []T, err error) int
	// Weight is an operation's cost in memory, in bytes.
	Weight func(op T) int

	MaxPending   int           // weight that may wait
	MaxWeight    int           // weight of one flush
	MaxOps       int           // operations of one flush
	FlushTimeout time.Duration // of one call of Flush
	Loops        int           // flushes at a time, of which one at most has not called next
	Alone        bool          // flush each submission alone, and Loops at once: only to measure what merging gains
}

// submission is what one call of Submit gave, and its weight.
type submission[T any] struct {
	ops    []T
	weight int
}

// Loop is a running engine.
type Loop[T any] struct {
	opts Options[T]

	turn chan struct{} // held by the loop whose flush has not called next

	mu      sync.Mutex
	changed *sync.Cond
	pending []submission[T]
	weight  int
	closed  bool
}

// New makes a Loop; Run makes it work.
func New[T any](opts Options[T]) *Loop[T] {
	l := &Loop[T]{opts: opts, turn: make(chan struct{}, 1)}
	l.changed = sync.NewCond(&l.mu)
	return l
}

// Submit queues operations for the next flush: all of them or, with an error, none.
func (l *Loop[T]) Submit(ops []T) error {
	weight := 0
	for _, op := range ops {
		weight += l.opts.Weight(op)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.weight > 0 && l.weight+weight > l.opts.MaxPending {
		return ErrFull
	}
	l.pending = append(l.pending, submission[T]{ops: ops, weight: weight})
	l.weight += weight
	l.changed.Signal()
	return nil
}

// Run flushes until Close is called or ctx ends, then what is still pending, and returns.
func (l *Loop[T]) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, l.Close)()
	var loops sync.WaitGroup
	for n := range l.opts.Loops {
		loops.Go(func() { l.loop(n) })
	}
	loops.Wait()
	return nil
}

// Close makes Submit refuse and Run return once nothing is pending.
func (l *Loop[T]) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.changed.Broadcast()
}

func (l *Loop[T]) loop(n int) {
	var ops []T
	for {
		next := l.begin()
		ops = l.take(ops[:0])
		if len(ops) == 0 {
			next()
			return
		}
		l.carryOut(n, ops, next)
		next()
		clear(ops) // let go of what the operations hold
	}
}

// begin waits for the loop's turn, which ends when next is called.
func (l *Loop[T]) begin() (next func()) {
	if l.opts.Alone || l.opts.Loops == 1 {
		return func() {}
	}
	l.turn <- struct{}{}
	return sync.OnceFunc(func() { <-l.turn })
}

// take waits for operations and appends the next flush's to ops; none means closed.
func (l *Loop[T]) take(ops []T) []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) == 0 {
		if l.closed {
			return ops
		}
		l.changed.Wait()
	}
	taken, weight := 0, 0
	for _, s := range l.pending {
		if taken > 0 && (l.opts.Alone || weight+s.weight > l.opts.MaxWeight || len(ops)+len(s.ops) > l.opts.MaxOps) {
			break
		}
		ops = append(ops, s.ops...)
		weight += s.weight
		taken++
	}
	rest := copy(l.pending, l.pending[taken:])
	clear(l.pending[rest:])
	l.pending = l.pending[:rest]
	l.weight -= weight
	return ops
}

// carryOut flushes ops, in ever smaller parts while some spoil the rest.
func (l *Loop[T]) carryOut(n int, ops []T, next func()) {
	ctx, cancel := context.WithTimeout(context.Background(), l.opts.FlushTimeout)
	faultpoint.Pass("engine.flush.begin")
	err := l.opts.Flush(ctx, n, ops, next)
	cancel()
	if err != nil && len(ops) > 1 {
		if at := l.opts.Divide(ops, err); at > 0 {
			l.carryOut(n, ops[:at], next)
			faultpoint.Pass("engine.split")
			l.carryOut(n, ops[at:], next)
			return
		}
	}
	faultpoint.Pass("engine.flush.done")
	l.opts.Done(ops, err)
}
