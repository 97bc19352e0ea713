package wire

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Sweep cuts a replica's connection to PostgreSQL in the middle of flushes: after each byte of what a flush asks for,
// and after each byte of its answer. What the callers were told must be what has happened, and
// everything must have happened once.
type Sweep struct {
	// DatabaseURL is that of a migrated database that the sweep has for itself.
	DatabaseURL string
	// Every is how many offsets each of those that are tried stands for. 1: all are tried.
	Every int
	// Seed chooses them.
	Seed uint64
}

// Report is what a sweep found.
type Report struct {
	Operation string
	Bytes     [2]int // of the exchange, in each direction, with the last byte of ReadyForQuery
	Cuts      int    // that were made
	Told      int    // callers that were told of an error; their repetitions succeeded
	Took      time.Duration
}

func (r Report) String() string {
	return fmt.Sprintf("%s: %d + %d bytes, cut %d times, each took effect once (%d callers had to repeat), %s",
		r.Operation, r.Bytes[ToServer], r.Bytes[ToClient], r.Cuts, r.Told, r.Took.Round(time.Millisecond))
}

// Run sweeps one operation: see Operations.
func (s Sweep) Run(ctx context.Context, name string) (report Report, err error) {
	began := time.Now()
	operation, ok := operations[name]
	if !ok {
		return report, fmt.Errorf("no operation is called %s", name)
	}
	w, err := open(ctx, s.DatabaseURL, operation)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	report.Operation = name
	for _, direction := range []Direction{ToServer, ToClient} {
		if err := s.sweep(ctx, w, direction, &report); err != nil {
			return report, fmt.Errorf("%s, cut %s: %w", name, direction, err)
		}
	}
	report.Told, report.Took = w.told, time.Since(began)
	return report, nil
}

// sweep tries the offsets of one direction. The last one is that of the exchange's end: it is always tried.
func (s Sweep) sweep(ctx context.Context, w *world, direction Direction, report *Report) error {
	random := rand.New(rand.NewPCG(s.Seed, uint64(direction)))
	for offset := random.IntN(s.Every); ; offset += s.Every {
		cut := Cut{Direction: direction, After: offset, Abrupt: random.IntN(2) == 0}
		fired, length, err := w.try(ctx, cut)
		if err != nil {
			return fmt.Errorf("after byte %d, abrupt %v: %w", offset, cut.Abrupt, err)
		}
		if fired {
			report.Cuts++
			continue
		}
		if length == 0 {
			return errors.New("no flush was seen")
		}
		report.Bytes[direction] = length
		cut.After = length // of numbers that get longer or shorter by a byte, one is cut
		if fired, _, err = w.try(ctx, cut); err != nil {
			return fmt.Errorf("after the last byte, %d: %w", length, err)
		}
		if fired {
			report.Cuts++
		}
		return nil
	}
}
