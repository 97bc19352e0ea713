package service

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"time"
)

// Settings are a queue's rules. All durations are whole seconds.
type Settings struct {
	VisibilityTimeout time.Duration // 0 to MaxVisibility
	Delay             time.Duration // before a sent message becomes visible, 0 to MaxDelay
	Retention         time.Duration // from the send until the message expires, MinRetention to MaxRetention
	ReceiveWait       time.Duration // of a receive that names no wait, 0 to MaxQueueWait
	MaxMessageSize    int           // bytes of body and attributes, MinMaxMessageSize to MaxMessageBytes
	DeadLetter        *DeadLetter   // nil: messages are delivered until they expire
	Durability        Durability    // of its messages
	Encryption        Encryption    // of its messages: of those that are sent from now on

	FIFO                 bool               // by its name; see IsFIFO
	ContentDeduplication bool               // of a FIFO queue: a message without deduplication id gets its body's SHA-256
	DeduplicationScope   DeduplicationScope // of a FIFO queue: fixed when it is created
}

// DeduplicationScope says among which messages of a FIFO queue a deduplication id is unique.
type DeduplicationScope string

// The scopes.
const (
	ScopeQueue DeduplicationScope = "queue"
	ScopeGroup DeduplicationScope = "group"
)

// FIFOSuffix ends the name of every FIFO queue and of no other.
const FIFOSuffix = ".fifo"

// IsFIFO tells whether a queue of this name is a FIFO queue: it keeps the order of each
// message group's messages, and accepts a deduplication id once in DeduplicationInterval.
func IsFIFO(name string) bool { return strings.HasSuffix(name, FIFOSuffix) }

// DeadLetter says where a message goes that was received too often.
type DeadLetter struct {
	Queue       string // a queue of the same account
	MaxReceives int    // 1 to MaxReceives; the receive after that moves the message
	QueueID     int64  // of Queue, set by the store; 0: it does not exist now, and nothing is moved
}

// DefaultSettings are a new queue's.
func DefaultSettings() Settings {
	return Settings{
		VisibilityTimeout: DefaultVisibility,
		Retention:         DefaultRetention,
		MaxMessageSize:    DefaultMessageSize,
		Durability:        DurabilityDefault,
		Encryption:        EncryptionNone,
	}
}

// Queue is a queue as it is stored.
type Queue struct {
	ID        int64 // random; its incarnation: a queue deleted and made anew has another
	Account   string
	Name      string
	Settings  Settings
	Extra     map[string]string // attributes that only a dialect knows, returned as they were set
	Tags      map[string]string
	CreatedAt time.Time
	UpdatedAt time.Time

	DataKeyID  int64    // by which new messages are encrypted; 0: they are not
	NewDataKey *DataKey // of a queue that is to be stored: that key, if it is a new one

	permits permits // to other accounts; set by the cache
}

// QueueChange names the settings to set; nil leaves a setting as it is.
type QueueChange struct {
	VisibilityTimeout *time.Duration
	Delay             *time.Duration
	Retention         *time.Duration
	ReceiveWait       *time.Duration
	MaxMessageSize    *int
	DeadLetter        *DeadLetter // a zero DeadLetter removes the policy
	Durability        *Durability
	Encryption        *Encryption
	Extra             map[string]string // an empty value removes the attribute
	Tags              map[string]string // replaces all tags; nil leaves them

	ContentDeduplication *bool               // of a FIFO queue only
	DeduplicationScope   *DeduplicationScope // of a FIFO queue only, and only when it is created

	// Edit changes Tags and Extra in the light of what they are, in the transaction that
	// stores them; nil: nothing more. Its error ends the call.
	Edit func(*Queue) error

	newDataKey func(account string, queueID int64) (*DataKey, error) // set by the service
}

// CreateQueue asks for a queue. Where it exists already, the settings that are
// given must be those that it has.
type CreateQueue struct {
	Name string
	QueueChange
	// ReuseAfter refuses, with CodeQueueDeletedRecently, the name of a queue that was deleted
	// less than this ago, up to a minute. 0: any free name will do.
	ReuseAfter time.Duration
}

// PurgeQueue asks that a queue be emptied.
type PurgeQueue struct {
	Name string
	// Every refuses, with CodePurgeInProgress, a purge less than this after the last. 0: never.
	Every time.Duration
}

// ListQueues asks for a page of the account's queues in the order of their names.
type ListQueues struct {
	Prefix     string
	DeadLetter string // only queues whose dead-letter queue has this name; empty: all
	Limit      int    // 1 to MaxListLimit; 0 means MaxListLimit
	Cursor     string // of the page before; empty for the first
}

// QueuePage is one page of queues.
type QueuePage struct {
	Queues []Queue
	Cursor string // of the next page; empty on the last
}

// Stats are exact counts of a queue's messages at one moment.
type Stats struct {
	Visible  int64 // may be received now
	InFlight int64 // received, neither deleted nor timed out
	Delayed  int64 // sent, not yet visible
}

// Total is the number of messages that the queue holds.
func (s Stats) Total() int64 { return s.Visible + s.InFlight + s.Delayed }

// CreateQueue makes a queue, or returns the one that has this name and, as far as
// they are given, these settings; created tells which.
func (s *Service) CreateQueue(ctx context.Context, caller Caller, create CreateQueue) (queue Queue, created bool, err error) {
	if err := s.authorize(ctx, caller, ActionCreateQueue, create.Name); err != nil {
		return Queue{}, false, err
	}
	if err := validQueueName(create.Name); err != nil {
		return Queue{}, false, err
	}
	if err := s.validChange(ctx, caller, create.Name, create.QueueChange); err != nil {
		if queue, there := s.hasBeenCreated(ctx, caller, create, err); there {
			return queue, false, nil
		}
		return Queue{}, false, err
	}
	create.newDataKey = s.dataKeys.create
	wanted := Queue{
		ID:       1 + rand.Int64N(1<<62),
		Account:  caller.Account,
		Name:     create.Name,
		Settings: DefaultSettings(),
	}
	wanted.Settings.FIFO = IsFIFO(create.Name)
	if err := create.apply(&wanted); err != nil {
		return Queue{}, false, err
	}
	queue, created, err = s.store.CreateQueue(ctx, wanted, create.ReuseAfter)
	if err != nil {
		s.record(ctx, caller, AuditEntry{Action: auditCreateQueue, Resource: create.Name}, err)
		return Queue{}, false, err
	}
	s.queues.forgetName(caller.Account, create.Name)
	if created {
		s.record(ctx, caller, AuditEntry{Action: auditCreateQueue, Resource: create.Name, Detail: given(queue)}, nil)
	}
	if !created {
		if field := create.differs(queue); field != "" {
			return Queue{}, false, &Error{Code: CodeQueueExists, Field: field,
				Message: "A queue of this name exists with another value of " + field + "."}
		}
	}
	return queue, created, nil
}

// hasBeenCreated returns the queue that cannot be created now for lack of what it needs, its dead-letter queue or a standby,
// where it is there as it is wanted: programs that create their queues at each start are to start.
func (s *Service) hasBeenCreated(ctx context.Context, caller Caller, create CreateQueue, lack error) (queue Queue, there bool) {
	var e *Error
	if !errors.As(lack, &e) || e.Field != fieldDeadLetter && e.Code != CodeStandbyRequired {
		return Queue{}, false
	}
	queue, err := s.store.GetQueue(ctx, caller.Account, create.Name)
	return queue, err == nil && create.differs(queue) == ""
}

// GetQueue returns a queue by its name, as the database has it now.
func (s *Service) GetQueue(ctx context.Context, caller Caller, name string) (Queue, error) {
	return s.GetQueueFor(ctx, caller, ActionGetQueue, name)
}

// GetQueueFor is GetQueue for a dialect that has to know a queue in order to do something
// with it: the caller needs the right to that, and not to see the queue.
func (s *Service) GetQueueFor(ctx context.Context, caller Caller, action Action, name string) (Queue, error) {
	if err := s.authorize(ctx, caller, action, name); err != nil {
		return Queue{}, err
	}
	if err := validQueueName(name); err != nil {
		return Queue{}, err
	}
	return s.store.GetQueue(ctx, caller.Account, name)
}

// ListQueues returns a page of the queues that the caller's rights cover, in the order of
// their names. Those of one dead-letter queue are part of what is to be known of that queue:
// of them the caller sees all.
func (s *Service) ListQueues(ctx context.Context, caller Caller, list ListQueues) (QueuePage, error) {
	filter := QueueFilter{Account: caller.Account, Prefix: list.Prefix, DeadLetter: list.DeadLetter}
	if err := s.authorizeList(ctx, caller, &filter); err != nil {
		return QueuePage{}, err
	}
	if list.Limit == 0 {
		list.Limit = MaxListLimit
	}
	if err := validInt("limit", list.Limit, 1, MaxListLimit); err != nil {
		return QueuePage{}, err
	}
	if !isNamePrefix(list.Prefix) {
		return QueuePage{}, nil // no queue's name begins so
	}
	after, err := base64.RawURLEncoding.DecodeString(list.Cursor)
	if err != nil || !isNamePrefix(string(after)) {
		return QueuePage{}, invalid("cursor", "This is not a cursor of a list of queues.")
	}
	filter.After, filter.Limit = string(after), list.Limit+1
	queues, err := s.store.ListQueues(ctx, filter)
	if err != nil {
		return QueuePage{}, err
	}
	page := QueuePage{Queues: queues}
	if len(queues) > list.Limit {
		page.Queues = queues[:list.Limit]
		page.Cursor = base64.RawURLEncoding.EncodeToString([]byte(page.Queues[list.Limit-1].Name))
	}
	return page, nil
}

// authorizeList is authorize for a list: it limits the filter to what the caller's rights cover.
func (s *Service) authorizeList(ctx context.Context, caller Caller, filter *QueueFilter) error {
	if filter.DeadLetter != "" {
		filter.Beginnings = []string{""}
		return s.authorize(ctx, caller, ActionListSources, filter.DeadLetter)
	}
	switch {
	case caller.actor == nil:
		return s.refuse(ctx, caller, ActionListQueues, "", errUnauthenticated())
	case caller.Account != caller.actor.account, !caller.actor.rights.actions.has(ActionListQueues):
		return s.refuse(ctx, caller, ActionListQueues, "", errForbidden(ActionListQueues))
	}
	filter.Names, filter.Beginnings = caller.actor.rights.names, caller.actor.rights.prefixes
	return nil
}

// UpdateQueue sets the given settings and returns the queue as it is then.
func (s *Service) UpdateQueue(ctx context.Context, caller Caller, name string, change QueueChange) (Queue, error) {
	if err := s.authorize(ctx, caller, ActionUpdateQueue, name); err != nil {
		return Queue{}, err
	}
	if err := validQueueName(name); err != nil {
		return Queue{}, err
	}
	if err := s.validChange(ctx, caller, name, change); err != nil {
		return Queue{}, err
	}
	change.newDataKey = s.dataKeys.create
	if change.DeduplicationScope != nil {
		return Queue{}, invalid("deduplication_scope", "deduplication_scope is chosen when a queue is created.")
	}
	entry := AuditEntry{Action: auditUpdateQueue, Resource: name}
	queue, err := s.store.UpdateQueue(ctx, caller.Account, name, func(q *Queue) error {
		before := *q
		before.Extra, before.Tags = maps.Clone(q.Extra), maps.Clone(q.Tags)
		err := change.apply(q)
		entry.Detail.Settings = changedSettings(before, *q)
		return err
	})
	s.record(ctx, caller, entry, err)
	if err != nil {
		return Queue{}, err
	}
	s.announce(Event{QueueID: queue.ID, Changed: true})
	return queue, nil
}

// DeleteQueue deletes a queue with all its messages. Open receives on it end with
// CodeQueueNotFound.
func (s *Service) DeleteQueue(ctx context.Context, caller Caller, name string) error {
	if err := s.authorize(ctx, caller, ActionDeleteQueue, name); err != nil {
		return err
	}
	if err := validQueueName(name); err != nil {
		return err
	}
	id, err := s.store.DeleteQueue(ctx, caller.Account, name)
	s.record(ctx, caller, AuditEntry{Action: auditDeleteQueue, Resource: name}, err)
	if err != nil {
		return err
	}
	s.announce(Event{QueueID: id, Changed: true})
	return nil
}

// PurgeQueue deletes the messages that were sent before the call and returns their number.
// A FIFO queue forgets their deduplication ids too.
func (s *Service) PurgeQueue(ctx context.Context, caller Caller, purge PurgeQueue) (int64, error) {
	queue, err := s.GetQueueFor(ctx, caller, ActionPurgeQueue, purge.Name)
	if err != nil {
		return 0, err
	}
	purged, err := s.store.PurgeQueue(ctx, queue.ID, purge.Every)
	s.record(ctx, caller, AuditEntry{Action: auditPurgeQueue, Resource: purge.Name, Detail: AuditDetail{Messages: purged}}, err)
	s.announce(Event{QueueID: queue.ID, Changed: true}) // a FIFO queue's groups may go on
	return purged, err
}

// GetQueueStats counts a queue's messages, exactly, at one moment.
func (s *Service) GetQueueStats(ctx context.Context, caller Caller, name string) (Stats, error) {
	queue, err := s.GetQueue(ctx, caller, name)
	if err != nil {
		return Stats{}, err
	}
	return s.store.QueueStats(ctx, queue.ID)
}

// fieldDeadLetter names the dead-letter queue in errors.
const fieldDeadLetter = "dead_letter.queue"

// ErrSourceRefused is the cause of an error about a dead-letter queue that does not take a queue's messages.
var ErrSourceRefused = errors.New("the dead-letter queue does not allow this source queue")

// validChange checks a change of a queue, that the database can keep its durability, and that
// its dead-letter queue exists, is of its kind, takes its messages, and is one that the caller may send to.
func (s *Service) validChange(ctx context.Context, caller Caller, name string, change QueueChange) error {
	if err := change.valid(IsFIFO(name)); err != nil {
		return err
	}
	if err := s.validDurability(ctx, change.Durability); err != nil {
		return err
	}
	if change.DeadLetter == nil || change.DeadLetter.Queue == "" {
		return nil
	}
	if err := s.authorize(ctx, caller, ActionSendMessages, change.DeadLetter.Queue); err != nil {
		return err
	}
	if change.DeadLetter.Queue == name {
		return invalid(fieldDeadLetter, "A queue cannot be its own dead-letter queue.")
	}
	if IsFIFO(change.DeadLetter.Queue) != IsFIFO(name) {
		return invalid(fieldDeadLetter, "The dead-letter queue of a FIFO queue must be a FIFO queue, and of no other.")
	}
	dead, err := s.store.GetQueue(ctx, caller.Account, change.DeadLetter.Queue)
	if ErrorCode(err) == CodeQueueNotFound {
		return invalid(fieldDeadLetter, "The dead-letter queue %q does not exist.", withoutSecret(change.DeadLetter.Queue))
	}
	if err == nil && s.takes != nil && !s.takes(dead, name) {
		refused := invalid(fieldDeadLetter, "The redrive allow policy of the dead-letter queue %q does not allow this queue.", dead.Name)
		refused.Err = ErrSourceRefused
		return refused
	}
	return err
}
