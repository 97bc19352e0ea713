package service

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tusq/internal/faultpoint"
)

// What is refused or failed is written by and by, so that nobody can slow the service or fill its
// disk by that: what is alike becomes one entry a second, and of different entries there are so
// many at once, and so many a second, of one source, and of all sources that are counted
// together. So nobody can silence the entries of another account, or of another class.
const (
	auditEvery        = time.Second
	auditKept         = 1000 // entries of a class that wait to be written
	auditRate         = 1    // entries a second of the sources that are counted together: at most 86,400 a day of each replica
	auditNobodyBurst  = 1000 // entries at once of all whom nobody knows
	auditAccountBurst = 250  // the same of one account's callers, for each class
	auditSourceBurst  = 100
	auditSourceRate   = 0.2
	auditSources      = 10_000 // that are counted apart; then all are forgotten
)

// auditClass is what kind of entry is noted.
type auditClass int

const (
	auditNobody  auditClass = iota // of somebody who was not recognised
	auditRefused                   // a caller was refused
	auditFailed                    // a caller's change failed
	auditMade                      // a caller's change was made, and could not be written about
	auditClasses
)

// auditSource is where an entry comes from.
type auditSource struct {
	class   auditClass
	account string // of the caller; empty: who was not recognised
	name    string // the caller's, or an address. Empty: all of them, who are counted together.
}

// auditBuffer keeps entries until they are written.
type auditBuffer struct {
	dropped atomic.Int64 // what was refused or failed and is in no entry

	mu       sync.Mutex
	pending  map[auditKind]*pendingAudit
	order    []*pendingAudit // in which they came
	kept     [auditClasses]int
	together map[auditSource]*allowance
	sources  map[auditSource]*allowance
}

// auditKind is in what entries are alike.
type auditKind struct {
	source                            auditSource
	account, action, resource, result string
}

type pendingAudit struct {
	AuditEntry
	class auditClass
	since time.Time
}

func newAuditBuffer() *auditBuffer {
	return &auditBuffer{
		pending:  map[auditKind]*pendingAudit{},
		together: map[auditSource]*allowance{},
		sources:  map[auditSource]*allowance{},
	}
}

// note adds an entry, counts it with one that is like it, or drops it.
func (b *auditBuffer) note(entry AuditEntry, source auditSource) {
	kind := auditKind{source, entry.Account, entry.Action, entry.Resource, entry.Result}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if alike := b.pending[kind]; alike != nil {
		alike.Detail.Count = max(alike.Detail.Count, 1) + 1
		return
	}
	if b.kept[source.class] >= auditKept || !b.permits(source, now) {
		b.dropped.Add(1)
		return
	}
	noted := &pendingAudit{AuditEntry: entry, class: source.class, since: now}
	b.pending[kind] = noted
	b.order = append(b.order, noted)
	b.kept[source.class]++
}

// permits takes one entry of a source from what the source and all that are counted with it may have.
func (b *auditBuffer) permits(source auditSource, now time.Time) bool {
	own := allowanceOf(b.sources, source, auditSourceBurst, now)
	burst := float64(auditAccountBurst)
	if source.class == auditNobody {
		burst = auditNobodyBurst
	}
	source.name = ""
	all := allowanceOf(b.together, source, burst, now)
	return own.take(now, auditSourceRate, auditSourceBurst) && all.take(now, auditRate, burst)
}

// allowanceOf returns a source's allowance, which is whole where it has none yet.
func allowanceOf(of map[auditSource]*allowance, source auditSource, burst float64, now time.Time) *allowance {
	a := of[source]
	if a == nil {
		if len(of) >= auditSources {
			clear(of)
		}
		a = &allowance{left: burst, at: now}
		of[source] = a
	}
	return a
}

// take returns what is to be written.
func (b *auditBuffer) take() []*pendingAudit {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.order
	b.order = nil
	b.kept = [auditClasses]int{}
	clear(b.pending)
	return taken
}

// allowance is how many entries there may be: it grows with time up to a burst.
type allowance struct {
	left float64
	at   time.Time
}

func (a *allowance) take(now time.Time, rate, burst float64) bool {
	a.left = min(burst, a.left+now.Sub(a.at).Seconds()*rate)
	a.at = now
	if a.left < 1 {
		return false
	}
	a.left--
	return true
}

// AuditDropped returns how many refusals and failed changes this replica has left out of the audit log: there
// were too many different ones, or the database was away for too long.
func (s *Service) AuditDropped() int64 { return s.audits.dropped.Load() }

// runAudits writes what was noted until ctx ends, and what is left then.
func (s *Service) runAudits(ctx context.Context) error {
	var left []*pendingAudit // of the database's absence
	for {
		select {
		case <-ctx.Done():
			_ = s.writeAudits(context.WithoutCancel(ctx), append(left, s.audits.take()...))
			return nil
		case <-time.After(faultpoint.Every(auditEvery)):
		}
		left = append(left, s.audits.take()...)
		switch err := s.writeAudits(ctx, left); {
		case err == nil:
			left = nil
		case ErrorCode(err) == CodeInternal: // nor would it be taken the next time
			s.dropAudits(left)
			left = nil
		}
		var over []*pendingAudit
		left, over = latestAudits(left)
		s.dropAudits(over)
	}
}

// latestAudits splits entries, the oldest first, into the latest of each class, auditKept of it, and those that are over.
func latestAudits(entries []*pendingAudit) (kept, over []*pendingAudit) {
	var count [auditClasses]int
	for _, entry := range entries {
		count[entry.class]++
	}
	for _, entry := range entries {
		if count[entry.class] > auditKept {
			count[entry.class]--
			over = append(over, entry)
		} else {
			kept = append(kept, entry)
		}
	}
	return kept, over
}

func (s *Service) dropAudits(entries []*pendingAudit) {
	for _, entry := range entries {
		s.audits.dropped.Add(max(entry.Detail.Count, 1))
	}
}

func (s *Service) writeAudits(ctx context.Context, noted []*pendingAudit) error {
	if len(noted) == 0 {
		return nil
	}
	entries := make([]AuditEntry, len(noted))
	for i, entry := range noted {
		entries[i] = entry.AuditEntry
		entries[i].Ago = time.Since(entry.since)
	}
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	err := s.store.AppendAudit(ctx, entries)
	if err != nil {
		s.log.Warn("entries of the audit log are not written yet", "entries", len(entries), "err", err)
	}
	return err
}
