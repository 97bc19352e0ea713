package sqs

import (
	"strings"

	"tusq/service"
)

// Attributes that only FIFO queues have.
const (
	attributeFIFO       = "FifoQueue"
	attributeContent    = "ContentBasedDeduplication"
	attributeScope      = "DeduplicationScope"
	attributeThroughput = "FifoThroughputLimit"
)

// Values of the deduplication scope and of the throughput limit.
const (
	scopeQueue         = "queue"
	scopeGroup         = "messageGroup"
	throughputPerQueue = "perQueue"
	throughputPerGroup = "perMessageGroupId"
)

// ofFIFO is an attribute that standard queues lack.
func ofFIFO(get func(service.Queue) string) func(snapshot) string {
	return func(s snapshot) string {
		if !s.queue.Settings.FIFO {
			return ""
		}
		return get(s.queue)
	}
}

// setFIFO checks the queue's kind, which its name says and nothing changes.
func setFIFO(e *edit, value string) error {
	switch {
	case !service.IsFIFO(e.queue):
		return unknownAttribute(attributeFIFO)
	case strings.EqualFold(value, "true"):
		return nil
	case strings.EqualFold(value, "false"):
		return errorf(invalidAttributeValue, "Invalid value for the parameter %s. Reason: Modifying queue type is not supported.", attributeFIFO)
	}
	return invalidAttribute(attributeFIFO)
}

func setContentDeduplication(e *edit, value string) error {
	if !service.IsFIFO(e.queue) {
		return unknownAttribute(attributeContent)
	}
	on, err := parseBool(attributeContent, value)
	e.change.ContentDeduplication = &on
	return err
}

func parseBool(name, value string) (bool, error) {
	switch strings.ToLower(value) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, invalidAttribute(name)
}

// setScope chooses the scope of a new queue. That of an older one only looks
// different afterwards, as Amazon's does.
func setScope(e *edit, value string) error {
	scopes := map[string]service.DeduplicationScope{scopeQueue: service.ScopeQueue, scopeGroup: service.ScopeGroup}
	scope, known := scopes[value]
	switch {
	case !service.IsFIFO(e.queue):
		return onlyFIFO(attributeScope)
	case !known:
		return invalidAttribute(attributeScope)
	case e.create:
		e.change.DeduplicationScope = &scope
	default:
		e.change.Extra[attributeScope] = value
	}
	e.change.Edit = checkThroughput
	return nil
}

func setThroughput(e *edit, value string) error {
	switch {
	case !service.IsFIFO(e.queue):
		return onlyFIFO(attributeThroughput)
	case value != throughputPerQueue && value != throughputPerGroup:
		return invalidAttribute(attributeThroughput)
	}
	e.change.Extra[attributeThroughput] = value
	e.change.Edit = checkThroughput
	return nil
}

// checkThroughput checks the two attributes together, however they were set.
func checkThroughput(q *service.Queue) error {
	if shownThroughput(*q) == throughputPerGroup && shownScope(*q) != scopeGroup {
		return errorf(invalidAttributeValue, "Invalid value for the parameter %s. Reason: The %s value is allowed only when the value for %s is %s.",
			attributeThroughput, throughputPerGroup, attributeScope, scopeGroup)
	}
	return nil
}

func shownScope(q service.Queue) string {
	if set := q.Extra[attributeScope]; set != "" {
		return set
	}
	if q.Settings.DeduplicationScope == service.ScopeGroup {
		return scopeGroup
	}
	return scopeQueue
}

func shownThroughput(q service.Queue) string {
	if set := q.Extra[attributeThroughput]; set != "" {
		return set
	}
	return throughputPerQueue
}

func onlyFIFO(name string) error {
	return errorf(invalidAttributeName, "You can specify the %s only when FifoQueue is set to true.", name)
}
