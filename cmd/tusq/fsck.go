package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"tusq/repository"
)

type fsckCmd struct {
	databaseFlags
	Fix bool `help:"Repair counters, and the rows of message groups. What would lose or invent messages is only told."`
}

// fsckSummary is what a check comes to.
type fsckSummary struct {
	Queues int `json:"queues"`
	Faults int `json:"faults"` // of findings that remain
	Notes  int `json:"notes"`
	Fixed  int `json:"fixed"`
}

// Run checks, repairs where it is asked to, and checks again.
func (c *fsckCmd) Run(ctx context.Context, g *Globals) error {
	db, err := c.openExisting(ctx, slog.New(slog.NewTextHandler(g.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer db.close()
	if err := db.requireSchema(ctx); err != nil {
		return err
	}
	checker, err := repository.OpenChecker(ctx, db.straight())
	if err != nil {
		return err
	}
	defer checker.Close()
	var sum fsckSummary
	found, err := check(ctx, checker, &sum)
	if err == nil && c.Fix {
		found, err = repair(ctx, checker, found, &sum)
	}
	if err != nil {
		return err
	}
	return report(g, found, sum)
}

// check returns what is found.
func check(ctx context.Context, checker *repository.Checker, sum *fsckSummary) (found []repository.Finding, err error) {
	sum.Queues, err = checker.Check(ctx, func(f repository.Finding) { found = append(found, f) })
	return found, err
}

// repair repairs what can be, and returns that with what is found then.
func repair(ctx context.Context, checker *repository.Checker, found []repository.Finding, sum *fsckSummary) ([]repository.Finding, error) {
	var all []repository.Finding
	for _, f := range found {
		fixed, err := checker.Fix(ctx, f)
		if err != nil {
			return nil, err
		}
		if f.Fixed = fixed; fixed {
			all = append(all, f)
		}
	}
	left, err := check(ctx, checker, sum)
	return append(all, left...), err
}

// report prints what was found, and fails where a fault remains.
func report(g *Globals, found []repository.Finding, sum fsckSummary) error {
	for _, f := range found {
		switch {
		case f.Fixed:
			sum.Fixed++
		case f.IsNote():
			sum.Notes++
		default:
			sum.Faults++
		}
		if g.JSON {
			if err := g.printJSON(f); err != nil {
				return err
			}
			continue
		}
		printFinding(g.Stdout, f)
	}
	if g.JSON {
		if err := g.printJSON(sum); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(g.Stdout, "%d queues checked: %d faults, %d notes, %d repaired\n", sum.Queues, sum.Faults, sum.Notes, sum.Fixed)
	}
	if sum.Faults > 0 {
		return errors.New("the database does not agree with itself")
	}
	return nil
}

// findings say in words what is wrong; the verb stands for how many there are.
var findings = map[string]string{
	repository.FindCounter:       "its counters differ from its messages by %d",
	repository.FindOrphans:       "%d messages of a queue that does not exist; nobody can receive them",
	repository.FindOrphanCounter: "%d counters of a queue that does not exist",
	repository.FindNoGroup:       "%d groups have messages and no row: nobody receives them",
	repository.FindLateGroup:     "%d groups are ready later than their first messages",
	repository.FindLowSequence:   "%d groups would put new messages before those that they have",
	repository.FindSameSequence:  "%d places in groups are taken twice: their order is not known",
	repository.FindKind:          "%d messages have no place in a FIFO queue, or one in another",
	repository.FindState:         "%d messages are in a state that no call leads to",
	repository.FindEmptyGroup:    "%d groups are empty; the next claims forget them",
	repository.FindOrphanKeys:    "%d keys of a queue that does not exist; they are forgotten when their time is over",
}

func printFinding(out io.Writer, f repository.Finding) {
	word := "fault"
	switch {
	case f.Fixed:
		word = "repaired"
	case f.IsNote():
		word = "note"
	}
	fmt.Fprintf(out, "%-8s  %-15s  %s: ", word, f.What, cmp.Or(f.Queue, fmt.Sprintf("queue %d", f.QueueID)))
	fmt.Fprintf(out, findings[f.What], f.Count)
	if f.Example != "" {
		fmt.Fprintf(out, " (%s)", f.Example)
	}
	fmt.Fprintln(out)
}
