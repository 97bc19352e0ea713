package service

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// DefaultAuditRetention is how long the audit log is kept where Options names no other time.
const DefaultAuditRetention = 90 * 24 * time.Hour

// maxAuditFilter bounds each text of ListAudit, in bytes.
const maxAuditFilter = 200

// ListAudit asks for a page of the audit log, the newest entries first.
type ListAudit struct {
	Actor, Action, Result string // only entries with exactly these; empty: any
	Limit                 int    // 1 to MaxListLimit; 0 means MaxListLimit
	Cursor                string // of the page before; empty for the first
}

// AuditPage is one page of the audit log.
type AuditPage struct {
	Entries []AuditEntry
	Cursor  string // of the next page; empty on the last
}

// AuditFilter chooses entries of the audit log, the newest first.
type AuditFilter struct {
	Accounts              []string // of any of these
	Actor, Action, Result string   // exactly these; empty: any
	Before                string   // the id of an entry; empty: from the newest on
	Limit                 int
}

// ListAudit returns a page of what the log says of the caller's account. Whoever owns the
// deployment sees also what is about no account that is known.
func (s *Service) ListAudit(ctx context.Context, caller Caller, list ListAudit) (AuditPage, error) {
	if err := s.authorizeAll(ctx, caller, ActionReadAudit); err != nil {
		return AuditPage{}, err
	}
	filter := AuditFilter{Accounts: []string{caller.Account}, Actor: list.Actor, Action: list.Action, Result: list.Result}
	if caller.Account == s.account {
		filter.Accounts = append(filter.Accounts, "")
	}
	if err := list.valid(); err != nil {
		return AuditPage{}, err
	}
	if list.Limit == 0 {
		list.Limit = MaxListLimit
	}
	if err := validInt("limit", list.Limit, 1, MaxListLimit); err != nil {
		return AuditPage{}, err
	}
	var err error
	if filter.Before, err = s.openAuditCursor(caller.Account, list.Cursor); err != nil {
		return AuditPage{}, err
	}
	filter.Limit = list.Limit + 1
	entries, err := s.store.ListAudit(ctx, filter)
	if err != nil {
		return AuditPage{}, err
	}
	page := AuditPage{Entries: entries}
	if len(entries) > list.Limit {
		page.Entries = entries[:list.Limit]
		page.Cursor = s.auditCursor(caller.Account, page.Entries[list.Limit-1].ID)
	}
	return page, nil
}

func (l ListAudit) valid() error {
	for _, text := range []struct{ field, value string }{{"actor", l.Actor}, {"action", l.Action}, {"result", l.Result}} {
		if len(text.value) > maxAuditFilter || !utf8.ValidString(text.value) || strings.Contains(text.value, "\x00") {
			return invalid(text.field, "This is no %s of an entry.", text.field)
		}
	}
	return nil
}

// auditCursor is the place after an entry, and a seal that binds it to the account.
func (s *Service) auditCursor(account, id string) string {
	parsed := uuid.MustParse(id) // the store made it
	return base64.RawURLEncoding.EncodeToString(append(parsed[:], s.auditSeal(account, parsed[:])...))
}

func (s *Service) openAuditCursor(account, text string) (id string, err error) {
	if text == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 16+receiptMAC || !slices.Equal(raw[16:], s.auditSeal(account, raw[:16])) {
		return "", invalid("cursor", "This is not a cursor of this audit log.")
	}
	return uuid.UUID(raw[:16]).String(), nil
}

func (s *Service) auditSeal(account string, id []byte) []byte {
	mac := s.receipts.mac(append([]byte("audit cursor "+account+" "), id...))
	return mac[:receiptMAC]
}
