package sqs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"tusq/service"
)

// attributeAll asks for every attribute that there is.
const attributeAll = "All"

func (c *call) getQueueAttributes(ctx context.Context, in *getQueueAttributesInput) (*getQueueAttributesOutput, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	wanted, err := wantedAttributes(in.AttributeNames)
	if err != nil {
		return nil, err
	}
	s := snapshot{call: c}
	if s.queue, err = c.svc.GetQueue(ctx, c.caller, name); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(wanted, func(name string) bool { return queueAttributes[name].counter }) {
		if s.stats, err = c.svc.GetQueueStats(ctx, c.caller, name); err != nil {
			return nil, err
		}
	}
	attributes := make(map[string]string, len(wanted))
	for _, name := range wanted {
		attributes[name] = queueAttributes[name].get(s)
	}
	maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" })
	return &getQueueAttributesOutput{attributes}, nil
}

// wantedAttributes returns the names of attributes with All resolved.
func wantedAttributes(names []string) ([]string, error) {
	for _, name := range names {
		if _, known := queueAttributes[name]; !known && name != attributeAll {
			return nil, unknownAttribute(name)
		}
	}
	if slices.Contains(names, attributeAll) {
		return slices.Collect(maps.Keys(queueAttributes)), nil
	}
	return names, nil
}

func (c *call) setQueueAttributes(ctx context.Context, in *setQueueAttributesInput) (*none, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Attributes) == 0 {
		return nil, missing("Attributes")
	}
	var change service.QueueChange
	e := &edit{call: c, queue: name, change: &change}
	if err := e.parse(in.Attributes); err != nil {
		return nil, err
	}
	_, err = c.svc.UpdateQueue(ctx, c.caller, name, change)
	return nil, queueFailure(in.Attributes, err)
}

// parse notes in the change what the attributes set.
func (e *edit) parse(attributes map[string]string) error {
	if attributes[attributeKMSKey] != "" && strings.EqualFold(attributes[attributeManagedSSE], "true") {
		return errorf(invalidAttributeName, "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
	}
	e.change.Extra = make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		attribute := queueAttributes[name]
		if attribute.set == nil {
			return unknownAttribute(name)
		}
		if err := attribute.set(e, attributes[name]); err != nil {
			return err
		}
	}
	return nil
}

// unknownAttribute says that an attribute cannot be asked for or set.
func unknownAttribute(name string) error {
	return errorf(invalidAttributeName, "Unknown Attribute %s.", shown(name))
}

// queueFailure returns what SQS makes of an error of a queue with these attributes.
func queueFailure(attributes map[string]string, err error) error {
	if errors.Is(err, service.ErrSourceRefused) {
		return invalidRedrive(attributes[attributeRedrive], "The redrive allow policy of the dead-letter queue does not allow this source queue.")
	}
	if service.ErrorField(err) == "dead_letter.queue" {
		return invalidRedrive(attributes[attributeRedrive], "Dead letter target does not exist.")
	}
	return err
}

// firstDifference returns the name of the first attribute that the queue has
// with another value, or "".
func (c *call) firstDifference(attributes map[string]string, queue service.Queue) string {
	s := snapshot{call: c, queue: queue}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		attribute := queueAttributes[name]
		has, wanted := attribute.get(s), attributes[name]
		if attribute.canonical != nil {
			has, wanted = attribute.canonical(has), attribute.canonical(wanted)
		}
		if has != wanted {
			return name
		}
	}
	return ""
}
