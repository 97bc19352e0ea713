package rest

import "time"

// Queue is a queue with its settings.
type Queue struct {
	Name                 string            `json:"name" validate:"required" minLength:"1" maxLength:"80" example:"orders"`
	VisibilityTimeout    int               `json:"visibility_timeout" validate:"required" minimum:"0" maximum:"43200" example:"30"`             // seconds that a received message stays invisible, where the receive names none
	DelaySeconds         int               `json:"delay_seconds" validate:"required" minimum:"0" maximum:"900" example:"0"`                     // seconds before a sent message becomes visible, where the message names none
	RetentionSeconds     int               `json:"retention_seconds" validate:"required" minimum:"60" maximum:"1209600" example:"345600"`       // seconds from the send until a message expires
	WaitSeconds          int               `json:"wait_seconds" validate:"required" minimum:"0" maximum:"20" example:"0"`                       // seconds that a receive waits for the first message, where it names none
	MaxMessageSize       int               `json:"max_message_size" validate:"required" minimum:"1024" maximum:"1048576" example:"1048576"`     // bytes of a message's body and attributes
	DeadLetter           *DeadLetter       `json:"dead_letter,omitempty"`                                                                       // absent: messages are delivered until they expire
	Durability           string            `json:"durability" validate:"required" enums:"default,async,local,quorum,applied" example:"default"` // what must have happened before a change of its messages is acknowledged
	Encryption           string            `json:"encryption" validate:"required" enums:"none,body" example:"none"`                             // what of its messages the database gets encrypted: of those that are sent from now on
	FIFO                 bool              `json:"fifo" validate:"required" example:"false"`                                                    // by its name, which ends with .fifo: keeps the order of each message group
	ContentDeduplication *bool             `json:"content_deduplication,omitempty" example:"true"`                                              // of a FIFO queue only: a message without deduplication id gets its body's SHA-256
	DeduplicationScope   string            `json:"deduplication_scope,omitempty" enums:"queue,group" example:"queue"`                           // of a FIFO queue only: among which messages a deduplication id is unique
	Tags                 map[string]string `json:"tags,omitempty" example:"team:billing"`                                                       // absent: none
	CreatedAt            time.Time         `json:"created_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
	UpdatedAt            time.Time         `json:"updated_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
}

// DeadLetter says where a message goes that was received too often.
type DeadLetter struct {
	Queue       string `json:"queue" validate:"required" minLength:"1" maxLength:"80" example:"orders-dead"` // a queue that exists
	MaxReceives int    `json:"max_receives" validate:"required" minimum:"1" maximum:"1000" example:"5"`      // the receive after this many moves the message
}

// CreateQueue asks for a queue. Settings that are absent get their defaults.
type CreateQueue struct {
	Name               string  `json:"name" validate:"required" minLength:"1" maxLength:"80" example:"orders"`  // A-Z a-z 0-9 _ -; that of a FIFO queue ends with .fifo, and no other has a period
	DeduplicationScope *string `json:"deduplication_scope" enums:"queue,group" default:"queue" example:"queue"` // of a FIFO queue only, and for ever: among which messages a deduplication id is unique
	QueueSettings
}

// QueueSettings are settings to set. Those that are absent stay as they are.
type QueueSettings struct {
	VisibilityTimeout    *int              `json:"visibility_timeout" minimum:"0" maximum:"43200" example:"30"`           // seconds that a received message stays invisible, where the receive names none
	DelaySeconds         *int              `json:"delay_seconds" minimum:"0" maximum:"900" example:"0"`                   // seconds before a sent message becomes visible, where the message names none
	RetentionSeconds     *int              `json:"retention_seconds" minimum:"60" maximum:"1209600" example:"345600"`     // seconds from the send until a message expires
	WaitSeconds          *int              `json:"wait_seconds" minimum:"0" maximum:"20" example:"0"`                     // seconds that a receive waits for the first message, where it names none
	MaxMessageSize       *int              `json:"max_message_size" minimum:"1024" maximum:"1048576" example:"1048576"`   // bytes of a message's body and attributes
	DeadLetter           **DeadLetter      `json:"dead_letter"`                                                           // null removes it
	Durability           *string           `json:"durability" enums:"default,async,local,quorum,applied" example:"local"` // what must have happened before a change of its messages is acknowledged: async, it is in the database's memory; local, on the primary's disk; quorum, and on the disks of synchronous standbys; applied, and visible there; default, what the database is set to
	Encryption           *string           `json:"encryption" enums:"none,body" example:"body"`                           // body: the database gets bodies and attributes encrypted, of what is sent from now on; needs the server to have a master key
	ContentDeduplication *bool             `json:"content_deduplication" example:"true"`                                  // of a FIFO queue only: a message without deduplication id gets its body's SHA-256
	Tags                 map[string]string `json:"tags" example:"team:billing"`                                           // replaces all tags
}

// QueuePage is one page of queues, in the order of their names.
type QueuePage struct {
	Queues []Queue `json:"queues" validate:"required"`
	Cursor string  `json:"cursor,omitempty"` // of the next page; absent on the last
}

// QueueStats are exact counts of a queue's messages at one moment.
type QueueStats struct {
	Visible  int64 `json:"visible" validate:"required" minimum:"0" format:"int64" example:"12"`  // may be received now
	InFlight int64 `json:"in_flight" validate:"required" minimum:"0" format:"int64" example:"3"` // received, neither deleted nor timed out
	Delayed  int64 `json:"delayed" validate:"required" minimum:"0" format:"int64" example:"0"`   // sent, not yet visible
	Total    int64 `json:"total" validate:"required" minimum:"0" format:"int64" example:"15"`
}

// Purged tells how many messages a purge deleted.
type Purged struct {
	Purged int64 `json:"purged" validate:"required" minimum:"0" format:"int64" example:"15"`
}

// Attribute is a typed value beside a message's body.
type Attribute struct {
	Type  string `json:"type" validate:"required" maxLength:"256" example:"String"` // String, Number or Binary, with an optional ".label"
	Value string `json:"value" validate:"required" example:"red"`                   // of Binary: in base64
}

// SendMessage is one message to send.
type SendMessage struct {
	Body            string               `json:"body" validate:"required" minLength:"1" maxLength:"1048576" example:"hello"`
	DelaySeconds    *int                 `json:"delay_seconds" minimum:"0" maximum:"900" example:"5"`   // seconds before it becomes visible; absent: the queue's
	Attributes      map[string]Attribute `json:"attributes"`                                            // at most 10
	GroupID         string               `json:"group_id" maxLength:"128" example:"customer-7"`         // whose messages stay in order, required, in a FIFO queue; in others a tag of the sender's
	DeduplicationID string               `json:"deduplication_id" maxLength:"128" example:"order-4711"` // of a FIFO queue only: accepted once in five minutes; absent: made of the body, where the queue has content_deduplication
}

// SendMessages are many messages to send, 8 MiB together at most. A send's body is
// this or a SendMessage (see sendRequest).
type SendMessages struct {
	Messages []SendMessage `json:"messages" validate:"required,min=1,max=1000"`
}

// Sent is the answer to one message that was sent.
type Sent struct {
	ID       string `json:"id" validate:"required" format:"uuid" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"` // of a duplicate: the first one's
	Sequence string `json:"sequence,omitempty" example:"17"`                                                     // of a FIFO queue only: digits of a number that increases within the message's group
}

// SendResult is the answer to one of many messages: an id, or why it was not sent.
type SendResult struct {
	ID       string     `json:"id,omitempty" format:"uuid" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"` // of a duplicate: the first one's
	Sequence string     `json:"sequence,omitempty" example:"17"`                                           // of a FIFO queue only: digits of a number that increases within the message's group
	Error    *ItemError `json:"error,omitempty"`
}

// SendResults hold one result for each message, in their order.
type SendResults struct {
	Results []SendResult `json:"results" validate:"required"`
}

// ReceiveMessages asks for messages.
type ReceiveMessages struct {
	Max               *int   `json:"max" minimum:"1" maximum:"1000" default:"1" example:"10"`     // messages at most
	WaitSeconds       *int   `json:"wait_seconds" minimum:"0" maximum:"60" example:"20"`          // seconds to wait for the first message; absent: the queue's
	VisibilityTimeout *int   `json:"visibility_timeout" minimum:"0" maximum:"43200" example:"30"` // seconds that the messages stay invisible; absent: the queue's
	AttemptID         string `json:"attempt_id" maxLength:"128" example:"attempt-1"`              // of a FIFO queue: the same id gets the same messages again within five minutes, unless one was settled or became visible; in a standard queue it is ignored
}

// Message is a message as it is now.
type Message struct {
	ID               string               `json:"id" validate:"required" format:"uuid" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"`
	Body             string               `json:"body" validate:"required" example:"hello"`
	Attributes       map[string]Attribute `json:"attributes,omitempty"`                            // absent: none
	GroupID          string               `json:"group_id,omitempty" example:"customer-7"`         // absent: none
	DeduplicationID  string               `json:"deduplication_id,omitempty" example:"order-4711"` // of a FIFO queue only
	Sequence         string               `json:"sequence,omitempty" example:"17"`                 // of a FIFO queue only: digits of a number that increases within the message's group
	DeadLetterSource string               `json:"dead_letter_source,omitempty" example:"orders"`   // the queue that it was moved from
	State            string               `json:"state" validate:"required" enums:"visible,delayed,in_flight" example:"in_flight"`
	ReceiveCount     int                  `json:"receive_count" validate:"required" minimum:"0" example:"1"` // how often it was received, this receive included
	SentAt           time.Time            `json:"sent_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
	FirstReceivedAt  time.Time            `json:"first_received_at,omitzero" format:"date-time" example:"2026-01-02T15:04:06.123456Z"`     // absent: never received
	VisibleAt        time.Time            `json:"visible_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:36.123456Z"` // when it is or was to be seen (again)
}

// ReceivedMessage is a message in flight with the receipt to settle it by.
type ReceivedMessage struct {
	Receipt string `json:"receipt" validate:"required" example:"AQID-receipt"`
	Message
}

// ReceivedMessages are what a receive got; none, where there were none in time.
type ReceivedMessages struct {
	Messages []ReceivedMessage `json:"messages" validate:"required"`
}

// MessagePage is one page of messages, oldest first.
type MessagePage struct {
	Messages []Message `json:"messages" validate:"required"`
	Cursor   string    `json:"cursor,omitempty"` // of the next page; absent on the last
}

// DeleteMessages names received messages to delete.
type DeleteMessages struct {
	Receipts []string `json:"receipts" validate:"required,min=1,max=1000"`
}

// ExtendMessage says how long a received message is to stay invisible.
type ExtendMessage struct {
	VisibilityTimeout int `json:"visibility_timeout" validate:"required" minimum:"0" maximum:"43200" example:"60"` // seconds from now; 0 makes it visible at once
}

// ExtendMessages says how long received messages are to stay invisible.
type ExtendMessages struct {
	Messages []ExtendVisibility `json:"messages" validate:"required,min=1,max=1000"`
}

// ExtendVisibility is ExtendMessage with the receipt of its message.
type ExtendVisibility struct {
	Receipt string `json:"receipt" validate:"required" example:"AQID-receipt"`
	ExtendMessage
}

// Result is the answer to one of many receipts: empty, or why it failed.
type Result struct {
	Error *ItemError `json:"error,omitempty"`
}

// Results hold one result for each receipt, in their order.
type Results struct {
	Results []Result `json:"results" validate:"required"`
}

// StartRedrive asks that the messages of a dead-letter queue be moved.
type StartRedrive struct {
	Destination *string `json:"destination" minLength:"1" maxLength:"80" example:"orders"` // the queue to move to; absent: each message to the queue that it came from
	Rate        *int    `json:"rate" minimum:"1" maximum:"500" example:"100"`              // messages per second; absent: as fast as it goes
}

// Redrive is a background job that moves messages, oldest first.
type Redrive struct {
	ID          string    `json:"id" validate:"required" format:"uuid" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"`
	Source      string    `json:"source" validate:"required" example:"orders-dead"`
	Destination string    `json:"destination,omitempty" example:"orders"`                 // absent: each message goes to the queue that it came from
	Rate        int       `json:"rate,omitempty" minimum:"1" maximum:"500" example:"100"` // messages per second; absent: as fast as it goes
	Status      string    `json:"status" validate:"required" enums:"running,cancelling,cancelled,completed,failed" example:"running"`
	Moved       int64     `json:"moved" validate:"required" minimum:"0" format:"int64" example:"7"`    // messages until now
	ToMove      int64     `json:"to_move" validate:"required" minimum:"0" format:"int64" example:"15"` // messages that there were at the start
	Failure     string    `json:"failure,omitempty" example:"destination_not_found"`                   // why it failed: destination_not_found, or source_unknown for a message that was sent to the dead-letter queue itself
	StartedAt   time.Time `json:"started_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
	EndedAt     time.Time `json:"ended_at,omitzero" format:"date-time" example:"2026-01-02T15:04:09.123456Z"` // absent: it has not ended
}

// AuditEntry is a line of the audit log.
type AuditEntry struct {
	ID        string      `json:"id" validate:"required" format:"uuid" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"`
	At        time.Time   `json:"at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
	Account   string      `json:"account,omitempty" example:"000000000000"`         // whose queues it was about; absent: not known
	Actor     string      `json:"actor,omitempty" example:"owner"`                  // who it was; absent: nobody was recognised
	Action    string      `json:"action" validate:"required" example:"purge_queue"` // what was done; of a refusal: the right that was not there
	Resource  string      `json:"resource,omitempty" example:"orders"`              // the queue, mostly; absent: none
	Client    string      `json:"client,omitempty" example:"192.0.2.7"`             // the address that it came from; absent: not known
	RequestID string      `json:"request_id,omitempty" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"`
	Result    string      `json:"result" validate:"required" example:"ok"` // ok, or an error's code
	Detail    AuditDetail `json:"detail" validate:"required"`
}

// AuditDetail is what else an entry of the audit log says: names and numbers, never a secret or a message's content.
type AuditDetail struct {
	Count       int64    `json:"count" validate:"required" minimum:"1" format:"int64" example:"1"` // how often it happened, in about a second
	Settings    []string `json:"settings,omitempty" example:"delay_seconds"`                       // that were set or changed
	Messages    int64    `json:"messages,omitempty" format:"int64" example:"15"`                   // that were purged, were to be moved, or were moved until a redrive was cancelled
	Redrive     string   `json:"redrive,omitempty" format:"uuid" example:"0198f1f5-6b2a-7c3e-9d41-2f0a6a1b7c55"`
	Destination string   `json:"destination,omitempty" example:"orders"` // of a redrive; absent: each message went to the queue that it came from
	Rate        int      `json:"rate,omitempty" example:"100"`           // of a redrive: messages per second
}

// AuditPage is one page of the audit log, newest first.
type AuditPage struct {
	Entries []AuditEntry `json:"entries" validate:"required"`
	Cursor  string       `json:"cursor,omitempty"` // of the next page; absent on the last
}

// Redrives are the newest redrives of a queue.
type Redrives struct {
	Redrives []Redrive `json:"redrives" validate:"required"`
}

// CreateKey says what a new key may do: each of the actions with each of the queues.
type CreateKey struct {
	Name             string   `json:"name" validate:"required" minLength:"1" maxLength:"80" example:"shop"`  // for people
	Account          string   `json:"account" minLength:"12" maxLength:"12" example:"000000000000"`          // whose queues it is for; absent: the caller's own account
	Actions          []string `json:"actions" validate:"required,min=1" example:"send_messages,get_queue"`   // "*" stands for all
	Queues           []string `json:"queues" validate:"required,min=1,max=100" example:"orders,billing-*"`   // names, or beginnings that end with *; "*" stands for all
	Sources          []string `json:"sources" validate:"max=20" example:"10.0.0.0/8"`                        // networks that it may be used from; absent: all
	ExpiresInSeconds *int     `json:"expires_in_seconds" minimum:"1" maximum:"3153600000" example:"2592000"` // from now; absent: never
}

// RotateKey says for how long a key's old secret works beside the new one.
type RotateKey struct {
	GraceSeconds *int `json:"grace_seconds" minimum:"0" maximum:"2592000" default:"86400" example:"3600"`
}

// Key is somebody's permission to call.
type Key struct {
	ID         string    `json:"id" validate:"required" example:"TQABCDEFGHIJKLMNOPQR"` // the access key id of signatures too
	Account    string    `json:"account" validate:"required" example:"000000000000"`    // whose queues it is for
	Name       string    `json:"name" validate:"required" example:"shop"`
	Actions    []string  `json:"actions" validate:"required" example:"send_messages,get_queue"` // "*" stands for all
	Queues     []string  `json:"queues" validate:"required" example:"orders,billing-*"`         // names, or beginnings that end with *
	Sources    []string  `json:"sources,omitempty" example:"10.0.0.0/8"`                        // networks that it may be used from; absent: all
	CreatedAt  time.Time `json:"created_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
	CreatedBy  string    `json:"created_by" validate:"required" example:"key TQABCDEFGHIJKLMNOPQR"`
	ExpiresAt  time.Time `json:"expires_at,omitzero" format:"date-time" example:"2026-02-01T15:04:05.123456Z"`       // absent: never
	RevokedAt  time.Time `json:"revoked_at,omitzero" format:"date-time" example:"2026-01-05T15:04:05.123456Z"`       // absent: it is not
	LastUsedAt time.Time `json:"last_used_at,omitzero" format:"date-time" example:"2026-01-04T15:04:00Z"`            // to the minute; absent: never
	RetiringAt time.Time `json:"old_secret_until,omitzero" format:"date-time" example:"2026-01-03T15:04:05.123456Z"` // when the secret that was replaced ends; absent: there is one secret
}

// KeyWithSecret is a key with its newest secret, which is shown this once.
type KeyWithSecret struct {
	Key
	Secret string `json:"secret" validate:"required" example:"the-secret-access-key"` // the secret access key of signatures
	Token  string `json:"token" validate:"required" example:"tusq_..."`               // for Authorization: Bearer
}

// KeyPage is one page of keys, in the order of their ids.
type KeyPage struct {
	Keys   []Key  `json:"keys" validate:"required"`
	Cursor string `json:"cursor,omitempty"` // of the next page; absent on the last
}

// User is somebody who signs in to the console by a name and a password.
type User struct {
	Name      string    `json:"name" validate:"required" minLength:"1" maxLength:"64" example:"ann"`
	Actions   []string  `json:"actions" validate:"required" example:"list_queues,get_queue,peek_messages"` // what the user may do
	Queues    []string  `json:"queues" validate:"required" example:"orders-*"`                             // with these queues: names, or beginnings of names that end with *
	CreatedAt time.Time `json:"created_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
	UpdatedAt time.Time `json:"updated_at" validate:"required" format:"date-time" example:"2026-01-02T15:04:05.123456Z"`
}

// CreateUser asks for a user.
type CreateUser struct {
	Name     string   `json:"name" validate:"required" minLength:"1" maxLength:"64" example:"ann"`                                 // letters, digits and . _ @ + -, the first of which is a letter or a digit
	Password string   `json:"password" validate:"required" minLength:"12" maxLength:"1024" example:"correct horse battery staple"` // never shown again
	Actions  []string `json:"actions" validate:"required" minItems:"1" example:"list_queues,get_queue,peek_messages"`              // none that the caller may not do
	Queues   []string `json:"queues" validate:"required" minItems:"1" maxItems:"100" example:"orders-*"`                           // names, or beginnings of names that end with *; none that the caller's rights do not cover
}

// UpdateUser names what to set. What is absent stays as it is.
type UpdateUser struct {
	Password *string  `json:"password" minLength:"12" maxLength:"1024" example:"correct horse battery staple"`
	Actions  []string `json:"actions" minItems:"1" example:"list_queues,get_queue,peek_messages"` // replace all
	Queues   []string `json:"queues" minItems:"1" maxItems:"100" example:"orders-*"`              // replace all
}

// UserPage is one page of users, in the order of their names.
type UserPage struct {
	Users  []User `json:"users" validate:"required"`
	Cursor string `json:"cursor,omitempty"` // of the next page; absent on the last
}
