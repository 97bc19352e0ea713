package sqs

import (
	"context"
	"strings"

	"tusq/internal/telemetry"
	"tusq/service"
)

// fifoSuffix ends the name of every FIFO queue and of no other.
const fifoSuffix = ".fifo"

func (c *call) createQueue(ctx context.Context, in *createQueueInput) (*queueURLOutput, error) {
	telemetry.SetQueue(ctx, in.QueueName)
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	create := service.CreateQueue{Name: in.QueueName}
	if err := c.parseQueueAttributes(in.Attributes, &create.QueueChange); err != nil {
		return nil, err
	}
	if len(in.Tags) > 0 {
		create.Tags = in.Tags
	}
	queue, _, err := c.svc.CreateQueue(ctx, c.caller, create)
	if service.ErrorCode(err) == service.CodeQueueExists {
		queue, err = c.sameQueue(ctx, in)
	}
	if err != nil {
		return nil, queueFailure(in.Attributes, err)
	}
	return &queueURLOutput{c.queueURL(queue.Name)}, nil
}

// checkCreate checks a new queue's name and kind.
func checkCreate(in *createQueueInput) error {
	if in.QueueName == "" {
		return missing("QueueName")
	}
	if strings.HasSuffix(in.QueueName, fifoSuffix) || strings.EqualFold(in.Attributes["FifoQueue"], "true") {
		return errorf(unsupportedOperation, "FIFO queues are not supported.")
	}
	if !queueName.MatchString(in.QueueName) {
		return service.Errorf(service.CodeInvalidQueueName, "invalid queue name")
	}
	return nil
}

// sameQueue returns the queue that a create met with, if each given attribute
// has the value that the queue shows: an attribute that was never set, given
// with its default, is no difference, nor are tags.
func (c *call) sameQueue(ctx context.Context, in *createQueueInput) (service.Queue, error) {
	queue, err := c.svc.GetQueue(ctx, c.caller, in.QueueName)
	if err != nil {
		return queue, err
	}
	if name := c.firstDifference(in.Attributes, queue); name != "" {
		return queue, errorf(queueNameExists, "A queue already exists with the same name and a different value for attribute %s", name)
	}
	return queue, nil
}

func (c *call) getQueueURL(ctx context.Context, in *getQueueURLInput) (*queueURLOutput, error) {
	telemetry.SetQueue(ctx, in.QueueName)
	if in.QueueName == "" {
		return nil, missing("QueueName")
	}
	owner := in.QueueOwnerAWSAccountId
	if (owner != "" && owner != c.caller.Account) || !queueName.MatchString(in.QueueName) {
		return nil, errNoQueue
	}
	queue, err := c.svc.GetQueue(ctx, c.caller, in.QueueName)
	if err != nil {
		return nil, err
	}
	return &queueURLOutput{c.queueURL(queue.Name)}, nil
}

func (c *call) listQueues(ctx context.Context, in *listQueuesInput) (*listQueuesOutput, error) {
	list := service.ListQueues{Prefix: in.QueueNamePrefix, Cursor: in.NextToken}
	if n := in.MaxResults; n != nil {
		if *n < 1 || *n > service.MaxListLimit {
			return nil, invalidValue(*n, "MaxResults", "Must be between 1 and 1000, if provided.")
		}
		list.Limit = *n
	}
	page, err := c.svc.ListQueues(ctx, c.caller, list)
	if service.ErrorField(err) == "cursor" {
		return nil, invalidValue(in.NextToken, "NextToken", "Invalid or expired next token.")
	}
	if err != nil {
		return nil, err
	}
	out := &listQueuesOutput{NextToken: page.Cursor}
	for _, queue := range page.Queues {
		out.QueueUrls = append(out.QueueUrls, c.queueURL(queue.Name))
	}
	return out, nil
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
	_, err = c.svc.PurgeQueue(ctx, c.caller, service.PurgeQueue{Name: queue})
	return nil, err
}
