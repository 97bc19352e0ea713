package service

import (
	"context"
	"errors"
	"time"
)

// Store keeps queues and messages. It is implemented by package repository on
// PostgreSQL. Its methods return Errors with CodeQueueNotFound, CodeUnavailable,
// CodeStorageFull or CodeInternal, and Flush also the kinds below.
type Store interface {
	QueueStore
	DataKeyStore
	MessageStore
	RedriveStore
	AuditStore
	KeyStore
	UserStore
	SessionStore
	Maintenance
	Signals

	// HasStandbys tells whether the database names synchronous standbys, for which commits of
	// DurabilityQuorum and DurabilityApplied wait.
	HasStandbys(ctx context.Context) (bool, error)
	// Health tells what the database is not fit for, and what vacuum has before it. It costs
	// the same whatever the queues hold.
	Health(ctx context.Context) (Health, error)
	// Conflicts tells how often PostgreSQL has ended one of this process's transactions for the sake of another.
	Conflicts() Conflicts
	// ReceiptKey returns the key that seals receipts, the same for all replicas.
	ReceiptKey(ctx context.Context) ([]byte, error)
	// Ping tells whether the database can be written to.
	Ping(ctx context.Context) error
}

// QueueStore keeps queues.
type QueueStore interface {
	// CreateQueue stores a queue, or returns the live one of that name; created tells which.
	// It fails with CodeQueueDeletedRecently where one was deleted less than reuseAfter ago.
	CreateQueue(ctx context.Context, queue Queue, reuseAfter time.Duration) (stored Queue, created bool, err error)
	GetQueue(ctx context.Context, account, name string) (Queue, error)
	ListQueues(ctx context.Context, filter QueueFilter) ([]Queue, error)
	// UpdateQueue reads a queue, lets change alter it, and stores it, in one transaction.
	// What change refuses changes nothing. A FIFO queue's new delay holds for the messages
	// that it has and that were never received.
	UpdateQueue(ctx context.Context, account, name string, change func(*Queue) error) (Queue, error)
	// DeleteQueue makes a queue unknown and returns its id. Its messages are collected later.
	DeleteQueue(ctx context.Context, account, name string) (id int64, err error)
	// PurgeQueue deletes the messages that were sent before the call, and forgets their
	// deduplication ids. It returns the messages' number, or CodePurgeInProgress less than
	// every after the last purge.
	PurgeQueue(ctx context.Context, id int64, every time.Duration) (int64, error)
	QueueStats(ctx context.Context, id int64) (Stats, error)
	// CountInFlight counts messages in flight, up to limit.
	CountInFlight(ctx context.Context, id int64, limit int) (int, error)
}

// DataKeyStore keeps the keys of encrypted queues. New ones are stored with their queues.
type DataKeyStore interface {
	// GetDataKey returns an account's data key, or ErrNoDataKey.
	GetDataKey(ctx context.Context, account string, id int64) (DataKey, error)
	// ListDataKeys returns the data keys that another master key than this one has sealed.
	ListDataKeys(ctx context.Context, sealedBy string) ([]DataKey, error)
	// ResealDataKey replaces how a data key is sealed, unless somebody else has.
	ResealDataKey(ctx context.Context, key DataKey, wasSealedBy string) error
}

// ErrNoDataKey means that there is no such data key.
var ErrNoDataKey = errors.New("there is no such data key")

// QueueFilter chooses queues of an account, in the order of their names.
type QueueFilter struct {
	Account    string
	Prefix     string // of the names
	After      string // this name
	DeadLetter string // the name of their dead-letter queue; empty: any or none
	Limit      int
	// Names and Beginnings: only queues that have one of the names, or begin with one of the beginnings.
	Names, Beginnings []string
}

// RedriveStore keeps redrives.
type RedriveStore interface {
	// StartRedrive stores a redrive of what is visible in its source now. It fails with
	// CodeRedriveRunning where the source has one that has not ended.
	StartRedrive(ctx context.Context, account string, start StartRedrive, source, destination Queue) (Redrive, error)
	// ListOrigins returns the names of the queues that a dead-letter queue's messages came from.
	ListOrigins(ctx context.Context, sourceID int64) ([]string, error)
	GetRedrive(ctx context.Context, account, id string) (Redrive, error)
	// ListRedrives returns a queue's newest redrives, newest first.
	ListRedrives(ctx context.Context, source Queue, limit int) ([]Redrive, error)
	// CancelRedrive asks that a redrive end, or fails with CodeRedriveEnded.
	CancelRedrive(ctx context.Context, account, id string) (Redrive, error)
	// StepRedrives moves a bounded number of messages of the redrives that run, and returns
	// what became visible and how many run. Those that another replica is moving are passed over.
	StepRedrives(ctx context.Context) (events []Event, running int, err error)
}

// AuditStore keeps the audit log, which is only added to.
type AuditStore interface {
	// AppendAudit adds entries. Those that it has by their ids already are left as they are.
	AppendAudit(ctx context.Context, entries []AuditEntry) error
	ListAudit(ctx context.Context, filter AuditFilter) ([]AuditEntry, error)
}

// KeyStore keeps keys. Every change of keys makes the identity version grow.
type KeyStore interface {
	// IdentityVersion grows with every change of keys and users.
	IdentityVersion(ctx context.Context) (int64, error)
	// LoadKeys returns all keys that are neither expired nor revoked, as they are at one moment.
	LoadKeys(ctx context.Context) (KeySet, error)
	// CreateKey stores a key, or fails with CodeTooManyKeys.
	CreateKey(ctx context.Context, key NewKey) (AccessKey, error)
	// CreateFirstKey stores a key where there is none that is neither expired nor revoked: of
	// several at the same time, one is stored. It fails with CodeKeyNotFound where the key was revoked.
	CreateFirstKey(ctx context.Context, key NewKey) (created bool, err error)
	ListKeys(ctx context.Context, filter KeyFilter) ([]AccessKey, error)
	GetKey(ctx context.Context, id string) (AccessKey, error)
	// RotateKey gives a key a secret beside its latest, which ends after grace, and no other.
	RotateKey(ctx context.Context, id string, grace time.Duration, secret KeySecret) (AccessKey, error)
	// RevokeKey ends a key, and forgets its secrets.
	RevokeKey(ctx context.Context, id string) error
	// ResealSecrets stores secrets that are sealed anew, unless they were changed since.
	ResealSecrets(ctx context.Context, secrets []Resealed) error
	// NoteKeyUses stores that keys were used in this minute.
	NoteKeyUses(ctx context.Context, ids []string) error
}

// NewKey is a key to store, with its first secret.
type NewKey struct {
	AccessKey
	Expires time.Duration // from now; 0: never
	Secret  KeySecret
}

// KeySecret is a secret as it is stored.
type KeySecret struct {
	Number    int    // within its key, set by the store
	TokenHash []byte // SHA-256 of the token
	Sealed    []byte // see MasterKeys
	SealedBy  string // the master key's fingerprint
	ExpiresAt time.Time
}

// KeySet are keys at one moment.
type KeySet struct {
	Version int64 // of identities
	Now     time.Time
	Keys    []LoadedKey
}

// LoadedKey is a key with those of its secrets that have not ended, the latest last.
type LoadedKey struct {
	AccessKey
	Secrets []KeySecret
}

// Resealed is a secret that is sealed by another master key than it was.
type Resealed struct {
	KeyID string
	KeySecret
	WasSealedBy string
}

// KeyFilter chooses keys of an account that are not revoked, in the order of their ids.
type KeyFilter struct {
	Account string
	After   string // this id
	Limit   int
}

// UserStore keeps users. What changes a user, or deletes one, ends the user's sessions.
type UserStore interface {
	// CreateUser stores a user, or fails with CodeUserExists or CodeTooManyUsers.
	CreateUser(ctx context.Context, user StoredUser) (User, error)
	// GetUser fails with CodeUserNotFound, and so do those that change one.
	GetUser(ctx context.Context, account, name string) (StoredUser, error)
	// ListUsers returns users in the order of their names, from after one on.
	ListUsers(ctx context.Context, account, after string, limit int) ([]User, error)
	// UpdateUser reads a user, lets change alter it, and stores it, in one transaction.
	UpdateUser(ctx context.Context, account, name string, change func(*StoredUser) error) (User, error)
	// DeleteUser deletes a user that may be deleted.
	DeleteUser(ctx context.Context, account, name string, may func(User) error) error
}

// SessionStore keeps sessions, by the SHA-256 of their tokens.
type SessionStore interface {
	// CreateSession stores a session, or fails with CodeUnauthenticated where the key has been
	// revoked or the user deleted or given another password.
	CreateSession(ctx context.Context, session NewSession) error
	// GetSession returns a session with the rights that its user has now, or fails with
	// CodeUnauthenticated where it has ended: by its age, unused, or with its user. touch: it is used now.
	GetSession(ctx context.Context, tokenHash []byte, touch bool) (Session, error)
	DeleteSession(ctx context.Context, tokenHash []byte) error
}

// MessageStore keeps messages.
type MessageStore interface {
	// Flush carries out all work in one transaction and fills in the answers. It calls
	// executed, if that is not nil and it comes so far, when all is done but the commit.
	// The messages' ids are new.
	Flush(ctx context.Context, work []QueueWork, executed func()) error
	// Reflush is Flush for work whose commit is unknown. What has happened is not done
	// again, and its success means that the first commit, if there was one, is as durable
	// as its own: a synchronous standby has both. The claims must have been revoked and
	// made anew, and the work must have the same flush id.
	Reflush(ctx context.Context, work []QueueWork, executed func()) error
	// Revoke makes sure that a flush that ended with flushErr, an ErrOutcomeUnknown, is
	// not committed later than now, and undoes its claims.
	Revoke(ctx context.Context, work []QueueWork, flushErr error) error
	// Leases returns the leases that messages have now, 0 where there is none. Messages
	// that are gone are left out.
	Leases(ctx context.Context, queueID int64, ids []MessageID) (map[MessageID]int64, error)
	// RepeatReceive returns what the receive from a FIFO queue of that attempt got, with its
	// leases, and makes it invisible anew for visibility; CodeAttemptVoid, where one of its
	// messages is gone or was changed; nothing, where there was none or it has become visible. An
	// error comes with what may be claimed all the same.
	RepeatReceive(ctx context.Context, queueID int64, attempt Key, visibility time.Duration) ([]Claimed, error)
	// RememberReceive keeps what an attempt got for DeduplicationInterval.
	RememberReceive(ctx context.Context, queueID int64, attempt Key, claimed []Claimed) error
	// Check looks at queues whose receivers wait. Those that do not exist are left out.
	Check(ctx context.Context, queues []QueueCheck) (map[int64]QueueChecked, error)
	// Sweep returns where the claims of standard queues have to begin because something is
	// visible below their floors. It reads all that is left there.
	Sweep(ctx context.Context, floors map[int64]Floor) (lower map[int64]Floor, err error)
	// PeekMessages returns a page of messages as they are now, and the next page's cursor.
	PeekMessages(ctx context.Context, queue Queue, peek PeekMessages) ([]Claimed, string, error)
}

// Maintenance is what keeps the tables small and free. Each method but the last does a bounded part and
// returns how many rows it removed; only one replica at a time does it, the others get 0.
type Maintenance interface {
	// DeleteExpired deletes messages that are older than their queue's retention.
	DeleteExpired(ctx context.Context) (int64, error)
	// CollectDeletedQueues deletes what deleted queues left behind.
	CollectDeletedQueues(ctx context.Context) (int64, error)
	// ForgetKeys deletes deduplication ids, calls' keys and attempts that are older than
	// DeduplicationInterval, and redrives that ended more than a day ago.
	ForgetKeys(ctx context.Context) (int64, error)
	// ForgetSessions deletes sessions that have ended.
	ForgetSessions(ctx context.Context) (int64, error)
	// ForgetAudit deletes entries of the audit log that are older than age.
	ForgetAudit(ctx context.Context, age time.Duration) (int64, error)
	// EndFrozenFlushes ends the transactions of flushes that began longer ago than age and wait for
	// their replica to say more, and returns how many. Any replica does it at any time.
	EndFrozenFlushes(ctx context.Context, age time.Duration) (int64, error)
}

// QueueCheck is a queue whose receivers wait.
type QueueCheck struct {
	ID   int64
	From Floor
}

// QueueChecked is what a check finds.
type QueueChecked struct {
	Visible   bool // something is
	UpdatedAt time.Time
}

// Signals carries events between replicas. They are hints: any may be lost.
type Signals interface {
	// Notify tells the other replicas of events or, without any, that this one is there.
	Notify(ctx context.Context, events []Event) error
	// Greet tells the other replicas that this one is there, and asks them to say so too.
	Greet(ctx context.Context) error
	// Listen hands on what others notify until ctx ends or the connection is lost. It calls
	// ready once it listens, and heard for whatever another replica says, a greeting or not.
	// It fails with ErrNoSignals where nothing is ever heard.
	Listen(ctx context.Context, ready func(), heard func(greeting bool), receive func(Event)) error
}

// Event says that something has happened to a queue, or to keys and users.
type Event struct {
	Identity bool // keys or users have changed; nothing else is said then
	QueueID  int64
	Changed  bool          // its settings were changed or it was deleted
	Visible  int           // how many messages become visible
	After    time.Duration // when the first of them does, from now
	Since    time.Time     // when the transaction that made them visible began, by this replica's clock
}

// ErrNoSignals means that no way to the database carries notifications. Receivers are woken by their
// replica and by the periodic check alone.
var ErrNoSignals = errors.New("notifications cannot be heard")

// Kinds of errors of Flush.
var (
	// ErrOutcomeUnknown: the connection was lost around the commit.
	ErrOutcomeUnknown = errors.New("it is not known whether the transaction was committed")
	// ErrConflict: the transaction was rolled back for others' sake and may be repeated.
	ErrConflict = errors.New("the transaction conflicted with another")
	// ErrAway: the database cannot be reached, or takes no changes. Nothing was done, and it may
	// be repeated when the database is back or a standby has taken its place. Reads end with it too.
	ErrAway = errors.New("the database is away")
	// ErrData: the data of at least one item was refused; the others may succeed apart.
	ErrData = errors.New("the database refused an item")
	// ErrFull: the database has no room for the transaction. What needs little may succeed apart.
	ErrFull = errors.New("the database is full")
	// ErrNoStandby: the sends need synchronous standbys and the database names none; nothing
	// was done. What the flush does besides may succeed without them.
	ErrNoStandby = errors.New("no synchronous standby is named")
)
