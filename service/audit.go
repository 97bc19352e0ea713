package service

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"

	"tusq/internal/telemetry"
)

// AuditEntry is a line of the audit log: who did what, or was refused it. No field has room
// for what a message or a credential holds.
type AuditEntry struct {
	ID        string    // a UUID of version 7: what was noted later has a greater one, up to the replicas' clocks
	At        time.Time // by the database
	Account   string    // whose queues it was about; empty: not known
	Actor     string    // see Caller.Name; of another account's: after that account. Empty: nobody was recognised
	Action    string    // what was done; of a refusal: the right that was not there
	Resource  string    // a queue's name, or "key" or "user" and which; empty: none, or what cannot be one; brackets: what looks like a receipt
	Client    string    // the address that it came from; empty: not known
	RequestID string
	Result    string // AuditOK, or the code of the error
	Detail    AuditDetail

	// Ago is how long before it was written it happened.
	Ago time.Duration
}

// AuditOK is the result of what was done.
const AuditOK = "ok"

// What the log names beside the rights that were missing.
const (
	auditCreateQueue   = "create_queue"
	auditUpdateQueue   = "update_queue"
	auditDeleteQueue   = "delete_queue"
	auditPurgeQueue    = "purge_queue"
	auditStartRedrive  = "start_redrive"
	auditCancelRedrive = "cancel_redrive"
	auditAuthenticate  = "authenticate"
	auditCreateKey     = "create_key"
	auditRotateKey     = "rotate_key"
	auditRevokeKey     = "revoke_key"
	auditCreateUser    = "create_user"
	auditUpdateUser    = "update_user"
	auditDeleteUser    = "delete_user"
	auditSignIn        = "sign_in"
	auditSignOut       = "sign_out"
	auditReadMetrics   = "read_metrics"
)

// AuditDetail is what else there is to say: names of settings, ids and numbers.
type AuditDetail struct {
	Count       int64    `json:"count,omitempty"`       // how often it happened in about a second; 0: once
	Settings    []string `json:"settings,omitempty"`    // that were set or changed
	Messages    int64    `json:"messages,omitempty"`    // that were purged, are to be moved, or had been when it was cancelled
	Redrive     string   `json:"redrive,omitempty"`     // its id
	Destination string   `json:"destination,omitempty"` // of a redrive; empty: where each message came from
	Rate        int      `json:"rate,omitempty"`        // of a redrive
}

// auditTimeout bounds how long the answer to a change waits for its entry.
const auditTimeout = 3 * time.Second

// record writes into the log what a caller has changed, before the caller is answered. The
// change has happened, so it stays, and the call succeeds, where that is not possible: then the
// entry is in the service's own log, and is tried again with the refusals. A change that
// failed is noted as refusals are.
func (s *Service) record(ctx context.Context, caller Caller, entry AuditEntry, err error) {
	if entry = s.auditEntry(ctx, caller, entry); entry.ID == "" {
		return
	}
	if err != nil {
		entry.Result = string(ErrorCode(err))
		s.audits.note(entry, auditSourceOf(caller, auditFailed))
		return
	}
	entry.Result = AuditOK
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if err := s.store.AppendAudit(ctx, []AuditEntry{entry}); err != nil {
		s.log.Error("a change is not in the audit log", "err", err, "request_id", entry.RequestID, "caller", entry.Actor,
			"action", entry.Action, "queue", entry.Resource, "client", entry.Client)
		s.audits.note(entry, auditSourceOf(caller, auditMade))
	}
}

// recordFirst writes into the log what a caller is about to change of keys or users, which are not to be
// made or changed unnoticed: where that is not possible, neither is the change. A change that
// then fails has a second entry, by record.
func (s *Service) recordFirst(ctx context.Context, caller Caller, entry AuditEntry) error {
	if entry = s.auditEntry(ctx, caller, entry); entry.ID == "" {
		return errNoAudit(nil)
	}
	entry.Result = AuditOK
	ctx, cancel := context.WithTimeout(ctx, auditTimeout)
	defer cancel()
	if err := s.store.AppendAudit(ctx, []AuditEntry{entry}); err != nil {
		return errNoAudit(err)
	}
	return nil
}

func errNoAudit(err error) *Error {
	return &Error{Code: CodeUnavailable, Message: "This cannot be noted in the audit log, and so is not done; try again in a moment.", Err: err}
}

// auditEntry fills in what is known of the call. It returns the zero entry where the system
// gives no random numbers.
func (s *Service) auditEntry(ctx context.Context, caller Caller, entry AuditEntry) AuditEntry {
	id, err := uuid.NewV7()
	if err != nil {
		s.log.Error("an entry of the audit log has no id", "err", err)
		return AuditEntry{}
	}
	entry.ID, entry.RequestID = id.String(), telemetry.RequestID(ctx)
	entry.Resource = withoutSecret(entry.Resource)
	account := entry.Account // a key's or a user's
	entry.Actor, entry.Account = caller.Name(), caller.Account
	switch {
	case account != "":
		entry.Account = account
	case caller.actor == nil:
		entry.Account = ""
	}
	if caller.actor != nil && entry.Account != caller.Home() {
		entry.Actor = caller.Home() + "/" + entry.Actor
	}
	if caller.From.IsValid() {
		entry.Client = caller.From.Unmap().WithZone("").String()
	}
	return entry
}

// refuse notes a refusal and returns it.
func (s *Service) refuse(ctx context.Context, caller Caller, action Action, queue string, why *Error) error {
	if validQueueName(queue) != nil {
		queue = "" // it may be anything, and of any length
	}
	return s.noteRefusal(ctx, caller, AuditEntry{Action: action.String(), Resource: queue}, why)
}

// noteRefusal notes that a caller was refused something, and returns why.
func (s *Service) noteRefusal(ctx context.Context, caller Caller, entry AuditEntry, why *Error) error {
	entry.Result = string(why.Code)
	if entry = s.auditEntry(ctx, caller, entry); entry.ID != "" {
		s.audits.note(entry, auditSourceOf(caller, auditRefused))
	}
	return why
}

// RefusedCredentials notes that a request's credentials were refused: by whom they claim to
// be, if that has the form of a key's id, and why. It never waits.
func (s *Service) RefusedCredentials(ctx context.Context, from netip.Addr, keyID string, why Code) {
	caller := Caller{From: from}
	entry := AuditEntry{Action: auditAuthenticate, Result: string(why)}
	if hasKeyForm(keyID) {
		entry.Resource = "key " + keyID
	}
	if entry = s.auditEntry(ctx, caller, entry); entry.ID == "" {
		return
	}
	if key := s.keys.now.Load().keys[keyID]; key != nil {
		entry.Account = key.Account // whose administrators are to know
	}
	s.audits.note(entry, auditSourceOf(caller, auditRefused))
}

// keyForm is the length of a key's id, ours and Amazon's.
const keyForm = 20

// hasKeyForm tells whether something can be a key's id. People put secrets in its place: these
// are longer, and have other characters too, and must not be kept.
func hasKeyForm(id string) bool {
	if len(id) != keyForm {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// auditSourceOf is where an entry of a caller's comes from: the actor or, where nobody was
// recognised, the address. Of IPv6, one subscriber has a whole network.
func auditSourceOf(caller Caller, class auditClass) auditSource {
	if caller.actor != nil {
		return auditSource{class, caller.Home(), caller.Name()}
	}
	from := caller.From.Unmap()
	if from.Is6() {
		if network, err := from.WithZone("").Prefix(64); err == nil {
			return auditSource{auditNobody, "", network.String()}
		}
	}
	return auditSource{auditNobody, "", from.String()}
}

// changedSettings names the settings in which two states of a queue differ.
func changedSettings(before, after Queue) (changed []string) {
	a, b := before.Settings, after.Settings
	var was, is DeadLetter
	if a.DeadLetter != nil {
		was = *a.DeadLetter
	}
	if b.DeadLetter != nil {
		is = *b.DeadLetter
	}
	for _, setting := range []struct {
		name string
		same bool
	}{
		{"visibility_timeout", a.VisibilityTimeout == b.VisibilityTimeout},
		{"delay_seconds", a.Delay == b.Delay},
		{"retention_seconds", a.Retention == b.Retention},
		{"wait_seconds", a.ReceiveWait == b.ReceiveWait},
		{"max_message_size", a.MaxMessageSize == b.MaxMessageSize},
		{"durability", a.Durability == b.Durability},
		{"encryption", a.Encryption == b.Encryption},
		{"content_deduplication", a.ContentDeduplication == b.ContentDeduplication},
		{"deduplication_scope", a.DeduplicationScope == b.DeduplicationScope},
		{"dead_letter", was.Queue == is.Queue && was.MaxReceives == is.MaxReceives},
		{"tags", sameTexts(before.Tags, after.Tags)},
	} {
		if !setting.same {
			changed = append(changed, setting.name)
		}
	}
	return append(changed, changedKeys(before.Extra, after.Extra)...)
}

func sameTexts(a, b map[string]string) bool { return len(changedKeys(a, b)) == 0 }

// changedKeys returns the keys that are in one map only, or with different values, sorted.
func changedKeys(a, b map[string]string) (changed []string) {
	for key, value := range a {
		if other, has := b[key]; !has || other != value {
			changed = append(changed, key)
		}
	}
	for key := range b {
		if _, had := a[key]; !had {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed
}
