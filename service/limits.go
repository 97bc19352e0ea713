package service

import "time"

// Limits of the core. A dialect may be stricter (SQS takes 10 messages a call), never laxer.
const (
	MaxQueueName      = 80                  // characters of a queue's name
	MaxMessageBytes   = 1 << 20             // body and attributes of one message
	MinMaxMessageSize = 1 << 10             // the least that a queue's maximum message size can be
	MaxBatch          = 1000                // items of one call
	MaxBatchBytes     = 8 << 20             // bodies and attributes of one call's messages
	MaxAttributes     = 10                  // attributes of one message
	MaxAttributeName  = 256                 // characters of an attribute's name or type
	MaxTraceHeader    = 2048                // bytes of a trace header, which messages are not charged for
	MaxGroupID        = 128                 // characters of a group id, a deduplication id, an attempt id
	MaxCallKey        = 255                 // bytes of a call's key
	MaxRedriveRate    = 500                 // messages per second of a redrive with a rate
	MaxReceives       = 1000                // of a dead-letter policy's max_receives
	MaxListLimit      = 1000                // entries of one page of queues
	MaxPeekLimit      = 100                 // entries of one page of messages
	MaxQueuePatterns  = 100                 // queues and beginnings that one key's rights name
	MaxKeys           = 20_000              // keys of a deployment that are neither expired nor revoked
	MaxAccountKeys    = 1000                // the same of one account
	MaxKeyName        = 80                  // characters of a key's name
	MaxKeySources     = 20                  // networks of a key
	MaxAccountUsers   = 1000                // users of an account
	MaxUserName       = 64                  // characters of a user's name
	MinPassword       = 12                  // characters of a user's password
	MaxPassword       = 1024                // bytes of a user's password
	MaxTags           = 50                  // tags of a queue
	MaxTagKey         = 128                 // characters of a tag's key
	MaxTagValue       = 256                 // characters of a tag's value
	MaxVisibility     = 12 * time.Hour      // of one receive, and in total from the receive
	MaxDelay          = 15 * time.Minute    // of a message or a queue
	MaxWait           = 60 * time.Second    // of one receive
	MaxQueueWait      = 20 * time.Second    // of a queue's default for receives
	MinRetention      = time.Minute         // of a queue
	MaxRetention      = 14 * 24 * time.Hour // of a queue
	// DeduplicationInterval is how long a deduplication id, a call's key or a receive's attempt
	// id is remembered, from the first call.
	DeduplicationInterval = 5 * time.Minute

	MaxKeyLife      = 100 * 365 * 24 * time.Hour // until a key expires
	MaxKeyGrace     = 30 * 24 * time.Hour        // of a secret that was replaced
	DefaultKeyGrace = 24 * time.Hour             // the same

	DefaultVisibility  = 30 * time.Second   // of a new queue
	DefaultRetention   = 4 * 24 * time.Hour // of a new queue
	DefaultMessageSize = MaxMessageBytes    // of a new queue
)
