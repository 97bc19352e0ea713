package clients

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// newDeadLetters makes a queue "dead" with messages in it, and its source "source".
func (c *awsGo) newDeadLetters(bodies ...string) (dead, source string) {
	c.t.Helper()
	dead = c.create("dead", nil)
	source = c.create("source", map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"` + arn("dead") + `","maxReceiveCount":1}`, "VisibilityTimeout": "0",
	})
	for _, body := range bodies {
		_, err := c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: &source, MessageBody: &body})
		c.must(err)
	}
	for c.attributes(dead, "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"] != strconv.Itoa(len(bodies)) {
		c.must(c.ctx.Err())
		c.receiveFrom(source)
	}
	return dead, source
}

// newestTask is the newest move task of the queue "dead", once it has ended.
func (c *awsGo) newestTask() types.ListMessageMoveTasksResultEntry {
	c.t.Helper()
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		out, err := c.ListMessageMoveTasks(c.ctx, &sqs.ListMessageMoveTasksInput{SourceArn: new(arn("dead"))})
		c.must(err)
		if len(out.Results) != 1 {
			c.t.Fatalf("tasks are %+v", out.Results)
		}
		if status := *out.Results[0].Status; status != "RUNNING" && status != "CANCELLING" {
			return out.Results[0]
		}
	}
}

func TestAWSGoMoveTask(t *testing.T) {
	c := newAWSGo(t)
	_, source := c.newDeadLetters("a", "b", "c")
	_, err := c.StartMessageMoveTask(c.ctx, &sqs.StartMessageMoveTaskInput{SourceArn: new(arn("jobs"))})
	checkCode(t, err, "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
	_, err = c.StartMessageMoveTask(c.ctx, &sqs.StartMessageMoveTaskInput{SourceArn: new(arn("dead"))})
	c.must(err)
	task := c.newestTask()
	if *task.Status != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 3 || *task.ApproximateNumberOfMessagesToMove != 3 ||
		*task.SourceArn != arn("dead") || task.TaskHandle != nil || task.DestinationArn != nil || task.FailureReason != nil {
		t.Errorf("the task ended as %+v", task)
	}
	if started := time.UnixMilli(task.StartedTimestamp); time.Since(started) > 5*time.Minute || time.Until(started) > 5*time.Minute {
		t.Errorf("it started at %v", started)
	}
	var bodies []string
	for _, message := range c.receiveFrom(source) {
		bodies = append(bodies, *message.Body)
		if count := message.Attributes["ApproximateReceiveCount"]; count != "1" {
			t.Errorf("%s was received %s times: it should be new", *message.Body, count)
		}
	}
	if slices.Sort(bodies); !slices.Equal(bodies, []string{"a", "b", "c"}) {
		t.Errorf("moved %v", bodies)
	}
}

func TestAWSGoCancelMoveTask(t *testing.T) {
	c := newAWSGo(t)
	c.newDeadLetters("a", "b", "c", "d", "e", "f", "g", "h")
	start := &sqs.StartMessageMoveTaskInput{SourceArn: new(arn("dead")), DestinationArn: new(arn("jobs")), MaxNumberOfMessagesPerSecond: aws.Int32(1)}
	started, err := c.StartMessageMoveTask(c.ctx, start)
	c.must(err)
	_, err = c.StartMessageMoveTask(c.ctx, start)
	checkCode(t, err, "InvalidParameterValue", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	out, err := c.ListMessageMoveTasks(c.ctx, &sqs.ListMessageMoveTasksInput{SourceArn: new(arn("dead")), MaxResults: aws.Int32(10)})
	c.must(err)
	if len(out.Results) != 1 || *out.Results[0].Status != "RUNNING" || *out.Results[0].TaskHandle != *started.TaskHandle ||
		*out.Results[0].DestinationArn != arn("jobs") || *out.Results[0].MaxNumberOfMessagesPerSecond != 1 {
		t.Errorf("tasks are %+v", out.Results)
	}
	cancelled, err := c.CancelMessageMoveTask(c.ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: started.TaskHandle})
	c.must(err)
	if cancelled.ApproximateNumberOfMessagesMoved >= 8 {
		t.Errorf("at its end %d messages were moved", cancelled.ApproximateNumberOfMessagesMoved)
	}
	if task := c.newestTask(); *task.Status != "CANCELLED" || task.ApproximateNumberOfMessagesMoved >= 8 {
		t.Errorf("the task ended as %+v", task)
	}
	_, err = c.CancelMessageMoveTask(c.ctx, &sqs.CancelMessageMoveTaskInput{TaskHandle: aws.String("garbage")})
	checkCode(t, err, "InvalidParameterValue", "Value for parameter TaskHandle is invalid.")
	_, err = c.ListMessageMoveTasks(c.ctx, &sqs.ListMessageMoveTasksInput{SourceArn: new(arn("absent"))})
	if !errors.As(err, new(*types.ResourceNotFoundException)) {
		t.Errorf("tasks of an absent queue: %v", err)
	}
}
