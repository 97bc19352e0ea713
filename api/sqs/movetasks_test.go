package sqs_test

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"tusq/service"
)

const arnPrefix = "arn:aws:sqs:eu-test-1:000000000000:"

// redriving makes a dead-letter queue with two messages, the queue that they come from, and others.
func (s *setup) redriving() {
	s.t.Helper()
	s.must("CreateQueue", `{"QueueName":"dead"}`)
	s.must("CreateQueue", input("QueueName", "jobs", map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"` + arnPrefix + `dead","maxReceiveCount":1}`,
	}))
	for _, body := range []string{"a", "b"} {
		s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"`+body+`"}`)
		s.receive("jobs", `,"VisibilityTimeout":0`)
		s.receive("jobs", ``)
	}
	s.must("CreateQueue", `{"QueueName":"other"}`)
}

// moreDead makes moving the dead letters, at one a second, take twelve seconds.
func (s *setup) moreDead() {
	s.t.Helper()
	for range 10 {
		s.must("SendMessage", `{"QueueUrl":"dead","MessageBody":"direct"}`)
	}
}

// handleOf makes the handle of a move task.
func handleOf(id, arn string) string {
	return base64.StdEncoding.EncodeToString([]byte(`{"taskId":"` + id + `","sourceArn":"` + arn + `"}`))
}

// startMove starts a move and returns its handle.
func (s *setup) startMove(more string) string {
	s.t.Helper()
	answer := s.must("StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead"`+more+`}`)
	handle := strings.TrimSuffix(strings.TrimPrefix(answer, `{"TaskHandle":"`), `"}`)
	text, err := base64.StdEncoding.DecodeString(handle)
	if err != nil {
		s.t.Fatalf("%s: %v", answer, err)
	}
	checkBody(s.t, strings.Replace(string(text), `"sourceArn"`, `"source"`, 1), `{"taskId":"<task>","source":"`+arnPrefix+`dead"}`)
	return handle
}

func (s *setup) listMoves(more string) string {
	s.t.Helper()
	return s.must("ListMessageMoveTasks", `{"SourceArn":"`+arnPrefix+`dead"`+more+`}`)
}

func TestMoveTasks(t *testing.T) {
	s := newSetup(t)
	s.redriving()
	checkBody(t, s.listMoves(``), `{}`)

	s.startMove(``)
	s.awaitMove("COMPLETED")
	checkBody(t, s.listMoves(``), `{"Results":[{"Status":"COMPLETED","SourceArn":"`+arnPrefix+`dead",`+
		`"ApproximateNumberOfMessagesMoved":2,"ApproximateNumberOfMessagesToMove":2,"StartedTimestamp":<millis>}]}`)
	if got := s.attributes("jobs", "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"]; got != "2" {
		t.Errorf("%s messages came back", got)
	}

	s.startMove(`,"DestinationArn":"` + arnPrefix + `other","MaxNumberOfMessagesPerSecond":500`)
	s.awaitMove("COMPLETED")
	second := `{"Status":"COMPLETED","SourceArn":"` + arnPrefix + `dead","DestinationArn":"` + arnPrefix + `other","MaxNumberOfMessagesPerSecond":500,` +
		`"ApproximateNumberOfMessagesMoved":0,"ApproximateNumberOfMessagesToMove":0,"StartedTimestamp":<millis>}`
	checkBody(t, s.listMoves(``), `{"Results":[`+second+`]}`)
	if got := strings.Count(s.listMoves(`,"MaxResults":10`), `"Status"`); got != 2 {
		t.Errorf("%d tasks are listed, want 2", got)
	}
}

// awaitMove returns when the newest move has a status.
func (s *setup) awaitMove(status string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	for !strings.Contains(s.listMoves(``), `"Status":"`+status+`"`) {
		if ctx.Err() != nil {
			s.t.Fatalf("no move has become %s: %s", status, s.listMoves(``))
		}
	}
}

func TestCancelMoveTask(t *testing.T) {
	s := newSetup(t)
	s.redriving()
	s.moreDead()
	handle := s.startMove(`,"DestinationArn":"` + arnPrefix + `other","MaxNumberOfMessagesPerSecond":1`)
	running := s.listMoves(``)
	if !strings.Contains(running, `"TaskHandle":"`+handle+`","Status":"RUNNING"`) {
		t.Errorf("got %s", running)
	}
	s.runRefused([]refused{invalid("a second one", "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead"}`,
		"There is already a task running. Only one active task is allowed for a source queue arn at a given time.")})
	answer := s.must("CancelMessageMoveTask", `{"TaskHandle":"`+handle+`"}`)
	moved := strings.TrimSuffix(strings.TrimPrefix(answer, `{"ApproximateNumberOfMessagesMoved":`), `}`)
	if n, err := strconv.Atoi(moved); err != nil || n >= 12 {
		t.Errorf("got %s", answer)
	}
	s.awaitMove("CANCELLED")
	if got := s.attributes("dead", "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"]; got == "0" {
		t.Error("nothing was left where it was")
	}
	if got := s.listMoves(``); strings.Contains(got, "TaskHandle") {
		t.Errorf("got %s", got)
	}
	s.runRefused([]refused{{"cancel what has ended", "CancelMessageMoveTask", `{"TaskHandle":"` + handle + `"}`, 404,
		"ResourceNotFoundException;Sender", "com.amazonaws.sqs#ResourceNotFoundException", "Task does not exist."}})
}

// A message that was sent to the dead-letter queue itself has no queue to go back to.
func TestMoveTaskFails(t *testing.T) {
	s := newSetup(t)
	s.redriving()
	s.must("SendMessage", `{"QueueUrl":"dead","MessageBody":"direct"}`)
	s.startMove(``)
	s.awaitMove("FAILED")
	if got := s.listMoves(``); !strings.Contains(got, `"FailureReason":"CouldNotDetermineMessageSource"`) || strings.Contains(got, "TaskHandle") {
		t.Errorf("got %s", got)
	}
}

func TestMoveTaskWhoseDestinationIsDeleted(t *testing.T) {
	s := newSetup(t)
	s.redriving()
	s.moreDead()
	s.startMove(`,"DestinationArn":"` + arnPrefix + `other","MaxNumberOfMessagesPerSecond":1`)
	s.must("DeleteQueue", `{"QueueUrl":"other"}`)
	s.awaitMove("FAILED")
	if got := s.listMoves(``); !strings.Contains(got, `"FailureReason":"AWS.SimpleQueueService.NonExistentQueue"`) {
		t.Errorf("got %s", got)
	}
}

func TestMoveTasksRefuse(t *testing.T) {
	s := newSetup(t)
	s.redriving()
	s.must("CreateQueue", `{"QueueName":"f.fifo","Attributes":{"FifoQueue":"true"}}`)
	const format = "You must use this format to specify the %: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
	badARN := func(name, action, body, parameter string) refused {
		return invalid(name, action, body, strings.Replace(format, "%", parameter, 1))
	}
	notFound := func(name, action, body, message string) refused {
		return refused{name, action, body, 404, "ResourceNotFoundException;Sender", "com.amazonaws.sqs#ResourceNotFoundException", message}
	}
	noResource := func(name, action, body, parameter string) refused {
		return notFound(name, action, body, "The resource that you specified for the "+parameter+" parameter doesn't exist.")
	}
	rate := func(n string) refused {
		return invalid("rate "+n, "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead","MaxNumberOfMessagesPerSecond":`+n+`}`,
			"Value "+n+" for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and 500, if provided.")
	}
	page := func(n string) refused {
		return invalid("list "+n, "ListMessageMoveTasks", `{"SourceArn":"`+arnPrefix+`dead","MaxResults":`+n+`}`,
			"Value "+n+" for parameter MaxResults is invalid. Reason: Must be between 1 and 10, if provided.")
	}
	handle := func(name, value string) refused {
		return invalid(name, "CancelMessageMoveTask", `{"TaskHandle":"`+value+`"}`, "Value for parameter TaskHandle is invalid.")
	}
	const id = "0195e8a2-4cf5-7b86-8d5c-2c9a6f7d5e10"
	tests := []refused{
		rate("0"), rate("501"), rate("-1"), page("0"), page("11"),
		invalid("no dead-letter queue", "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`jobs"}`, "Source queue must be configured as a Dead Letter Queue."),
		noResource("no such destination", "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead","DestinationArn":"`+arnPrefix+`nope"}`, "DestinationArn"),
		noResource("another account's destination", "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead","DestinationArn":"arn:aws:sqs:eu-test-1:111111111111:jobs"}`, "DestinationArn"),
		badARN("bad destination", "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead","DestinationArn":""}`, "DestinationArn"),
		invalid("to itself", "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead","DestinationArn":"`+arnPrefix+`dead"}`,
			"The destination must be another queue of the same kind, FIFO or not."),
		invalid("to a FIFO queue", "StartMessageMoveTask", `{"SourceArn":"`+arnPrefix+`dead","DestinationArn":"`+arnPrefix+`f.fifo"}`,
			"The destination must be another queue of the same kind, FIFO or not."),
		lacking("cancel nothing", "CancelMessageMoveTask", `{}`, "TaskHandle"),
		handle("no base64", "%"), handle("no JSON", "eA=="), handle("no id", handleOf("x", arnPrefix+"dead")), handle("no source", handleOf(id, "dead")),
		notFound("no such task", "CancelMessageMoveTask", `{"TaskHandle":"`+handleOf(id, arnPrefix+"dead")+`"}`, "Task does not exist."),
	}
	for _, action := range []string{"StartMessageMoveTask", "ListMessageMoveTasks"} {
		tests = append(tests,
			lacking(action+" without a source", action, `{}`, "SourceArn"),
			badARN(action+" of an empty source", action, `{"SourceArn":""}`, "SourceArn"),
			badARN(action+" of a bad source", action, `{"SourceArn":"dead"}`, "SourceArn"),
			badARN(action+" of a topic", action, `{"SourceArn":"arn:aws:sns:eu-test-1:000000000000:dead"}`, "SourceArn"),
			noResource(action+" of an unknown source", action, `{"SourceArn":"`+arnPrefix+`nope"}`, "SourceArn"),
			noResource(action+" of a source that cannot be", action, `{"SourceArn":"`+arnPrefix+`a b"}`, "SourceArn"),
			noResource(action+" of another account's", action, `{"SourceArn":"arn:aws:sqs:eu-test-1:111111111111:dead"}`, "SourceArn"),
		)
	}
	s.unchanged("dead", func() { s.runRefused(tests) })
	redrives, err := s.svc.ListRedrives(context.Background(), owner, "dead", 10)
	if err != nil || len(redrives) != 0 {
		t.Errorf("got %v, %v", redrives, err)
	}
}

func TestListDeadLetterSourceQueues(t *testing.T) {
	s := newSetup(t)
	s.redriving()
	s.must("CreateQueue", input("QueueName", "more", map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"` + arnPrefix + `dead","maxReceiveCount":1000}`,
	}))
	url := func(name string) string { return `"http://queues.example/000000000000/` + name + `"` }
	s.run([]wireTest{
		{"two", "ListDeadLetterSourceQueues", `{"QueueUrl":"dead"}`, `{"queueUrls":[` + url("jobs") + `,` + url("more") + `]}`},
		{"none", "ListDeadLetterSourceQueues", `{"QueueUrl":"jobs"}`, `{}`},
	})
	first := s.must("ListDeadLetterSourceQueues", `{"QueueUrl":"dead","MaxResults":1}`)
	head, token, found := strings.Cut(first, `,"NextToken":"`)
	if !found || head != `{"queueUrls":[`+url("jobs")+`]` {
		t.Fatalf("got %s", first)
	}
	checkBody(t, s.must("ListDeadLetterSourceQueues", `{"QueueUrl":"dead","MaxResults":1,"NextToken":"`+strings.TrimSuffix(token, `"}`)+`"}`),
		`{"queueUrls":[`+url("more")+`]}`)
	const page = " for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if provided."
	s.runRefused([]refused{
		invalid("none asked for", "ListDeadLetterSourceQueues", `{"QueueUrl":"dead","MaxResults":0}`, "Value 0"+page),
		invalid("too many asked for", "ListDeadLetterSourceQueues", `{"QueueUrl":"dead","MaxResults":1001}`, "Value 1001"+page),
		invalid("bad token", "ListDeadLetterSourceQueues", `{"QueueUrl":"dead","NextToken":"%"}`, "Value % for parameter NextToken is invalid. Reason: Invalid or expired next token."),
	})
	s.update("jobs", service.QueueChange{DeadLetter: new(service.DeadLetter)})
	checkBody(t, s.must("ListDeadLetterSourceQueues", `{"QueueUrl":"dead"}`), `{"queueUrls":[`+url("more")+`]}`)
}
