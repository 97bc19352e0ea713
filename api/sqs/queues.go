package sqs

import (
	"context"
	"strings"
	"time"

	"tusq/internal/telemetry"
	"tusq/service"
)

// strictInterval is how long Amazon wants clients to wait between two purges of a queue,
// and before a deleted queue's name is used again.
const strictInterval = time.Minute

func (c *call) createQueue(ctx context.Context, in *createQueueInput) (*queueURLOutput, error) {
	telemetry.SetQueue(ctx, in.QueueName)
	if err := c.checkCreate(ctx, in); err != nil {
		return nil, err
	}
	create := service.CreateQueue{Name: in.QueueName, ReuseAfter: c.strictly(strictInterval)}
	e := &edit{call: c, queue: in.QueueName, create: true, change: &create.QueueChange}
	if err := e.parse(in.Attributes); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		create.Tags = in.Tags
	}
	queue, created, err := c.svc.CreateQueue(ctx, c.caller, create)
	if service.ErrorCode(err) == service.CodeQueueExists {
		queue, err = c.svc.GetQueueFor(ctx, c.caller, service.ActionCreateQueue, in.QueueName)
	}
	if err != nil {
		return nil, queueFailure(in.Attributes, err)
	}
	if !created {
		if err := c.checkSame(in, queue); err != nil {
			return nil, err
		}
	}
	return &queueURLOutput{c.queueURL(queue.Name)}, nil
}

// strictly returns an interval where Amazon's are kept, and 0 elsewhere.
func (h *Handler) strictly(interval time.Duration) time.Duration {
	if h.strict {
		return interval
	}
	return 0
}

// checkCreate checks a new queue's name, its kind, which must be said twice, and its tags.
func (c *call) checkCreate(ctx context.Context, in *createQueueInput) error {
	if in.QueueName == "" {
		return missing("QueueName")
	}
	valid := isQueueName(in.QueueName)
	if strings.EqualFold(in.Attributes[attributeFIFO], "true") {
		if !valid || !service.IsFIFO(in.QueueName) {
			return errorf(invalidParameterValue, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length")
		}
	} else if !valid || service.IsFIFO(in.QueueName) {
		if err := c.checkUnsaid(ctx, in); err != nil {
			return err
		}
	}
	return checkTags(in.QueueName, in.Tags)
}

// checkUnsaid refuses a queue of that name, unless it is a FIFO queue that exists: what
// a request does not say of an existing queue is not compared.
func (c *call) checkUnsaid(ctx context.Context, in *createQueueInput) error {
	_, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionCreateQueue, in.QueueName)
	_, said := in.Attributes[attributeFIFO]
	switch code := service.ErrorCode(err); {
	case err == nil && !said:
		return nil
	case err == nil, code == service.CodeQueueNotFound, code == service.CodeInvalidQueueName:
		return service.Errorf(service.CodeInvalidQueueName, "invalid queue name")
	}
	return err
}

// checkSame checks that each given attribute has the value that a queue of this name
// shows already: an attribute that was never set, given with its default, is no
// difference, nor are tags.
func (c *call) checkSame(in *createQueueInput, queue service.Queue) error {
	if name := c.firstDifference(in.Attributes, queue); name != "" {
		return errorf(queueNameExists, "A queue already exists with the same name and a different value for attribute %s", name)
	}
	return nil
}

func (c *call) getQueueURL(ctx context.Context, in *getQueueURLInput) (*queueURLOutput, error) {
	telemetry.SetQueue(ctx, in.QueueName)
	if in.QueueName == "" {
		return nil, missing("QueueName")
	}
	if !isQueueName(in.QueueName) || !c.reach(in.QueueOwnerAWSAccountId) {
		return nil, errNoQueue
	}
	queue, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionFindQueue, in.QueueName)
	if err != nil {
		return nil, err
	}
	return &queueURLOutput{c.queueURL(queue.Name)}, nil
}

func (c *call) listQueues(ctx context.Context, in *listQueuesInput) (*listQueuesOutput, error) {
	list := service.ListQueues{Prefix: in.QueueNamePrefix, Cursor: in.NextToken}
	urls, next, err := c.list(ctx, list, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &listQueuesOutput{QueueUrls: urls, NextToken: next}, nil
}

func (c *call) listDeadLetterSourceQueues(ctx context.Context, in *listDeadLetterSourceQueuesInput) (*listDeadLetterSourceQueuesOutput, error) {
	name, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if _, err := c.svc.GetQueueFor(ctx, c.caller, service.ActionListSources, name); err != nil {
		return nil, err
	}
	list := service.ListQueues{DeadLetter: name, Cursor: in.NextToken}
	urls, next, err := c.list(ctx, list, in.MaxResults)
	if err != nil {
		return nil, err
	}
	return &listDeadLetterSourceQueuesOutput{QueueUrls: urls, NextToken: next}, nil
}

// list returns the URLs of a page of queues, and the token of the next page.
func (c *call) list(ctx context.Context, list service.ListQueues, maxResults *int) (urls []string, next string, err error) {
	if n := maxResults; n != nil {
		if *n < 1 || *n > service.MaxListLimit {
			return nil, "", invalidValue(*n, "MaxResults", "Must be between 1 and 1000, if provided.")
		}
		list.Limit = *n
	}
	page, err := c.svc.ListQueues(ctx, c.caller, list)
	if service.ErrorField(err) == "cursor" {
		return nil, "", invalidValue(list.Cursor, "NextToken", "Invalid or expired next token.")
	}
	if err != nil {
		return nil, "", err
	}
	for _, queue := range page.Queues {
		urls = append(urls, c.queueURL(queue.Name))
	}
	return urls, page.Cursor, nil
}

func (c *call) deleteQueue(ctx context.Context, in *queueInput) (*none, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, c.svc.DeleteQueue(ctx, c.caller, queue)
}

func (c *call) purgeQueue(ctx context.Context, in *queueInput) (*none, error) {
	queue, err := c.queue(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	_, err = c.svc.PurgeQueue(ctx, c.caller, service.PurgeQueue{Name: queue, Every: c.strictly(strictInterval)})
	if service.ErrorCode(err) == service.CodePurgeInProgress {
		return nil, errorf(purgeQueueInProgress, "Only one PurgeQueue operation on %s is allowed every 60 seconds.", queue)
	}
	return nil, err
}
