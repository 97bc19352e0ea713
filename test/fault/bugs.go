package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"tusq/internal/faultpoint/catalogue"
	"tusq/test/fault/check"
	"tusq/test/fault/history"
	"tusq/test/fault/load"
	"tusq/test/fault/rig"
)

const (
	bugHold  = 2500 * time.Millisecond // of a fault
	bugPause = 200 * time.Millisecond  // between two
	bugDrain = 25 * time.Second        // after which a queue cannot be drained
)

// revealing are the faults without which a bug cannot be seen. All others are found without any.
var revealing = map[string][]string{
	"ack-before-commit":    {"kill postgres", "kill backend"},
	"resend-counted-twice": {"cut connections", "reset connections"},
	"counted-outside":      {"terminate backends"},
}

// slow are the bugs that only slow transactions show: the fault points of their replicas.
var slow = map[string]string{
	"handoff-before-commit": "repository.commit.before=pause:60ms@*",
}

// tuned are the bugs that a load of another mixture shows in any round.
var tuned = map[string]func(*load.Options){
	// Receivers wait, so that something can be handed to them, only where they are faster than the senders.
	"handoff-before-commit": func(o *load.Options) { o.Rate = 60 },
	// Few are there to receive what has come back, so that late deletions find it.
	"fifo-delete-after-lease": func(o *load.Options) { o.Consumers, o.Shares.Late = 3, 0.3 },
	"redrive-without-delete":  func(o *load.Options) { o.RedriveEvery, o.Shares.Poison = 500*time.Millisecond, 0.1 },
}

// byTest are the bugs that the load would have to be very lucky to show, and the tests of
// package service that fail for them.
var byTest = map[string]string{
	"floor-never-lowered": "TestWhatSlipsUnderTheFloorIsFound",
	"release-for-ever":    "TestReleaseUndoesTheReceive",
	"resend-with-new-ids": "TestFlushesWithAnUnknownOutcome",
}

// finding is what a round with a bug showed.
type finding struct {
	bug      catalogue.Bug
	faults   []string
	checkers map[string]int
	first    string        // checker of the first violation
	after    time.Duration // from the load's beginning until that
	sent     int
	failure  error // of the round itself: the service did not come back, or could not be drained
}

// bugs plays a round with each bug and prints what was found. It fails where one was not, or
// where something was found without a bug.
func (s *service) bugs(ctx context.Context, names string, length time.Duration) error {
	s.drainFor = bugDrain
	fmt.Fprintf(s.print, "| bug | what is wrong | faults | first found by | after | violations |\n|---|---|---|---|---|---|\n")
	missed := 0
	for i, bug := range append([]catalogue.Bug{{Name: "none", What: "nothing"}}, catalogue.Bugs...) {
		if names != "all" && !slices.Contains(strings.Split(names, ","), bug.Name) {
			continue
		}
		bite := s.bite
		if byTest[bug.Name] != "" {
			bite = s.biteTest
		}
		f, err := bite(ctx, i+1, bug, length)
		if err != nil {
			return fmt.Errorf("%s: %w", bug.Name, err)
		}
		fmt.Fprintln(s.print, f)
		if (len(f.checkers) == 0) != (bug.Name == "none") {
			missed++
		}
	}
	if missed > 0 {
		return fmt.Errorf("%w: %d rows are not as they must be", errViolations, missed)
	}
	return nil
}

// bite plays one round on replicas with a bug.
func (s *service) bite(ctx context.Context, number int, bug catalogue.Bug, length time.Duration) (finding, error) {
	f := finding{bug: bug, faults: revealing[bug.Name], checkers: map[string]int{}}
	if bug.Name == "none" {
		f.faults = []string{"kill postgres", "queue for a lock", "cut connections", "reset connections", "kill backend", "reset clients"}
		bug.Name = ""
	}
	for name, value := range map[string]string{"TUSQ_BUG": bug.Name, "TUSQ_FAULT": slow[bug.Name]} {
		if err := os.Setenv(name, value); err != nil {
			return f, err
		}
	}
	for _, r := range s.cluster.Replicas {
		r.Kill()
		if err := r.Start(ctx); err != nil {
			return f, err
		}
	}
	if err := s.cluster.Ready(ctx); err != nil {
		return f, err
	}
	if !s.honest {
		forged, err := forge(ctx, s.cluster.BalancerURL(), prefix(number)+"forged")
		if err != nil {
			return f, err
		}
		if len(forged) > 0 { // that is enough
			f.first, f.checkers["forger"] = "forger", len(forged)
			return f, nil
		}
	}
	if len(f.faults) > 0 {
		length *= 2
	}
	s.tune = tuned[bug.Name]
	r, err := s.play(ctx, number, length, func(ctx context.Context, m *mischief) error { return m.repeat(ctx, f.faults) })
	if r == nil || ctx.Err() != nil {
		return f, err
	}
	f.failure = err
	if r.report == nil { // it could not be drained
		r.report = check.Run(r.events, check.Options{DeadLetters: deadLetters(r.options.Queues), Slack: 50 * time.Millisecond})
		f.checkers["C9"]++
	}
	f.look(r)
	return f, nil
}

// biteTest runs the test that is to find a bug.
func (s *service) biteTest(ctx context.Context, _ int, bug catalogue.Bug, _ time.Duration) (finding, error) {
	f := finding{bug: bug, checkers: map[string]int{}}
	for _, with := range []string{"", bug.Name} {
		test := exec.CommandContext(ctx, "go", "test", "-tags", "fault", "-count", "1", "-run", "^"+byTest[bug.Name]+"$", "./service")
		test.Dir, test.Env = s.module, append(os.Environ(), "TUSQ_FAULT=", "TUSQ_BUG="+with)
		began := time.Now()
		out, err := test.CombinedOutput()
		switch failed := strings.Contains(string(out), "--- FAIL: "+byTest[bug.Name]); {
		case with == "" && err != nil:
			return f, fmt.Errorf("%s fails without a bug: %w: %s", byTest[bug.Name], err, out)
		case with != "" && failed:
			f.first, f.after, f.checkers[byTest[bug.Name]] = byTest[bug.Name], time.Since(began), 1
		}
	}
	return f, nil
}

// repeat injects faults one after the other until ctx ends.
func (m *mischief) repeat(ctx context.Context, names []string) error {
	if len(names) == 0 {
		<-ctx.Done()
		return nil
	}
	for i := 0; ctx.Err() == nil; i++ {
		f, err := rig.FaultNamed(names[i%len(names)])
		if err != nil {
			return err
		}
		random := rand.New(rand.NewPCG(m.random.Uint64(), 0))
		if err := m.inject(context.WithoutCancel(ctx), ctx.Done(), deed{fault: f, random: random, hold: bugHold, alone: true}); err != nil {
			return err
		}
		pause(ctx, bugPause)
	}
	return nil
}

// look finds the first violation.
func (f *finding) look(r *round) {
	for checker, n := range r.report.Found {
		f.checkers[checker] += n
	}
	f.sent = r.report.Acknowledged
	end := end(r.events)
	f.after = end
	if f.checkers["C9"] > 0 {
		f.first = "C9"
	}
	for _, v := range r.report.Violations {
		if at := seen(v, r.events, end); f.first == "" || at < f.after {
			f.first, f.after = v.Checker, at
		}
	}
}

// seen is when the last of the calls returned that a violation rests on; without any, the end.
func seen(v check.Violation, events []history.Event, end time.Duration) (at time.Duration) {
	for _, i := range v.Events {
		at = max(at, events[i].Returned)
	}
	if len(v.Events) == 0 {
		return end
	}
	return at
}

func end(events []history.Event) (last time.Duration) {
	for i := range events {
		last = max(last, events[i].Returned)
	}
	return last
}

// String is the finding as a line of a table.
func (f finding) String() string {
	var all []string
	for _, checker := range slices.Sorted(maps.Keys(f.checkers)) {
		all = append(all, fmt.Sprintf("%s: %d", checker, f.checkers[checker]))
	}
	first, after := "**nothing**", "-"
	if f.first != "" {
		first, after = f.first, fmt.Sprintf("%.1f s", f.after.Seconds())
	}
	faults := slices.Clone(f.faults)
	if plan := slow[f.bug.Name]; plan != "" {
		faults = append(faults, "`"+plan+"`")
	}
	line := fmt.Sprintf("| `%s` | %s | %s | %s | %s | %s |", f.bug.Name, f.bug.What, strings.Join(faults, ", "), first, after, strings.Join(all, ", "))
	if f.failure != nil {
		line += fmt.Sprintf(" <!-- %v -->", strings.Join(strings.Fields(f.failure.Error()), " "))
	}
	return line
}
