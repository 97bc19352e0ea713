package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"tusq/service/engine"
)

// Durability says what must have happened to a change of a queue's messages before it is
// acknowledged. It holds for sends, receives and settlements; what the service does by
// itself (purges, redrives, expiry) follows the database's own setting.
type Durability string

// The levels, each stronger than the one before it, but for the first.
const (
	DurabilityDefault Durability = "default" // what the database is set to
	DurabilityAsync   Durability = "async"   // in the database's memory: its crash, or a power loss, takes the last moments
	DurabilityLocal   Durability = "local"   // on the primary's disk
	DurabilityQuorum  Durability = "quorum"  // and on the disks of synchronous standbys: the loss of the primary takes nothing
	DurabilityApplied Durability = "applied" // and visible to who reads on them
)

// Durabilities lists every level.
var Durabilities = []Durability{DurabilityDefault, DurabilityAsync, DurabilityLocal, DurabilityQuorum, DurabilityApplied}

// Replicated tells whether the level needs synchronous standbys.
func (d Durability) Replicated() bool { return d == DurabilityQuorum || d == DurabilityApplied }

func (d Durability) valid() error {
	if slices.Contains(Durabilities, d) {
		return nil
	}
	names := make([]string, len(Durabilities))
	for i, level := range Durabilities {
		names[i] = string(level)
	}
	return invalid("durability", "durability must be one of %s.", strings.Join(names, ", "))
}

// flusher merges the calls on all queues of one durability: a commit waits for one thing. Levels
// share nothing that one of them could hold up while it waits for a disk or a standby.
type flusher struct {
	durability Durability
	engine     *engine.Loop[*op]
	pace       pace
	firstLane  int // of its loops, each of which has a lane of its own
}

// newFlushers makes a flusher for each level.
func (s *Service) newFlushers(alone bool) map[Durability]*flusher {
	flushers := make(map[Durability]*flusher, len(Durabilities))
	for i, level := range Durabilities {
		f := &flusher{durability: level}
		opts := s.engineOptions(alone)
		f.firstLane = i * opts.Loops
		opts.Flush = func(ctx context.Context, loop int, ops []*op, next func()) error {
			return s.flush(ctx, f, loop, ops, next)
		}
		f.engine = engine.New(opts)
		flushers[level] = f
	}
	return flushers
}

// flusherOf returns the flusher of a queue's level, which a newer version may have set.
func (s *Service) flusherOf(q *Queue) *flusher {
	if f := s.flushers[q.Settings.Durability]; f != nil {
		return f
	}
	return s.flushers[DurabilityDefault]
}

// refuseSends takes the sends out of a flush that has found no standby to wait for; the rest
// may go on, because nothing is lost by it. again: their first commit is unknown.
func (s *Service) refuseSends(ops []*op, err error, again bool) []*op {
	s.standbys.set(false)
	if again {
		err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	rest := make([]*op, 0, len(ops))
	for _, o := range ops {
		if o.kind == opSend {
			o.refused = err
		} else {
			rest = append(rest, o)
		}
	}
	return rest
}

// standbysAge is how long it is believed whether there are synchronous standbys. That is only to
// refuse early: the flush itself looks again.
const standbysAge = 2 * time.Second

// standbys remembers whether the database has synchronous standbys.
type standbys struct {
	store   Store
	givenUp <-chan struct{}
	flight  singleflight.Group

	mu    sync.Mutex
	named bool
	until time.Time
}

// get tells whether synchronous standbys are named at this moment, or were standbysAge ago.
func (s *standbys) get(ctx context.Context) (bool, error) {
	s.mu.Lock()
	named, fresh := s.named, time.Now().Before(s.until)
	s.mu.Unlock()
	if fresh {
		return named, nil
	}
	look := func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		named, err := s.store.HasStandbys(ctx)
		if err == nil {
			s.set(named)
		}
		return named, err
	}
	return await[bool](ctx, s.givenUp, s.flight.DoChan("", look))
}

func (s *standbys) set(named bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named, s.until = named, time.Now().Add(standbysAge)
}

// requireStandbys refuses a send to a queue whose level cannot be kept at this moment.
func (s *Service) requireStandbys(ctx context.Context, q *Queue) error {
	if !q.Settings.Durability.Replicated() {
		return nil
	}
	named, err := s.standbys.get(ctx)
	if err == nil && !named {
		return errStandbyMissing(q, nil)
	}
	return err
}

func errStandbyMissing(q *Queue, cause error) *Error {
	return &Error{Code: CodeStandbyMissing, Field: "durability", Err: cause,
		Message: fmt.Sprintf("The queue's durability is %s, and the database names no synchronous standby "+
			"(synchronous_standby_names is empty): a message could not be stored as it promises.", q.Settings.Durability)}
}

// validDurability refuses a level that the database cannot keep.
func (s *Service) validDurability(ctx context.Context, level *Durability) error {
	if level == nil || !level.Replicated() {
		return nil
	}
	named, err := s.store.HasStandbys(ctx)
	if err != nil || named {
		return err
	}
	return &Error{Code: CodeStandbyRequired, Field: "durability",
		Message: fmt.Sprintf("The durability %s needs a synchronous standby, and the database names none: "+
			"set synchronous_standby_names in PostgreSQL first.", *level)}
}
