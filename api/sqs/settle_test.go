package sqs_test

import (
	"strconv"
	"strings"
	"testing"
)

// sendAndReceive puts a message into a queue and receives it.
func (s *setup) sendAndReceive(queue, more string) (receipt string) {
	s.t.Helper()
	s.must("SendMessage", `{"QueueUrl":"`+queue+`","MessageBody":"hello"}`)
	got := receipts(s.receive(queue, more))
	if len(got) != 1 {
		s.t.Fatalf("received %d messages", len(got))
	}
	return got[0]
}

func settle(receipt, more string) string {
	return `{"QueueUrl":"jobs","ReceiptHandle":` + strconv.Quote(receipt) + more + `}`
}

func TestDelete(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	receipt := s.sendAndReceive("jobs", ``)
	stale := s.sendAndReceive("jobs", `,"VisibilityTimeout":0`)
	current := receipts(s.receive("jobs", `,"VisibilityTimeout":0`))[0]
	s.run([]wireTest{
		{"delete", "DeleteMessage", settle(receipt, ``), ``},
		{"delete again", "DeleteMessage", settle(receipt, ``), ``},
		{"delete by an older receipt", "DeleteMessage", settle(stale, ``), ``},
	})
	if got := s.attributes("jobs", "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"]; got != "1" {
		t.Errorf("%s messages are left, want 1", got)
	}
	s.run([]wireTest{
		{"delete what is visible again", "DeleteMessage", settle(current, ``), ``},
		{"nothing is left", "ReceiveMessage", `{"QueueUrl":"jobs"}`, `{}`},
	})
}

func TestDeleteBatch(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("CreateQueue", `{"QueueName":"other"}`)
	good, foreign := s.sendAndReceive("jobs", ``), s.sendAndReceive("other", ``)
	s.run([]wireTest{
		{"some of them", "DeleteMessageBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"garbage","ReceiptHandle":"garbage"},{"Id":"good","ReceiptHandle":"` + good +
			`"},{"Id":"foreign","ReceiptHandle":"` + foreign + `"}]}`,
			`{"Successful":[{"Id":"good"}],"Failed":[` +
				`{"Id":"garbage","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"The input receipt handle \"garbage\" is not a valid receipt handle."},` +
				`{"Id":"foreign","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"The input receipt handle \"` + foreign + `\" is not a valid receipt handle."}]}`},
		{"all of them", "DeleteMessageBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"good","ReceiptHandle":"` + good + `"}]}`, `{"Successful":[{"Id":"good"}]}`},
	})
}

func TestSettleRefuses(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("CreateQueue", `{"QueueName":"other"}`)
	gone := s.sendAndReceive("jobs", ``)
	s.must("DeleteMessage", settle(gone, ``))
	foreign := s.sendAndReceive("other", ``)
	forged := gone[:20] + gone[:20] + gone[40:]
	bad := func(name, action, receipt, more string) refused {
		return refused{name, action, settle(receipt, more), 404, "ReceiptHandleIsInvalid;Sender", "com.amazonaws.sqs#ReceiptHandleIsInvalid",
			`The input receipt handle "` + receipt + `" is not a valid receipt handle.`}
	}
	change := func(timeout, reason string) refused {
		return invalid(timeout, "ChangeMessageVisibility", settle(gone, `,"VisibilityTimeout":`+timeout),
			"Value "+timeout+" for parameter VisibilityTimeout is invalid. Reason: "+reason)
	}
	tests := []refused{
		lacking("delete without a receipt", "DeleteMessage", `{"QueueUrl":"jobs"}`, "ReceiptHandle"),
		lacking("change without a receipt", "ChangeMessageVisibility", `{"QueueUrl":"jobs","VisibilityTimeout":1}`, "ReceiptHandle"),
		lacking("change without a timeout", "ChangeMessageVisibility", settle(gone, ``), "VisibilityTimeout"),
		change("-1", "Must be >= 0 and <= 43200, if provided."),
		change("43201", "Must be >= 0 and <= 43200, if provided."),
		invalid("change of a deleted message", "ChangeMessageVisibility", settle(gone, `,"VisibilityTimeout":1`),
			"Value "+gone+" for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."),
	}
	for name, receipt := range map[string]string{"garbage": "garbage", "a forged receipt": forged, "another queue's": foreign} {
		tests = append(tests, bad("delete by "+name, "DeleteMessage", receipt, ``),
			bad("change by "+name, "ChangeMessageVisibility", receipt, `,"VisibilityTimeout":1`))
	}
	s.runRefused(tests)
}

func TestChangeVisibility(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	receipt := s.sendAndReceive("jobs", ``)
	s.run([]wireTest{
		{"extend", "ChangeMessageVisibility", settle(receipt, `,"VisibilityTimeout":600`), ``},
		{"give back", "ChangeMessageVisibility", settle(receipt, `,"VisibilityTimeout":0`), ``},
		{"extend what is visible again", "ChangeMessageVisibility", settle(receipt, `,"VisibilityTimeout":600`), ``},
		{"it is not to be had", "ReceiveMessage", `{"QueueUrl":"jobs"}`, `{}`},
		{"give back in a batch", "ChangeMessageVisibilityBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"a","ReceiptHandle":"` + receipt + `"},` +
			`{"Id":"b","ReceiptHandle":"garbage","VisibilityTimeout":1},{"Id":"c","ReceiptHandle":"` + receipt + `","VisibilityTimeout":43201}]}`,
			`{"Successful":[{"Id":"a"}],"Failed":[` +
				`{"Id":"c","SenderFault":true,"Code":"InvalidParameterValue","Message":"Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."},` +
				`{"Id":"b","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"The input receipt handle \"garbage\" is not a valid receipt handle."}]}`},
		{"only what cannot be", "ChangeMessageVisibilityBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"a","ReceiptHandle":"` + receipt + `","VisibilityTimeout":-1}]}`,
			`{"Failed":[{"Id":"a","SenderFault":true,"Code":"InvalidParameterValue","Message":"Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."}]}`},
	})
	answer := s.receive("jobs", `,"AttributeNames":["ApproximateReceiveCount"]`)
	if !strings.Contains(answer, `"ApproximateReceiveCount":"2"`) {
		t.Errorf("got %s", answer)
	}
	s.runRefused([]refused{
		invalid("by an older receipt", "ChangeMessageVisibility", settle(receipt, `,"VisibilityTimeout":0`),
			"Value "+receipt+" for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."),
	})
	s.run([]wireTest{
		{"by an older receipt in a batch", "ChangeMessageVisibilityBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"a","ReceiptHandle":"` + receipt + `","VisibilityTimeout":0}]}`,
			`{"Failed":[{"Id":"a","SenderFault":true,"Code":"ReceiptHandleIsInvalid","Message":"Message does not exist or is not available for visibility timeout change"}]}`},
	})
}

// A message stays invisible for twelve hours after its receive at most.
func TestChangeVisibilityTotal(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	receipt := s.sendAndReceive("jobs", `,"VisibilityTimeout":43200`)
	s.travel(3600)
	s.unchanged("jobs", func() {
		s.runRefused([]refused{invalid("beyond", "ChangeMessageVisibility", settle(receipt, `,"VisibilityTimeout":43200`),
			"Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")})
	})
	s.must("ChangeMessageVisibility", settle(receipt, `,"VisibilityTimeout":39599`))
}
