package sqs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"tusq/service"
)

const (
	defaultMoveTasks = 1  // of a list that does not say
	maxMoveTasks     = 10 // of one list
)

// failureReasons are SQS's words for the reasons why a move fails.
var failureReasons = map[string]string{
	service.FailureNoDestination: "AWS.SimpleQueueService.NonExistentQueue",
	service.FailureNoSource:      "CouldNotDetermineMessageSource",
}

// taskHandle is what the handle of a move task holds, in base64.
type taskHandle struct {
	TaskID    string `json:"taskId"`
	SourceARN string `json:"sourceArn"`
}

func (c *call) startMessageMoveTask(ctx context.Context, in *startMessageMoveTaskInput) (*startMessageMoveTaskOutput, error) {
	source, err := c.queueOfARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	start := service.StartRedrive{Source: source}
	if in.DestinationArn != nil {
		if start.Destination, err = c.queueOfARN("DestinationArn", in.DestinationArn); err != nil {
			return nil, err
		}
	}
	if n := in.MaxNumberOfMessagesPerSecond; n != nil {
		if *n < 1 || *n > service.MaxRedriveRate {
			return nil, invalidValue(*n, "MaxNumberOfMessagesPerSecond", "Must be between 1 and 500, if provided.")
		}
		start.Rate = *n
	}
	redrive, err := c.svc.StartRedrive(ctx, c.caller, start)
	if err != nil {
		return nil, moveFailure(err)
	}
	return &startMessageMoveTaskOutput{c.taskHandle(redrive)}, nil
}

// moveFailure returns what SQS makes of an error of a move between two queues.
func moveFailure(err error) error {
	if service.ErrorCode(err) != service.CodeQueueNotFound {
		return err
	}
	if service.ErrorField(err) == "destination" {
		return errNoResource("DestinationArn")
	}
	return errNoResource("SourceArn")
}

// queueOfARN returns the name of the caller's queue that a parameter names.
func (c *call) queueOfARN(parameter string, arn *string) (string, error) {
	if arn == nil {
		return "", missing(parameter)
	}
	account, name, ok := splitARN(*arn)
	if !ok {
		return "", errorf(invalidParameterValue,
			"You must use this format to specify the %s: arn:<partition>:<service>:<region>:<account-id>:<resource-id>", parameter)
	}
	if account != c.caller.Account {
		return "", errNoResource(parameter)
	}
	return name, nil
}

func errNoResource(parameter string) error {
	return errorf(resourceNotFound, "The resource that you specified for the %s parameter doesn't exist.", parameter)
}

func (c *call) taskHandle(redrive service.Redrive) string {
	text, err := json.Marshal(taskHandle{redrive.ID, c.queueARN(redrive.Source)})
	if err != nil {
		panic(err) // two strings
	}
	return base64.StdEncoding.EncodeToString(text)
}

func (c *call) cancelMessageMoveTask(ctx context.Context, in *cancelMessageMoveTaskInput) (*cancelMessageMoveTaskOutput, error) {
	if in.TaskHandle == "" {
		return nil, missing("TaskHandle")
	}
	handle, ok := parseTaskHandle(in.TaskHandle)
	if !ok {
		return nil, errorf(invalidParameterValue, "Value for parameter TaskHandle is invalid.")
	}
	redrive, err := c.svc.CancelRedrive(ctx, c.caller, handle.TaskID)
	if err != nil {
		return nil, err
	}
	return &cancelMessageMoveTaskOutput{redrive.Moved}, nil
}

func parseTaskHandle(text string) (handle taskHandle, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(decoded, &handle) != nil {
		return handle, false
	}
	_, _, ok = splitARN(handle.SourceARN)
	return handle, ok && uuid.Validate(handle.TaskID) == nil
}

func (c *call) listMessageMoveTasks(ctx context.Context, in *listMessageMoveTasksInput) (*listMessageMoveTasksOutput, error) {
	source, err := c.queueOfARN("SourceArn", in.SourceArn)
	if err != nil {
		return nil, err
	}
	limit := defaultMoveTasks
	if n := in.MaxResults; n != nil {
		if *n < 1 || *n > maxMoveTasks {
			return nil, invalidValue(*n, "MaxResults", "Must be between 1 and 10, if provided.")
		}
		limit = *n
	}
	redrives, err := c.svc.ListRedrives(ctx, c.caller, source, limit)
	if err != nil {
		return nil, moveFailure(err)
	}
	out := new(listMessageMoveTasksOutput)
	for _, redrive := range redrives {
		out.Results = append(out.Results, c.moveTask(redrive))
	}
	return out, nil
}

func (c *call) moveTask(redrive service.Redrive) moveTask {
	task := moveTask{
		Status:                            strings.ToUpper(string(redrive.Status)),
		SourceArn:                         c.queueARN(redrive.Source),
		MaxNumberOfMessagesPerSecond:      redrive.Rate,
		ApproximateNumberOfMessagesMoved:  redrive.Moved,
		ApproximateNumberOfMessagesToMove: redrive.ToMove,
		StartedTimestamp:                  redrive.StartedAt.UnixMilli(),
	}
	if redrive.Destination != "" {
		task.DestinationArn = c.queueARN(redrive.Destination)
	}
	switch redrive.Status {
	case service.RedriveRunning:
		task.TaskHandle = c.taskHandle(redrive)
	case service.RedriveFailed:
		task.FailureReason = failureReasons[redrive.Failure]
	}
	return task
}
