package sqs

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"tusq/service"
)

// reservedTag begins the keys of tags that only Amazon sets, in any case.
const reservedTag = "aws:"

func (c *call) tagQueue(ctx context.Context, in *tagQueueInput) (*none, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, missing("Tags")
	}
	if err := checkTags(name, in.Tags); err != nil {
		return nil, err
	}
	_, err = c.svc.UpdateQueue(ctx, c.caller, name, service.QueueChange{Edit: func(q *service.Queue) error {
		tags := make(map[string]string, len(q.Tags)+len(in.Tags))
		maps.Copy(tags, q.Tags)
		maps.Copy(tags, in.Tags)
		q.Tags = tags
		return checkTagCount(name, tags)
	}})
	return nil, err
}

func (c *call) untagQueue(ctx context.Context, in *untagQueueInput) (*none, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.TagKeys) == 0 {
		return nil, missing("TagKeys")
	}
	misfit := func(key string) bool { return !isTagKeyLong(key) }
	if slices.ContainsFunc(in.TagKeys, misfit) {
		return nil, errTagKey()
	}
	_, err = c.svc.UpdateQueue(ctx, c.caller, name, service.QueueChange{Edit: func(q *service.Queue) error {
		q.Tags = maps.Clone(q.Tags)
		for _, key := range in.TagKeys {
			delete(q.Tags, key)
		}
		return nil
	}})
	return nil, err
}

func (c *call) listQueueTags(ctx context.Context, in *queueInput) (*queueTagsOutput, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if c.caller.Account != c.caller.Home() {
		return nil, errNoQueue // an owner cannot permit others to see tags
	}
	queue, err := c.svc.GetQueue(ctx, c.caller, name)
	if err != nil {
		return nil, err
	}
	return &queueTagsOutput{queue.Tags}, nil
}

// checkTags checks what SQS says of tags in words of its own; the service checks their
// characters.
func checkTags(queue string, tags map[string]string) error {
	for key, value := range tags {
		switch {
		case !isTagKeyLong(key):
			return errTagKey()
		case utf8.RuneCountInString(value) > service.MaxTagValue:
			return errorf(invalidParameterValue, "Tag values must be between 0 and %d characters in length.", service.MaxTagValue)
		case len(key) >= len(reservedTag) && strings.EqualFold(key[:len(reservedTag)], reservedTag):
			return errorf(invalidParameterValue, "Tag keys that begin with %s are reserved for internal use.", reservedTag)
		}
	}
	return checkTagCount(queue, tags)
}

func checkTagCount(queue string, tags map[string]string) error {
	if len(tags) > service.MaxTags {
		return errorf(invalidParameterValue, "Too many tags added for queue %s.", queue)
	}
	return nil
}

// isTagKeyLong tells whether a tag's key has as many characters as it must.
func isTagKeyLong(key string) bool {
	return key != "" && utf8.RuneCountInString(key) <= service.MaxTagKey
}

func errTagKey() error {
	return errorf(invalidParameterValue, "Tag keys must be between 1 and %d characters in length.", service.MaxTagKey)
}
