package sqs

import (
	"strconv"
	"strings"
	"time"

	"tusq/service"
)

// Attributes that are kept as they were set, under their names.
const (
	attributePolicy       = "Policy"
	attributeRedrive      = "RedrivePolicy"
	attributeRedriveAllow = "RedriveAllowPolicy"
	attributeKMSKey       = "KmsMasterKeyId"
	attributeKMSReuse     = "KmsDataKeyReusePeriodSeconds"
	attributeManagedSSE   = "SqsManagedSseEnabled"
)

const (
	defaultKMSReuse = "300"
	maxKMSKey       = 2048 // bytes of a key's id
)

// snapshot is a queue at the moment that its attributes are read.
type snapshot struct {
	*call
	queue service.Queue
	stats service.Stats
}

// edit is what a request sets in a queue.
type edit struct {
	*call
	queue  string // its name
	create bool   // the queue is to be made
	change *service.QueueChange
}

// queueAttribute is an attribute of a queue.
type queueAttribute struct {
	// get returns the value, or "" where the queue lacks the attribute.
	get func(snapshot) string
	// set notes a new value; nil: it cannot be set.
	set func(e *edit, value string) error
	// canonical returns the form in which values are compared; nil: as they are.
	canonical func(string) string
	// counter: it counts messages.
	counter bool
}

// queueAttributes are all attributes that can be asked for.
var queueAttributes = map[string]queueAttribute{
	"VisibilityTimeout": secondsAttribute("VisibilityTimeout", 0, service.MaxVisibility,
		func(s service.Settings) time.Duration { return s.VisibilityTimeout },
		func(c *service.QueueChange, d time.Duration) { c.VisibilityTimeout = &d }),
	"DelaySeconds": secondsAttribute("DelaySeconds", 0, service.MaxDelay,
		func(s service.Settings) time.Duration { return s.Delay },
		func(c *service.QueueChange, d time.Duration) { c.Delay = &d }),
	"MessageRetentionPeriod": secondsAttribute("MessageRetentionPeriod", service.MinRetention, service.MaxRetention,
		func(s service.Settings) time.Duration { return s.Retention },
		func(c *service.QueueChange, d time.Duration) { c.Retention = &d }),
	"ReceiveMessageWaitTimeSeconds": secondsAttribute("ReceiveMessageWaitTimeSeconds", 0, service.MaxQueueWait,
		func(s service.Settings) time.Duration { return s.ReceiveWait },
		func(c *service.QueueChange, d time.Duration) { c.ReceiveWait = &d }),
	"MaximumMessageSize": {
		get: func(s snapshot) string { return strconv.Itoa(s.queue.Settings.MaxMessageSize) },
		set: setMaximumMessageSize,
	},

	attributePolicy:       {get: kept(attributePolicy), set: setPolicy, canonical: canonicalJSON},
	attributeRedrive:      {get: getRedrive, set: setRedrive, canonical: canonicalRedrive},
	attributeRedriveAllow: {get: kept(attributeRedriveAllow), set: setRedriveAllow, canonical: canonicalJSON},
	attributeKMSKey:       {get: kept(attributeKMSKey), set: setKMSKey},
	attributeKMSReuse:     {get: kept(attributeKMSReuse), set: setKMSReuse, canonical: canonicalKMSReuse},
	attributeManagedSSE:   {get: getManagedSSE, set: setManagedSSE, canonical: strings.ToLower},

	"ApproximateNumberOfMessages":           {get: func(s snapshot) string { return decimal(s.stats.Visible) }, counter: true},
	"ApproximateNumberOfMessagesNotVisible": {get: func(s snapshot) string { return decimal(s.stats.InFlight) }, counter: true},
	"ApproximateNumberOfMessagesDelayed":    {get: func(s snapshot) string { return decimal(s.stats.Delayed) }, counter: true},
	"CreatedTimestamp":                      {get: func(s snapshot) string { return decimal(s.queue.CreatedAt.Unix()) }},
	"LastModifiedTimestamp":                 {get: func(s snapshot) string { return decimal(s.queue.UpdatedAt.Unix()) }},
	"QueueArn":                              {get: func(s snapshot) string { return s.queueARN(s.queue.Name) }},

	attributeFIFO: {get: ofFIFO(func(service.Queue) string { return "true" }), set: setFIFO, canonical: strings.ToLower},
	attributeContent: {
		get: ofFIFO(func(q service.Queue) string { return strconv.FormatBool(q.Settings.ContentDeduplication) }),
		set: setContentDeduplication, canonical: strings.ToLower,
	},
	attributeScope:      {get: ofFIFO(shownScope), set: setScope},
	attributeThroughput: {get: ofFIFO(shownThroughput), set: setThroughput},
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// kept gets an attribute that is kept as it was set.
func kept(name string) func(snapshot) string {
	return func(s snapshot) string { return s.queue.Extra[name] }
}

// secondsAttribute is a setting in whole seconds from low to high.
func secondsAttribute(name string, low, high time.Duration,
	get func(service.Settings) time.Duration, set func(*service.QueueChange, time.Duration),
) queueAttribute {
	return queueAttribute{
		get: func(s snapshot) string { return decimal(int64(get(s.queue.Settings) / time.Second)) },
		set: func(e *edit, value string) error {
			n, err := parseNumber(name, value, int(low/time.Second), int(high/time.Second))
			if err == nil {
				set(e.change, seconds(n))
			}
			return err
		},
	}
}

// parseNumber reads a number in its shortest form, in which it is also returned.
func parseNumber(name, value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(n) != value || n < low || n > high {
		return 0, invalidAttribute(name)
	}
	return n, nil
}

func invalidAttribute(name string) error {
	return errorf(invalidAttributeValue, "Invalid value for the parameter %s.", name)
}

func setMaximumMessageSize(e *edit, value string) error {
	n, err := parseNumber("MaximumMessageSize", value, service.MinMaxMessageSize, service.MaxMessageBytes)
	e.change.MaxMessageSize = &n
	return err
}

// setKMSKey keeps the key's id. Nothing is encrypted by it. It ends the other
// kind of encryption, unless that is named too.
func setKMSKey(e *edit, value string) error {
	outside := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(value) > maxKMSKey || strings.ContainsFunc(value, outside) {
		return invalidAttribute(attributeKMSKey)
	}
	e.change.Extra[attributeKMSKey] = value
	if value != "" {
		e.change.Extra[attributeManagedSSE] = ""
	}
	return nil
}

func setKMSReuse(e *edit, value string) error {
	_, err := parseNumber(attributeKMSReuse, value, 60, 86400)
	e.change.Extra[attributeKMSReuse] = canonicalKMSReuse(value)
	return err
}

// canonicalKMSReuse returns "" for the default, which is not shown.
func canonicalKMSReuse(value string) string {
	if value == defaultKMSReuse {
		return ""
	}
	return value
}

func getManagedSSE(s snapshot) string {
	if s.queue.Extra[attributeKMSKey] != "" {
		return "false"
	}
	if value := s.queue.Extra[attributeManagedSSE]; value != "" {
		return value
	}
	return "true"
}

func setManagedSSE(e *edit, value string) error {
	on, err := parseBool(attributeManagedSSE, value)
	e.change.Extra[attributeManagedSSE] = strconv.FormatBool(on)
	if on {
		e.change.Extra[attributeKMSKey] = ""
	}
	return err
}
