package service

import (
	"context"
	"time"
)

// healthEvery is how often each replica looks at the database's health.
const healthEvery = 15 * time.Second

// Unfit names something that the database is not fit for. The list is closed.
type Unfit string

// What a database may lack.
const (
	UnfitFsync     Unfit = "fsync_off"
	UnfitPages     Unfit = "full_page_writes_off"
	UnfitChecksums Unfit = "checksums_off"
	UnfitCommits   Unfit = "synchronous_commit_off"
	UnfitStandby   Unfit = "in_recovery"
)

// unfitWarnings say what follows from each.
var unfitWarnings = map[Unfit]string{
	UnfitFsync:     "fsync is off: a power loss may destroy the database, acknowledged messages included",
	UnfitPages:     "full_page_writes is off: a power loss may leave pages that are written by half",
	UnfitChecksums: "data checksums are off: damage by disks and memory is not noticed",
	UnfitCommits:   "synchronous_commit is off: a crash of PostgreSQL loses the last acknowledged messages of queues without a durability of their own",
	UnfitStandby:   "the database is in recovery and cannot be written to",
}

// Health is what a replica knows of its database beside the queues.
type Health struct {
	Unfit             map[Unfit]bool // each has an entry
	OldestTransaction time.Duration  // the age of the oldest one that holds vacuum back; 0: none
	DeadRows          int64          // of messages, which vacuum has not removed yet: an estimate
}

// Conflicts count the transactions that PostgreSQL has ended for the sake of others. There should be none: rows are
// locked in one order, and no transaction is serializable.
type Conflicts struct {
	Deadlocks     int64
	Serialization int64 // failures
}

// Conflicts returns those of this replica's transactions, of requests and background work.
func (s *Service) Conflicts() Conflicts { return s.store.Conflicts() }

// Health returns what was last seen of the database; known: it has been looked at.
func (s *Service) Health() (health Health, known bool) {
	if h := s.health.Load(); h != nil {
		return *h, true
	}
	return Health{}, false
}

// runHealth looks at the database's health until ctx ends, and warns of each shortcoming once
// as long as it lasts.
func (s *Service) runHealth(ctx context.Context) error {
	warned := map[Unfit]bool{}
	for {
		if err := s.lookAtHealth(ctx, warned); err != nil && ctx.Err() == nil {
			s.log.Warn("the database's health is not known", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(healthEvery):
		}
	}
}

func (s *Service) lookAtHealth(ctx context.Context, warned map[Unfit]bool) error {
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	health, err := s.store.Health(ctx)
	if err != nil {
		return err
	}
	s.health.Store(&health)
	for unfit, holds := range health.Unfit {
		if holds && !warned[unfit] {
			s.log.Warn("the database is not fit", "fact", string(unfit), "why", unfitWarnings[unfit])
		}
		warned[unfit] = holds
	}
	return nil
}
