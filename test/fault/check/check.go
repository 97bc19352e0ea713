// Package check says whether a history keeps tusq's promises. It knows the service only by
// what its clients were told.
//
// Clients know when they asked and when they were answered, not when a call took effect. So
// every rule argues with intervals: a call that was acknowledged took effect at one moment
// between the two, one whose outcome is unknown at any moment since it was asked, or never,
// one that was refused never. What a rule reports is wrong wherever in their intervals the
// calls took effect; what may be right is at most counted.
//
// The checkers, by their names in the reliability document:
//
//	C1   an acknowledged send comes out                          loss.go
//	C2   nothing comes out that was not sent                     phantom.go
//	C3   inside its lease a message belongs to one receiver      lease.go, stale.go
//	C4   what was deleted never comes back                       resurrection.go
//	C5   a FIFO group keeps its order                            order.go, presence.go
//	C6   a deduplication id is accepted once in five minutes     once.go
//	C7   receive counts are right, dead letters are exhausted    receives.go
//	C8   a queue's counts agree with what happened to it         conservation.go
//	C9   the service comes back, every queue can be drained      liveness.go
//	C10  a key names one send                                    once.go
//	C11  every message of a batch has its own answer             batch.go
//	C13  tables do not grow for ever                             bounded.go
package check

import (
	"slices"
	"time"

	"tusq/test/fault/history"
)

// Options are what the checkers must know beside the history.
type Options struct {
	DeadLetters map[string]DeadLetter    // by the queue whose messages are moved
	Retention   map[string]time.Duration // of queues whose messages may expire within the history
	Tables      map[string]Rows          // what the database's tables hold after the drain
	// LossAllowed names the queues whose durability level forgives that the end of what was
	// acknowledged is forgotten in a crash, claims and deletions too. What breaks a promise
	// there is counted as excused, but for phantoms, answers of batches and liveness.
	LossAllowed map[string]bool
	// Slack is how much clients' and the database's clocks may drift apart in a lease.
	Slack time.Duration
	// MaxGap is the longest time without an acknowledged call after the last fault healed;
	// 0: any.
	MaxGap time.Duration
	// FaultFree says that nothing was made to fail: receive counts then have no gaps.
	FaultFree bool
}

// DeadLetter is where messages go that were received too often.
type DeadLetter struct {
	Target      string
	MaxReceives int
}

// Rows are how many rows a table has, and how many it may have.
type Rows struct{ Rows, Max int64 }

// Run checks a history. Events may be in any order.
func Run(events []history.Event, opts Options) *Report {
	c := &checker{index: newIndex(events, opts), opts: opts, report: newReport()}
	c.count()
	for _, check := range []func(){
		c.loss, c.phantoms, c.leases, c.stale, c.resurrections, c.order, c.once,
		c.receives, c.conservation, c.liveness, c.batches, c.bounded,
	} {
		check()
	}
	c.report.sort()
	return c.report
}

// checker is one run.
type checker struct {
	*index
	opts   Options
	report *Report
}

// found adds a violation, or an excuse where the queue's durability level is one.
func (c *checker) found(v Violation) {
	switch v.Checker {
	case "C2", "C9", "C11", "C13":
	default:
		if c.opts.LossAllowed[v.Queue] || c.lossy(v.UID) {
			c.report.Excused[v.Checker]++
			return
		}
	}
	c.report.add(v)
}

func (o *origin) hasOutcome(outcome history.Outcome) bool {
	return slices.ContainsFunc(o.attempts, func(a attempt) bool { return a.outcome == outcome })
}

// lossy says that a message was sent to a queue where loss is allowed.
func (c *checker) lossy(uid string) bool {
	o := c.origins[uid]
	return o != nil && o.queue != nil && c.opts.LossAllowed[o.queue.name]
}

// count fills in the figures that need no rule.
func (c *checker) count() {
	for i := range c.events {
		e := &c.events[i]
		if e.Op == history.Fault {
			c.report.Faults++
			continue
		}
		c.report.Calls[Call{e.Op, e.Outcome}]++
		if e.Op != history.Send {
			continue
		}
		for j := range e.Messages {
			switch outcomeOf(e, &e.Messages[j]) {
			case history.OK:
				c.report.Acknowledged++
			case history.Unknown:
				c.report.Unknown++
			}
		}
	}
	for _, m := range c.messages {
		c.report.Received += len(m.holds)
		if len(m.holds) > 0 {
			c.report.Messages++
			if m.origin.hasOutcome(history.Unknown) && !m.origin.hasOutcome(history.OK) {
				c.report.Recovered++
			}
		}
	}
}
