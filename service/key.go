package service

import (
	"context"
	"encoding/base64"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// AccessKey is somebody's permission to call, as it is stored. Its secrets are not part of it.
type AccessKey struct {
	ID         string
	Account    string // whose queues it is for
	Name       string // for people
	Rights     Rights
	Sources    []netip.Prefix // networks that it may be used from; none: all
	CreatedAt  time.Time
	CreatedBy  string    // a caller's name
	ExpiresAt  time.Time // zero: never
	RevokedAt  time.Time // zero: it is not
	LastUsedAt time.Time // to the minute; zero: never
	// RetiringAt is when the secret that another has replaced ends; zero: there is one secret.
	RetiringAt time.Time
}

// CreateKey asks for a key.
type CreateKey struct {
	Name    string
	Account string // whose queues it is for; "": the caller's own
	Rights  Rights
	Sources []netip.Prefix
	Expires time.Duration // from now; 0: never
}

// RotateKey asks for another secret of a key.
type RotateKey struct {
	ID    string
	Grace *time.Duration // for how long the old secret works beside the new one, 0 to MaxKeyGrace; nil: DefaultKeyGrace
}

// ListKeys asks for a page of an account's keys that are not revoked, in the order of their ids.
type ListKeys struct {
	Account string // "": the caller's own
	Limit   int    // 1 to MaxListLimit; 0 means MaxListLimit
	Cursor  string // of the page before; empty for the first
}

// KeyPage is one page of keys.
type KeyPage struct {
	Keys   []AccessKey
	Cursor string // of the next page; empty on the last
}

// CreateKey makes a key, which may do no more than the caller, from no more networks, and for no longer. Its credentials are told this once.
func (s *Service) CreateKey(ctx context.Context, caller Caller, create CreateKey) (AccessKey, Credentials, error) {
	account, err := s.authorizeKeys(ctx, caller, create.Account)
	if err != nil {
		return AccessKey{}, Credentials{}, err
	}
	if err := create.valid(); err != nil {
		return AccessKey{}, Credentials{}, err
	}
	if !caller.mayGive(create.Rights, create.bounds(s.keys.now.Load().clock())) {
		return AccessKey{}, Credentials{}, s.refuse(ctx, caller, ActionManageKeys, "", errBeyondRights())
	}
	credentials := NewCredentials()
	secret, err := s.keys.seal(credentials)
	if err != nil {
		return AccessKey{}, Credentials{}, err
	}
	entry := AuditEntry{Account: account, Action: auditCreateKey, Resource: keyActor + credentials.KeyID}
	if err := s.recordFirst(ctx, caller, entry); err != nil {
		return AccessKey{}, Credentials{}, err
	}
	key, err := s.store.CreateKey(ctx, NewKey{
		AccessKey: AccessKey{
			ID: credentials.KeyID, Account: account, Name: create.Name, Rights: create.Rights,
			Sources: create.Sources, CreatedBy: caller.Name(),
		},
		Expires: create.Expires,
		Secret:  secret,
	})
	if err != nil {
		s.record(ctx, caller, entry, err)
		return AccessKey{}, Credentials{}, err
	}
	s.changedKeys(ctx)
	return key, credentials, nil
}

// ListKeys returns a page of an account's keys.
func (s *Service) ListKeys(ctx context.Context, caller Caller, list ListKeys) (KeyPage, error) {
	account, err := s.authorizeKeys(ctx, caller, list.Account)
	if err != nil {
		return KeyPage{}, err
	}
	if list.Limit == 0 {
		list.Limit = MaxListLimit
	}
	if err := validInt("limit", list.Limit, 1, MaxListLimit); err != nil {
		return KeyPage{}, err
	}
	after, err := base64.RawURLEncoding.DecodeString(list.Cursor)
	if err != nil || len(after) > 0 && !isKeyID(string(after)) {
		return KeyPage{}, invalid("cursor", "This is not a cursor of a list of keys.")
	}
	keys, err := s.store.ListKeys(ctx, KeyFilter{Account: account, After: string(after), Limit: list.Limit + 1})
	if err != nil {
		return KeyPage{}, err
	}
	page := KeyPage{Keys: keys}
	if len(keys) > list.Limit {
		page.Keys = keys[:list.Limit]
		page.Cursor = base64.RawURLEncoding.EncodeToString([]byte(page.Keys[list.Limit-1].ID))
	}
	return page, nil
}

// GetKey returns a key, also one that is revoked.
func (s *Service) GetKey(ctx context.Context, caller Caller, id string) (AccessKey, error) {
	if err := s.authorizeAll(ctx, caller, ActionManageKeys); err != nil {
		return AccessKey{}, err
	}
	if !isKeyID(id) {
		return AccessKey{}, ErrKeyNotFound(id)
	}
	key, err := s.store.GetKey(ctx, id)
	if err != nil {
		return AccessKey{}, err
	}
	if key.Account != caller.Home() && !s.isOperator(caller) {
		return AccessKey{}, ErrKeyNotFound(id)
	}
	return key, nil
}

// authorizeKeyChange is authorize for a change of a key, which may do no more than the caller. It returns the key.
func (s *Service) authorizeKeyChange(ctx context.Context, caller Caller, id string) (AccessKey, error) {
	key, err := s.GetKey(ctx, caller, id)
	switch {
	case err != nil:
		return AccessKey{}, err
	case !key.RevokedAt.IsZero():
		return AccessKey{}, ErrKeyNotFound(id)
	case !caller.mayGive(key.Rights, key.bounds()):
		return AccessKey{}, s.refuse(ctx, caller, ActionManageKeys, "", errBeyondRights())
	}
	return key, nil
}

// RotateKey gives a key another secret, which is told this once. The one that it had last works on
// for a time of grace; one that was replaced before ends now.
func (s *Service) RotateKey(ctx context.Context, caller Caller, rotate RotateKey) (AccessKey, Credentials, error) {
	old, err := s.authorizeKeyChange(ctx, caller, rotate.ID)
	if err != nil {
		return AccessKey{}, Credentials{}, err
	}
	grace := DefaultKeyGrace
	set(&grace, rotate.Grace)
	if grace < 0 || grace > MaxKeyGrace {
		return AccessKey{}, Credentials{}, invalid("grace_seconds", "The grace must be from 0 to %d seconds.", int(MaxKeyGrace.Seconds()))
	}
	credentials := Credentials{KeyID: rotate.ID, Secret: newSecret()}
	secret, err := s.keys.seal(credentials)
	if err != nil {
		return AccessKey{}, Credentials{}, err
	}
	entry := AuditEntry{Account: old.Account, Action: auditRotateKey, Resource: keyActor + rotate.ID}
	if err := s.recordFirst(ctx, caller, entry); err != nil {
		return AccessKey{}, Credentials{}, err
	}
	key, err := s.store.RotateKey(ctx, rotate.ID, grace, secret)
	if err != nil {
		s.record(ctx, caller, entry, err)
		return AccessKey{}, Credentials{}, err
	}
	s.changedKeys(ctx)
	return key, credentials, nil
}

// RevokeKey ends a key for ever: here at once, on all replicas within a few seconds. Receives
// of it that wait end with CodeUnauthenticated.
func (s *Service) RevokeKey(ctx context.Context, caller Caller, id string) error {
	key, err := s.authorizeKeyChange(ctx, caller, id)
	if err != nil {
		return err
	}
	entry := AuditEntry{Account: key.Account, Action: auditRevokeKey, Resource: keyActor + id}
	if err := s.recordFirst(ctx, caller, entry); err != nil {
		return err
	}
	if err := s.store.RevokeKey(ctx, id); err != nil {
		s.record(ctx, caller, entry, err)
		return err
	}
	s.changedKeys(ctx)
	return nil
}

// authorizeKeys is authorize for the keys of an account, "" being the caller's own, and returns
// the account. Those of other accounts are the operator's business alone.
func (s *Service) authorizeKeys(ctx context.Context, caller Caller, account string) (string, error) {
	if err := s.authorizeAll(ctx, caller, ActionManageKeys); err != nil {
		return "", err
	}
	switch {
	case account == "" || account == caller.Home():
		return caller.Home(), nil
	case !s.isOperator(caller):
		return "", s.refuse(ctx, caller, ActionManageKeys, "", errForbidden(ActionManageKeys))
	case !isAccount(account):
		return "", invalid("account", "account must have 12 digits.")
	}
	return account, nil
}

// isOperator tells whether the caller may do everything in the deployment's own account.
func (s *Service) isOperator(caller Caller) bool {
	return caller.actor != nil && caller.Home() == s.account && caller.actor.rights.cover(Everything())
}

// bounds are those that a key made now would have.
func (c CreateKey) bounds(now time.Time) bounds {
	b := bounds{sources: c.Sources}
	if c.Expires > 0 {
		b.until = now.Add(c.Expires)
	}
	return b
}

func (k AccessKey) bounds() bounds { return bounds{sources: k.Sources, until: k.ExpiresAt} }

func (c CreateKey) valid() error {
	if !isKeyName(c.Name) {
		return invalid("name", "name must have 1 to %d characters, none of them a control character.", MaxKeyName)
	}
	if err := c.Rights.valid(); err != nil {
		return err
	}
	if len(c.Sources) > MaxKeySources {
		return invalid("sources", "A key names %d networks at most.", MaxKeySources)
	}
	for _, source := range c.Sources {
		if !source.IsValid() {
			return invalid("sources", "Each is a network in CIDR notation.")
		}
	}
	if c.Expires < 0 || c.Expires > MaxKeyLife || c.Expires%time.Second != 0 {
		return invalid("expires_in_seconds", "A key ends after %d seconds at most, or never.", int64(MaxKeyLife.Seconds()))
	}
	return nil
}

func isKeyName(name string) bool {
	n := utf8.RuneCountInString(name)
	return utf8.ValidString(name) && n >= 1 && n <= MaxKeyName && !strings.ContainsFunc(name, unicode.IsControl)
}

// isAccount tells whether text has the form of an account's id.
func isAccount(text string) bool { return len(text) == 12 && strings.Trim(text, "0123456789") == "" }

// ErrKeyNotFound is the error about a key that does not exist, as far as the caller may know.
func ErrKeyNotFound(id string) *Error {
	if !isKeyID(id) { // it may be a secret
		return Errorf(CodeKeyNotFound, "There is no such key.")
	}
	return Errorf(CodeKeyNotFound, "There is no key %q, or it was revoked.", id)
}

func errBeyondRights() *Error {
	return Errorf(CodeForbidden, "A key that may do more than these credentials, or from more networks, "+
		"or for longer, cannot be made, rotated or revoked by them.")
}
