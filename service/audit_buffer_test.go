package service

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusalsAreBounded: whatever is refused, and however often, little is kept, and one who
// floods the log leaves room for the others.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		class   auditClass
		account string
		burst   int
	}{
		"nobody": {auditNobody, "", auditNobodyBurst}, "refusals of an account": {auditRefused, "1", auditAccountBurst},
		"failed changes of an account": {auditFailed, "1", auditAccountBurst},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newAuditBuffer()
			refuse := func(source string, n int) {
				b.note(AuditEntry{ID: "id", Action: "send_messages", Resource: fmt.Sprint("queue-", n)}, auditSource{test.class, test.account, source})
			}
			for n := range 10_000 {
				refuse("flood", n)
				refuse("flood", 0) // alike: it is counted
			}
			refuse("other", 0)
			taken := b.take()
			if len(taken) != auditSourceBurst+1 || taken[0].Detail.Count != 10_001 {
				t.Errorf("%s: %d entries are kept, want %d; the first counts %d", name, len(taken), auditSourceBurst+1, taken[0].Detail.Count)
			}
			if got := b.dropped.Load(); got != 10_000-auditSourceBurst {
				t.Errorf("%s: %d are dropped", name, got)
			}
			kept := len(taken)
			for second := range 3600 {
				for n := range 100 {
					refuse(fmt.Sprint("flood-", second, n), n)
				}
				kept += len(b.take())
				time.Sleep(time.Second)
			}
			if kept > test.burst+3600*auditRate+1 {
				t.Errorf("%s: %d entries are kept in an hour", name, kept)
			}
			if len(b.sources) > auditSources || len(b.together) != 1 || len(b.pending) != 0 {
				t.Errorf("%s: %d sources and %d entries are held", name, len(b.sources), len(b.pending))
			}
		})
	}
}

// What waits for the database is bounded, whoever floods the log: of each class the latest stay.
func TestWaitingAuditsAreBounded(t *testing.T) {
	t.Parallel()
	b := newAuditBuffer()
	var left []*pendingAudit
	for account := range 20 * auditKept / auditAccountBurst {
		for n := range auditAccountBurst {
			b.note(AuditEntry{ID: "id", Account: fmt.Sprint(account), Resource: fmt.Sprint(n)}, auditSource{auditRefused, fmt.Sprint(account), fmt.Sprint(n)})
		}
		b.note(AuditEntry{ID: "id"}, auditSource{auditFailed, fmt.Sprint(account), "a"})
		if account%10 == 9 {
			taken := b.take()
			if len(taken) > auditKept+10 {
				t.Errorf("%d entries wait", len(taken))
			}
			left, _ = latestAudits(append(left, taken...))
		}
	}
	count := map[auditClass]int{}
	for _, entry := range left {
		count[entry.class]++
	}
	if count[auditRefused] != auditKept || count[auditFailed] != 20*auditKept/auditAccountBurst {
		t.Errorf("of each class are left %v", count)
	}
	if slices.ContainsFunc(left, func(e *pendingAudit) bool { return e.Account == "0" }) {
		t.Error("the first that came are left, and not the latest")
	}
}

func TestAuditSources(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8::7": "2001:db8::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := auditSourceOf(Caller{From: netip.MustParseAddr(from)}, auditFailed); got != (auditSource{auditNobody, "", want}) {
			t.Errorf("%s counts as %v, want %s", from, got, want)
		}
	}
	if got := auditSourceOf(Owner("1").On("2"), auditFailed); got != (auditSource{auditFailed, "1", "owner"}) {
		t.Errorf("a caller counts as %v", got)
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
