package service

import (
	"maps"
)

// apply sets in q what the change names.
func (c QueueChange) apply(q *Queue) error {
	set(&q.Settings.ContentDeduplication, c.ContentDeduplication)
	if q.Settings.FIFO && q.Settings.DeduplicationScope == "" {
		q.Settings.DeduplicationScope = ScopeQueue
	}
	set(&q.Settings.DeduplicationScope, c.DeduplicationScope)
	set(&q.Settings.VisibilityTimeout, c.VisibilityTimeout)
	set(&q.Settings.Delay, c.Delay)
	set(&q.Settings.Retention, c.Retention)
	set(&q.Settings.ReceiveWait, c.ReceiveWait)
	set(&q.Settings.MaxMessageSize, c.MaxMessageSize)
	set(&q.Settings.Durability, c.Durability)
	if c.DeadLetter != nil {
		q.Settings.DeadLetter = c.DeadLetter
		if c.DeadLetter.Queue == "" {
			q.Settings.DeadLetter = nil
		}
	}
	for name, value := range c.Extra {
		if value == "" {
			delete(q.Extra, name)
			continue
		}
		if q.Extra == nil {
			q.Extra = map[string]string{}
		}
		q.Extra[name] = value
	}
	if c.Tags != nil {
		q.Tags = maps.Clone(c.Tags)
	}
	if err := c.applyEncryption(q); err != nil {
		return err
	}
	if c.Edit == nil {
		return nil
	}
	if err := c.Edit(q); err != nil {
		return err
	}
	return validTags(q.Tags)
}

// given names what a new queue has otherwise than one that was created without settings.
func given(q Queue) AuditDetail {
	plain := Queue{Settings: DefaultSettings()}
	plain.Settings.FIFO = q.Settings.FIFO
	if q.Settings.FIFO {
		plain.Settings.DeduplicationScope = ScopeQueue
	}
	return AuditDetail{Settings: changedSettings(plain, q)}
}

// applyEncryption gives a queue that begins to be encrypted a data key. One that ends keeps what
// was encrypted so; begun again, it has another key.
func (c QueueChange) applyEncryption(q *Queue) (err error) {
	if c.Encryption == nil || *c.Encryption == q.Settings.Encryption {
		return nil
	}
	q.Settings.Encryption, q.DataKeyID = *c.Encryption, 0
	if q.Settings.Encryption == EncryptionNone {
		return nil
	}
	if q.NewDataKey, err = c.newDataKey(q.Account, q.ID); err != nil {
		return err
	}
	q.DataKeyID = q.NewDataKey.ID
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// differs returns the first setting that is given and that q has otherwise, or "".
// Tags are not compared: SQS does not either.
func (c QueueChange) differs(q Queue) string {
	switch {
	case differ(c.VisibilityTimeout, q.Settings.VisibilityTimeout):
		return "visibility_timeout"
	case differ(c.Delay, q.Settings.Delay):
		return "delay_seconds"
	case differ(c.Retention, q.Settings.Retention):
		return "retention_seconds"
	case differ(c.ReceiveWait, q.Settings.ReceiveWait):
		return "wait_seconds"
	case differ(c.MaxMessageSize, q.Settings.MaxMessageSize):
		return "max_message_size"
	case differ(c.Durability, q.Settings.Durability):
		return "durability"
	case differ(c.Encryption, q.Settings.Encryption):
		return "encryption"
	case differ(c.ContentDeduplication, q.Settings.ContentDeduplication):
		return "content_deduplication"
	case differ(c.DeduplicationScope, q.Settings.DeduplicationScope):
		return "deduplication_scope"
	case c.DeadLetter != nil && !c.DeadLetter.same(q.Settings.DeadLetter):
		return "dead_letter"
	}
	for name, value := range c.Extra {
		if q.Extra[name] != value {
			return name
		}
	}
	return ""
}

func differ[T comparable](wanted *T, has T) bool { return wanted != nil && *wanted != has }

// same tells whether two policies are the same; the zero policy is none.
func (d *DeadLetter) same(other *DeadLetter) bool {
	if other == nil {
		return d.Queue == ""
	}
	return d.Queue == other.Queue && d.MaxReceives == other.MaxReceives
}
