package service

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"tusq/internal/faultpoint"
)

// What is refused is written by and by, so that nobody can slow the service or fill its disk by
// asking for what is refused: what is alike becomes one entry a second, and of different
// entries there are so many at once, and so many a second, of one source and of all.
const (
	auditEvery       = time.Second
	auditBurst       = 1000 // entries at once
	auditRate        = 1    // entries a second: at most 86,400 a day of each replica
	auditSourceBurst = 100
	auditSourceRate  = 0.2
	auditSources     = 10_000 // that are counted apart; then all are forgotten
)

// auditBuffer keeps entries until they are written.
type auditBuffer struct {
	dropped atomic.Int64 // what was refused and is in no entry

	mu      sync.Mutex
	pending map[auditKind]*pendingAudit
	order   []*pendingAudit // in which they came
	all     allowance
	sources map[string]*allowance
}

// auditKind is in what refusals are alike.
type auditKind struct{ source, account, action, resource, result string }

type pendingAudit struct {
	AuditEntry
	since time.Time
}

func newAuditBuffer() *auditBuffer {
	return &auditBuffer{
		pending: map[auditKind]*pendingAudit{},
		all:     allowance{left: auditBurst, at: time.Now()},
		sources: map[string]*allowance{},
	}
}

// note adds an entry, counts it with one that is like it, or drops it.
func (b *auditBuffer) note(entry AuditEntry, source string) {
	kind := auditKind{source, entry.Account, entry.Action, entry.Resource, entry.Result}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if alike := b.pending[kind]; alike != nil {
		alike.Detail.Count = max(alike.Detail.Count, 1) + 1
		return
	}
	if len(b.order) >= auditBurst || !b.permits(source, now) {
		b.dropped.Add(1)
		return
	}
	noted := &pendingAudit{AuditEntry: entry, since: now}
	b.pending[kind] = noted
	b.order = append(b.order, noted)
}

// permits takes one entry of a source from what the source and all together may have.
func (b *auditBuffer) permits(source string, now time.Time) bool {
	own := b.sources[source]
	if own == nil {
		if len(b.sources) >= auditSources {
			clear(b.sources)
		}
		own = &allowance{left: auditSourceBurst, at: now}
		b.sources[source] = own
	}
	return own.take(now, auditSourceRate, auditSourceBurst) && b.all.take(now, auditRate, auditBurst)
}

// take returns what is to be written.
func (b *auditBuffer) take() []*pendingAudit {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.order
	b.order = nil
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

// AuditDropped returns how many refusals this replica has left out of the audit log: there
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
		if over := len(left) - auditBurst; over > 0 {
			s.dropAudits(left[:over])
			left = left[over:]
		}
	}
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
