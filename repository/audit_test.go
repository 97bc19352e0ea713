package repository

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"tusq/service"
)

// auditEntry is an entry of the log whose id and time are of some time ago.
func auditEntry(ago time.Duration) service.AuditEntry {
	id := uuid.Must(uuid.NewV7())
	milli := time.Now().Add(-ago).UnixMilli()
	for i := range 6 {
		id[i] = byte(milli >> (8 * (5 - i)))
	}
	return service.AuditEntry{ID: id.String(), Account: account, Action: "purge_queue", Result: service.AuditOK, Ago: ago}
}

func TestAuditIsForgottenByAge(t *testing.T) {
	s := setup(t)
	var entries []service.AuditEntry
	for range deletePart + 1 {
		entries = append(entries, auditEntry(100*24*time.Hour))
	}
	young := auditEntry(80 * 24 * time.Hour)
	if err := s.AppendAudit(s.ctx, append(entries, young)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{deletePart, 1, 0} {
		if n, err := s.ForgetAudit(s.ctx, service.DefaultAuditRetention); n != want || err != nil {
			t.Errorf("forgot %d entries, %v; want %d", n, err, want)
		}
	}
	left, err := s.ListAudit(s.ctx, service.AuditFilter{Accounts: []string{account}, Limit: 10})
	if err != nil || len(left) != 1 || left[0].ID != young.ID {
		t.Errorf("left are %+v, %v", left, err)
	}
	if age := time.Since(left[0].At); age < 79*24*time.Hour || age > 81*24*time.Hour {
		t.Errorf("the entry is %s old", age)
	}
}

// TestAuditIsAppendedOnce: entries whose commit was unknown are written again.
func TestAuditIsAppendedOnce(t *testing.T) {
	s := setup(t)
	entry := auditEntry(0)
	entry.Detail = service.AuditDetail{Count: 3, Settings: []string{"tags"}}
	again := entry
	again.Result = "changed"
	for _, e := range []service.AuditEntry{entry, again} {
		if err := s.AppendAudit(s.ctx, []service.AuditEntry{e, auditEntry(0)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.ListAudit(s.ctx, service.AuditFilter{Accounts: []string{account}, Limit: 10})
	if err != nil || len(got) != 3 {
		t.Fatalf("the log has %+v, %v", got, err)
	}
	for _, e := range got {
		if e.ID == entry.ID && (e.Result != service.AuditOK || e.Detail.Count != 3 || len(e.Detail.Settings) != 1) {
			t.Errorf("the entry was changed: %+v", e)
		}
	}
}

// TestAuditNeedsNoUpdate: the role that serves needs not be able to change entries.
func TestAuditNeedsNoUpdate(t *testing.T) {
	s := setup(t)
	role := "serving_" + strings.ToLower(rand.Text())
	s.execute(`CREATE ROLE ` + role)
	s.execute(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ` + role)
	s.execute(`REVOKE UPDATE ON audit_log FROM ` + role)
	defer s.execute(`DROP OWNED BY ` + role + `; DROP ROLE ` + role)
	asRole := " options='-c role=" + role + "'"
	if strings.Contains(s.url, "://") {
		asRole = map[bool]string{true: "&", false: "?"}[strings.Contains(s.url, "?")] + "options=-c%20role%3D" + role
	}
	limited, err := Open(s.ctx, Options{
		URL: s.url + asRole, Replica: role, HotConnections: 2, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer limited.Close()
	if err := limited.AppendAudit(s.ctx, []service.AuditEntry{auditEntry(0), auditEntry(100 * 24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if n, err := limited.ForgetAudit(s.ctx, service.DefaultAuditRetention); n != 1 || err != nil {
		t.Errorf("forgot %d entries, %v", n, err)
	}
	if _, err := limited.cold.Exec(s.ctx, `UPDATE audit_log SET result = 'ok'`); err == nil {
		t.Error("the role can change entries")
	}
}
