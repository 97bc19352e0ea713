package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tusq/test/fault/check"
	"tusq/test/fault/rig"
)

// chaos plays rounds for a time, looks whether PostgreSQL's files are whole, and sums up. It ends early, without an error, with ctx.
func (s *service) chaos(ctx context.Context, duration, length time.Duration, faults []rig.Fault) error {
	began := time.Now()
	for number := 1; ctx.Err() == nil && (number == 1 || time.Since(began) < duration); number++ {
		r, err := s.play(ctx, number, length, func(ctx context.Context, m *mischief) error {
			return m.chaosAndRebirth(ctx, faults, prefix(number)+"reborn")
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil {
			s.tell(r)
		}
	}
	return s.conclude(context.WithoutCancel(ctx), time.Since(began))
}

// tell prints a round's line, and what it found.
func (s *service) tell(r *round) {
	fmt.Fprintf(s.print, "round %d: %d faults, %d messages acknowledged, %d sends unknown, %d received, %d lost, %d violations, longest gap %v; %v\n",
		r.number, len(r.mischief.injected), r.report.Acknowledged, r.report.Unknown, r.report.Messages, r.report.Lost, violations(r.report),
		r.report.LongestGap.Round(time.Millisecond), r.took.Round(100*time.Millisecond))
	if !r.report.OK() {
		for _, i := range r.mischief.injected {
			fmt.Fprintln(s.print, "  fault:", i.what)
		}
		fmt.Fprintln(s.print, r.report)
	}
}

func violations(r *check.Report) (n int) {
	for _, found := range r.Found {
		n += found
	}
	return n
}

// conclude prints the sum and keeps it beside the histories.
func (s *service) conclude(ctx context.Context, took time.Duration) error {
	if s.sum.report == nil {
		return ctx.Err()
	}
	if err := s.cluster.Postgres.Check(ctx); err != nil {
		return fmt.Errorf("PostgreSQL's files are damaged: %w", err)
	}
	var deadlocks int64
	if err := s.cluster.Postgres.QueryRow(ctx, []any{&deadlocks}, "SELECT deadlocks FROM pg_stat_database WHERE datname = 'tusq'"); err != nil {
		return err
	}
	text := fmt.Sprintf("seed %d, %d rounds in %v\n%s\n%s%d queues deleted under load and made anew; %d deadlocks since PostgreSQL's last crash; pg_amcheck found nothing\n",
		s.seed, s.sum.report.Histories, took.Round(time.Second), s.sum.report, s.sum.faults(), s.sum.reborn, deadlocks)
	fmt.Fprint(s.print, "\n", text)
	if err := os.WriteFile(filepath.Join(s.dir, "summary.txt"), []byte(text), 0o644); err != nil {
		return err
	}
	if n := violations(s.sum.report); n > 0 {
		return fmt.Errorf("%w: %d violations with seed %d", errViolations, n, s.seed)
	}
	return nil
}

// summary is what came of all rounds.
type summary struct {
	report  *check.Report // nil: there was none
	byFault map[string]*tally
	reborn  int // queues that were deleted under load and made anew
}

// tally is what came of one kind of fault.
type tally struct {
	times, noEffect int
	recovered       []time.Duration // where no other was in force
}

func newSummary() summary { return summary{byFault: map[string]*tally{}} }

func (s *summary) add(r *round) {
	if s.report == nil {
		s.report = r.report
	} else {
		s.report.Add(r.report)
	}
	s.reborn += r.mischief.reborn
	for _, i := range r.mischief.injected {
		t := s.byFault[i.fault]
		if t == nil {
			t = &tally{}
			s.byFault[i.fault] = t
		}
		t.times++
		switch {
		case i.noEffect:
			t.noEffect++
		case i.alone:
			t.recovered = append(t.recovered, i.recovered)
		}
	}
}

// faults is a table: how often each fault was injected and, of those that were alone, how long after their end the next call was
// acknowledged.
func (s *summary) faults() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-32s %8s %10s %12s %12s\n", "fault", "times", "no effect", "answer p50", "max")
	total := 0
	for _, name := range slices.Sorted(maps.Keys(s.byFault)) {
		t := s.byFault[name]
		total += t.times
		slices.Sort(t.recovered)
		median, most := time.Duration(0), time.Duration(0)
		if n := len(t.recovered); n > 0 {
			median, most = t.recovered[n/2], t.recovered[n-1]
		}
		fmt.Fprintf(&b, "%-32s %8d %10d %12v %12v\n", name, t.times, t.noEffect, median.Round(time.Millisecond), most.Round(time.Millisecond))
	}
	fmt.Fprintf(&b, "%-32s %8d\n", "all", total)
	return b.String()
}
