package service

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusalsAreBounded: whatever is refused, and however often, little is kept, and one who
// floods the log leaves room for the others.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newAuditBuffer()
		refuse := func(source string, n int) {
			b.note(AuditEntry{ID: "id", Action: "send_messages", Resource: fmt.Sprint("queue-", n)}, source)
		}
		for n := range 10_000 {
			refuse("flood", n)
			refuse("flood", 0) // alike: it is counted
		}
		refuse("other", 0)
		taken := b.take()
		if len(taken) != auditSourceBurst+1 || taken[0].Detail.Count != 10_001 {
			t.Errorf("%d entries are kept, want %d; the first counts %d", len(taken), auditSourceBurst+1, taken[0].Detail.Count)
		}
		if got := b.dropped.Load(); got != 10_000-auditSourceBurst {
			t.Errorf("%d are dropped", got)
		}
		kept := len(taken)
		for second := range 3600 {
			for n := range 100 {
				refuse(fmt.Sprint("flood-", second, n), n)
			}
			kept += len(b.take())
			time.Sleep(time.Second)
		}
		if kept > auditBurst+3600*auditRate+1 {
			t.Errorf("%d entries are kept in an hour", kept)
		}
		if len(b.sources) > auditSources || len(b.pending) != 0 {
			t.Errorf("%d sources and %d entries are held", len(b.sources), len(b.pending))
		}
	})
}

func TestAuditSources(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::7": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := auditSource(Caller{From: netip.MustParseAddr(from)}); got != want {
			t.Errorf("%s counts as %s, want %s", from, got, want)
		}
	}
}

// TestWhatIsPermittedCostsNoMemory: nor does it touch the audit log.
func TestWhatIsPermittedCostsNoMemory(t *testing.T) {
	s := &Service{} // without a buffer
	caller, ctx := Owner("1"), context.Background()
	if got := testing.AllocsPerRun(100, func() {
		if s.authorize(ctx, caller, ActionSendMessages, "orders") != nil {
			t.Error("refused")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
