package service_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/testservice"
)

// auditOf returns the whole log that a caller sees, the oldest entry first, without what differs
// from run to run.
func auditOf(t *testing.T, svc *service.Service, caller service.Caller, list service.ListAudit) []service.AuditEntry {
	t.Helper()
	var all []service.AuditEntry
	list.Limit = 3
	for {
		page, err := svc.ListAudit(t.Context(), caller, list)
		if err != nil {
			t.Fatalf("list the audit log: %v", err)
		}
		all = append(all, page.Entries...)
		if list.Cursor = page.Cursor; list.Cursor == "" {
			break
		}
	}
	for i := range all {
		if all[i].ID == "" || all[i].At.IsZero() || i > 0 && all[i].ID >= all[i-1].ID {
			t.Errorf("entry %d is %+v", i, all[i])
		}
	}
	for i := range all {
		all[i].ID, all[i].At = "", time.Time{}
	}
	slices.Reverse(all)
	return all
}

// waitForAudit waits until the log has n entries that match.
func waitForAudit(t *testing.T, svc *service.Service, caller service.Caller, list service.ListAudit, n int) []service.AuditEntry {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		entries := auditOf(t, svc, caller, list)
		if len(entries) >= n {
			return entries
		}
		if time.Now().After(end) {
			t.Fatalf("the audit log has %d entries, want %d: %+v", len(entries), n, entries)
		}
	}
}

// TestAuditNotesChanges: each change is in the log when its call is answered.
func TestAuditNotesChanges(t *testing.T) {
	t.Parallel()
	svc := testservice.New(t)
	ctx := telemetry.WithRequest(t.Context(), &telemetry.Request{ID: "request-1"})
	who := caller
	who.From = netip.MustParseAddr("::ffff:192.0.2.7")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dead := service.CreateQueue{Name: "dead"}
	_, _, err := svc.CreateQueue(ctx, who, dead)
	must(err)
	_, _, err = svc.CreateQueue(ctx, who, dead) // changes nothing
	must(err)
	_, _, err = svc.CreateQueue(ctx, who, service.CreateQueue{Name: "orders.fifo", QueueChange: service.QueueChange{
		Delay: new(time.Minute), Tags: map[string]string{"secret": "s3cret"}, Extra: map[string]string{"Policy": "s3cret"},
	}})
	must(err)
	_, _, err = svc.CreateQueue(ctx, who, service.CreateQueue{Name: "orders"})
	must(err)
	_, err = svc.UpdateQueue(ctx, who, "orders", service.QueueChange{
		Delay: new(time.Duration(0)), Retention: new(time.Hour), DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 1},
		Edit: func(q *service.Queue) error { q.Tags = map[string]string{"a": "s3cret"}; return nil },
	})
	must(err)
	_, err = svc.SendMessages(ctx, who, "dead", service.SendMessages{Messages: []service.SendMessage{{Body: "s3cret"}}})
	must(err)
	redrive, err := svc.StartRedrive(ctx, who, service.StartRedrive{Source: "dead", Destination: "orders", Rate: 1})
	must(err)
	_, _ = svc.CancelRedrive(ctx, who, redrive.ID) // which may have ended
	_, err = svc.SendMessages(ctx, who, "orders", service.SendMessages{Messages: []service.SendMessage{{Body: "a"}, {Body: "b"}}})
	must(err)
	purged, err := svc.PurgeQueue(ctx, who, service.PurgeQueue{Name: "orders"})
	must(err)
	must(svc.DeleteQueue(ctx, who, "orders"))

	entry := func(action, queue string, detail service.AuditDetail) service.AuditEntry {
		return service.AuditEntry{
			Account: testservice.Account, Actor: "owner", Action: action, Resource: queue, Client: "192.0.2.7",
			RequestID: "request-1", Result: service.AuditOK, Detail: detail,
		}
	}
	want := []service.AuditEntry{
		entry("create_queue", "dead", service.AuditDetail{}),
		entry("create_queue", "orders.fifo", service.AuditDetail{Settings: []string{"delay_seconds", "tags", "Policy"}}),
		entry("create_queue", "orders", service.AuditDetail{}),
		entry("update_queue", "orders", service.AuditDetail{Settings: []string{"retention_seconds", "dead_letter", "tags"}}),
		entry("start_redrive", "dead", service.AuditDetail{Redrive: redrive.ID, Destination: "orders", Rate: 1, Messages: 1}),
		entry("purge_queue", "orders", service.AuditDetail{Messages: purged}),
		entry("delete_queue", "orders", service.AuditDetail{}),
	}
	got := slices.DeleteFunc(auditOf(t, svc, who, service.ListAudit{}), func(e service.AuditEntry) bool {
		return e.Action == "cancel_redrive"
	})
	if len(got) != len(want) {
		t.Fatalf("the log has %d entries, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("entry %d\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
	cancelled := waitForAudit(t, svc, who, service.ListAudit{Action: "cancel_redrive"}, 1)[0]
	if cancelled.Resource != "dead" || cancelled.Detail.Redrive != redrive.ID {
		t.Errorf("the cancelled redrive is noted as %+v", cancelled)
	}
	if text := fmt.Sprint(auditOf(t, svc, who, service.ListAudit{})); strings.Contains(text, "s3cret") {
		t.Errorf("the log has what it must not have: %s", text)
	}
	if got := auditOf(t, svc, who, service.ListAudit{Actor: "owner", Action: "create_queue", Result: "ok"}); len(got) != 3 {
		t.Errorf("filtered, the log has %+v", got)
	}
	if got := auditOf(t, svc, who, service.ListAudit{Actor: "somebody"}); len(got) != 0 {
		t.Errorf("of somebody else, the log has %+v", got)
	}
}

// TestAuditNotesRefusals: alike ones of a second are one entry, and each account sees its own.
func TestAuditNotesRefusals(t *testing.T) {
	t.Parallel()
	svc := testservice.New(t)
	sender := service.NewTestCaller("111111111111", "key sender", service.Rights{
		Actions: []service.Action{service.ActionSendMessages}, Queues: []string{"*"},
	})
	for range 5 {
		_, err := svc.PurgeQueue(t.Context(), sender, service.PurgeQueue{Name: "orders"})
		wantCode(t, err, service.CodeForbidden)
	}
	_, err := svc.GetQueue(t.Context(), sender, "a secret, perhaps")
	wantCode(t, err, service.CodeForbidden)
	_, err = svc.GetQueue(t.Context(), service.Owner("222222222222").On("111111111111"), "orders")
	wantCode(t, err, service.CodeQueueNotFound)
	_, err = svc.GetQueue(t.Context(), service.Caller{Account: "111111111111"}, "orders")
	wantCode(t, err, service.CodeUnauthenticated)
	wantCode(t, svc.DeleteQueue(t.Context(), service.Owner("111111111111"), "orders"), service.CodeQueueNotFound)
	from := netip.MustParseAddr("2001:db8::7")
	svc.RefusedCredentials(t.Context(), from, "TQABCDEFGHIJKLMNOPQR", service.CodeUnauthenticated)
	svc.RefusedCredentials(t.Context(), from, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", service.CodeUnauthenticated)

	waitForAudit(t, svc, service.Owner("111111111111"), service.ListAudit{Action: "delete_queue"}, 1) // the last of them
	got := waitForAudit(t, svc, service.Owner("111111111111"), service.ListAudit{}, 4)
	purges := int64(0)
	others := map[string]bool{}
	for _, e := range got {
		if e.Action == "purge_queue" {
			purges += max(e.Detail.Count, 1)
		} else {
			others[fmt.Sprint(e.Actor, " ", e.Action, " ", e.Resource, " ", e.Result)] = true
		}
	}
	if len(got) > 6 || purges != 5 {
		t.Errorf("%d entries tell of %d refused purges, want 5 in one or two", len(got), purges)
	}
	if want := map[string]bool{
		"key sender get_queue  forbidden": true, "222222222222/owner get_queue orders queue_not_found": true,
		"owner delete_queue orders queue_not_found": true,
	}; !reflect.DeepEqual(others, want) {
		t.Errorf("got the entries %v, want %v", others, want)
	}
	unknown := map[string]bool{}
	for _, e := range waitForAudit(t, svc, caller, service.ListAudit{}, 3) {
		unknown[fmt.Sprint(e.Account, e.Actor, " ", e.Action, " ", e.Resource, " ", e.Client)] = true
	}
	if want := map[string]bool{
		" get_queue orders ": true, " authenticate key TQABCDEFGHIJKLMNOPQR 2001:db8::7": true, " authenticate  2001:db8::7": true,
	}; !reflect.DeepEqual(unknown, want) {
		t.Errorf("the deployment's own account sees %v, want %v", unknown, want)
	}
	if got := auditOf(t, svc, service.Owner("333333333333"), service.ListAudit{}); len(got) != 0 {
		t.Errorf("another account sees %+v", got)
	}
}

// TestNoiseSilencesNobody: those whom nobody knows leave room for the refusals of those who are known, an account for
// another, and refusals for changes that fail.
func TestNoiseSilencesNobody(t *testing.T) {
	t.Parallel()
	svc := testservice.New(t)
	for address := range 20 {
		for key := range 100 {
			from := netip.AddrFrom4([4]byte{192, 0, 2, byte(address)})
			svc.RefusedCredentials(t.Context(), from, fmt.Sprintf("TQ%018d", key), service.CodeUnauthenticated)
		}
	}
	sender := func(account, name string) service.Caller {
		return service.NewTestCaller(account, name, service.Rights{Actions: []service.Action{service.ActionSendMessages}, Queues: []string{"*"}})
	}
	refuse := func(sender service.Caller, queue string) {
		t.Helper()
		_, err := svc.PurgeQueue(t.Context(), sender, service.PurgeQueue{Name: queue})
		wantCode(t, err, service.CodeForbidden)
	}
	wantOne := func(account string, list service.ListAudit) {
		t.Helper()
		waitForAudit(t, svc, service.Owner(account), list, 1)
	}
	refuse(sender("111111111111", "key quiet"), "orders")
	wantOne("111111111111", service.ListAudit{Actor: "key quiet"})
	for actor := range 20 {
		for queue := range 100 {
			refuse(sender("111111111111", fmt.Sprint("key ", actor)), fmt.Sprint("queue-", queue))
		}
	}
	wantCode(t, svc.DeleteQueue(t.Context(), service.Owner("111111111111"), "orders"), service.CodeQueueNotFound)
	wantOne("111111111111", service.ListAudit{Action: "delete_queue"})
	refuse(sender("222222222222", "key other"), "orders")
	wantOne("222222222222", service.ListAudit{Actor: "key other"})
}

func TestAuditIsReadWithTheRightAndOwnCursors(t *testing.T) {
	t.Parallel()
	svc := testservice.New(t)
	for _, account := range []string{"111111111111", "222222222222"} {
		for _, name := range []string{"a", "b"} {
			if _, _, err := svc.CreateQueue(t.Context(), service.Owner(account), service.CreateQueue{Name: name}); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := []service.Action{service.ActionReadAudit}
	for _, test := range []struct {
		caller service.Caller
		list   service.ListAudit
		code   service.Code
	}{
		{service.Caller{Account: "111111111111"}, service.ListAudit{}, service.CodeUnauthenticated},
		{service.NewTestCaller("111111111111", "k", service.Rights{Actions: read, Queues: []string{"a*"}}), service.ListAudit{}, service.CodeForbidden},
		{service.Owner("111111111111").On("222222222222"), service.ListAudit{}, service.CodeForbidden},
		{service.Owner("111111111111"), service.ListAudit{Limit: -1}, service.CodeInvalidParameter},
		{service.Owner("111111111111"), service.ListAudit{Cursor: "x"}, service.CodeInvalidParameter},
		{service.Owner("111111111111"), service.ListAudit{Actor: "\x00"}, service.CodeInvalidParameter},
		{service.Owner("111111111111"), service.ListAudit{Result: strings.Repeat("a", 201)}, service.CodeInvalidParameter},
	} {
		_, err := svc.ListAudit(t.Context(), test.caller, test.list)
		wantCode(t, err, test.code)
	}
	reader := service.NewTestCaller("111111111111", "reader", service.Rights{Actions: read, Queues: []string{"*"}})
	page, err := svc.ListAudit(t.Context(), reader, service.ListAudit{Limit: 1, Result: service.AuditOK})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Resource != "b" || page.Cursor == "" {
		t.Fatalf("the first page is %+v, %v", page, err)
	}
	if _, err := svc.ListAudit(t.Context(), service.Owner("222222222222"), service.ListAudit{Cursor: page.Cursor}); err == nil {
		t.Error("another account's cursor is taken")
	}
	page, err = svc.ListAudit(t.Context(), reader, service.ListAudit{Limit: 1, Result: service.AuditOK, Cursor: page.Cursor})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Resource != "a" || page.Cursor != "" {
		t.Errorf("the second page is %+v, %v", page, err)
	}
}

// TestChangesOutlastTheAuditLog: while the log cannot be written a change succeeds, says so in
// the service's own log, and comes into the audit log later.
func TestChangesOutlastTheAuditLog(t *testing.T) {
	t.Parallel()
	url := pgtest.New(t)
	var log safeLog
	svc := testservice.On(t, url, service.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE audit_log`); err != nil {
		t.Fatal(err)
	}
	if _, created, err := svc.CreateQueue(t.Context(), caller, service.CreateQueue{Name: "orders"}); err != nil || !created {
		t.Errorf("created %v, %v", created, err)
	}
	if text := log.String(); !strings.Contains(text, "a change is not in the audit log") || !strings.Contains(text, "queue=orders") {
		t.Errorf("the service's log says %q", text)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := waitForAudit(t, svc, caller, service.ListAudit{Action: "create_queue"}, 1); got[0].Result != service.AuditOK {
		t.Errorf("the entry is %+v", got[0])
	}
}

// safeLog is a buffer that many may write.
type safeLog struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}
