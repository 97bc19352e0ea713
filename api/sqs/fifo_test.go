package sqs_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sendFIFO sends a message to a FIFO queue and returns its id and its sequence number.
func (s *setup) sendFIFO(body, group, more string) (id, sequence string) {
	s.t.Helper()
	answer := s.must("SendMessage", `{"QueueUrl":"jobs.fifo","MessageBody":"`+body+`","MessageGroupId":"`+group+`"`+more+`}`)
	match := regexp.MustCompile(`^\{"MessageId":"([^"]+)",.*"SequenceNumber":"([0-9]{20})"\}$`).FindStringSubmatch(answer)
	if match == nil {
		s.t.Fatalf("got %s", answer)
	}
	return match[1], match[2]
}

var bodyMember = regexp.MustCompile(`"Body":"([^"]*)"`)

// bodies returns the bodies in a receive's answer, in their order.
func bodies(answer string) string {
	var list []string
	for _, match := range bodyMember.FindAllStringSubmatch(answer, -1) {
		list = append(list, match[1])
	}
	return strings.Join(list, " ")
}

func TestFIFOSend(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", fifo(nil))
	first, low := s.sendFIFO("a", "g", `,"MessageDeduplicationId":"1"`)
	again, same := s.sendFIFO("b", "h", `,"MessageDeduplicationId":"1","DelaySeconds":0`)
	_, high := s.sendFIFO("c", "g", `,"MessageDeduplicationId":"2"`)
	if again != first || same != low {
		t.Errorf("a duplicate got %s %s, want %s %s", again, same, first, low)
	}
	if high <= low {
		t.Errorf("the second message's number %s is not after %s", high, low)
	}
	checkBody(t, s.receive("jobs.fifo", `,"MaxNumberOfMessages":1,"MessageSystemAttributeNames":["All"]`),
		`{"Messages":[{"MessageId":"`+first+`","ReceiptHandle":"<receipt>","MD5OfBody":"0cc175b9c0f1b6a831c399e269772661","Body":"a","Attributes":{`+
			`"ApproximateFirstReceiveTimestamp":"<millis>","ApproximateReceiveCount":"1","MessageDeduplicationId":"1","MessageGroupId":"g",`+
			`"SenderId":"000000000000","SentTimestamp":"<millis>","SequenceNumber":"`+low+`"}}]}`)
	checkBody(t, s.receive("jobs.fifo", ``), `{}`)
}

func TestFIFOContentDeduplication(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", fifo(map[string]string{"ContentBasedDeduplication": "true"}))
	first, _ := s.sendFIFO("a", "g", ``)
	if again, _ := s.sendFIFO("a", "h", ``); again != first {
		t.Errorf("a duplicate got %s, want %s", again, first)
	}
	const sum = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	if again, _ := s.sendFIFO("other", "g", `,"MessageDeduplicationId":"`+sum+`"`); again != first {
		t.Errorf("the body's sum as an id got %s, want %s", again, first)
	}
	if other, _ := s.sendFIFO("a", "g", `,"MessageDeduplicationId":"own"`); other == first {
		t.Error("an own id was not preferred to the body's")
	}
	s.travel(301)
	if later, _ := s.sendFIFO("a", "g", ``); later == first {
		t.Error("the message was a duplicate after five minutes")
	}
	answer := s.receive("jobs.fifo", `,"MaxNumberOfMessages":10,"AttributeNames":["MessageDeduplicationId"]`)
	if got := bodies(answer); got != "a a a" || strings.Count(answer, sum) != 2 {
		t.Errorf("got %s", answer)
	}
}

// The scope with which a queue was made stays, whatever is set and shown later.
func TestFIFOScopes(t *testing.T) {
	for scope, want := range map[string]string{"queue": "a", "messageGroup": "a b"} {
		t.Run(scope, func(t *testing.T) {
			s := newSetup(t)
			s.must("CreateQueue", fifo(map[string]string{"DeduplicationScope": scope}))
			other := map[string]string{"queue": "messageGroup", "messageGroup": "queue"}[scope]
			s.must("SetQueueAttributes", input("QueueUrl", "jobs.fifo", map[string]string{"DeduplicationScope": other}))
			s.sendFIFO("a", "g", `,"MessageDeduplicationId":"1"`)
			s.sendFIFO("b", "h", `,"MessageDeduplicationId":"1"`)
			s.sendFIFO("c", "g", `,"MessageDeduplicationId":"1"`)
			if got := bodies(s.receive("jobs.fifo", `,"MaxNumberOfMessages":10`)); got != want {
				t.Errorf("received %q, want %q", got, want)
			}
		})
	}
}

func TestFIFOSendBatch(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", fifo(nil))
	entry := func(id, more string) string {
		return `{"Id":"` + id + `","MessageBody":"` + id + `","MessageGroupId":"g"` + more + `}`
	}
	batch := func(entries ...string) string {
		return `{"QueueUrl":"jobs.fifo","Entries":[` + strings.Join(entries, ",") + `]}`
	}
	one, two := entry("one", `,"MessageDeduplicationId":"1"`), entry("two", `,"MessageDeduplicationId":"2","DelaySeconds":2`)
	answer := s.must("SendMessageBatch", batch(one, two, entry("three", `,"MessageDeduplicationId":"3"`)))
	checkBody(t, regexp.MustCompile(`"SequenceNumber":"[0-9]{20}"`).ReplaceAllString(answer, `"SequenceNumber":"n"`),
		`{"Successful":[{"Id":"one","MessageId":"<uuid>","MD5OfMessageBody":"f97c5d29941bfb1b2fdab0874906ab82","SequenceNumber":"n"},`+
			`{"Id":"three","MessageId":"<uuid>","MD5OfMessageBody":"35d6d33467aae9a2e3dccb4b6b027878","SequenceNumber":"n"}],`+
			`"Failed":[{"Id":"two","SenderFault":true,"Code":"InvalidParameterValue","Message":"Value 2 for parameter DelaySeconds is invalid. Reason: `+
			`The request include parameter that is not valid for this queue type."}]}`)
	const noDeduplication = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
	s.unchanged("jobs.fifo", func() {
		s.runRefused([]refused{
			invalid("a missing group", "SendMessageBatch", batch(one, `{"Id":"x","MessageBody":"x","MessageDeduplicationId":"4"}`), "The request must contain the parameter MessageGroupId."),
			invalid("a missing id", "SendMessageBatch", batch(entry("x", `,"MessageDeduplicationId":"4"`), entry("y", ``)), noDeduplication),
			invalid("no ids", "SendMessageBatch", batch(entry("x", ``), entry("y", ``)), noDeduplication),
		})
	})
	s.must("SetQueueAttributes", input("QueueUrl", "jobs.fifo", map[string]string{"ContentBasedDeduplication": "true"}))
	if got := s.must("SendMessageBatch", batch(entry("x", `,"MessageDeduplicationId":"4"`), entry("y", ``))); strings.Count(got, "SequenceNumber") != 2 {
		t.Errorf("got %s", got)
	}
	if got := bodies(s.receive("jobs.fifo", `,"MaxNumberOfMessages":10`)); got != "one three x y" {
		t.Errorf("received %q", got)
	}
}

func TestFIFOSendRefuses(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", fifo(nil))
	send := func(more string) string { return `{"QueueUrl":"jobs.fifo","MessageBody":"b"` + more + `}` }
	const token = " can only include alphanumeric and punctuation characters. 1 to 128 in length."
	tests := []refused{
		lacking("no group", "SendMessage", send(`,"MessageDeduplicationId":"1"`), "MessageGroupId"),
		invalid("no id", "SendMessage", send(`,"MessageGroupId":"g"`),
			"The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"),
		invalid("delay", "SendMessage", send(`,"MessageGroupId":"g","MessageDeduplicationId":"1","DelaySeconds":2`),
			"Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."),
		invalid("delay that none has", "SendMessage", send(`,"MessageGroupId":"g","MessageDeduplicationId":"1","DelaySeconds":901`),
			"Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."),
	}
	for _, bad := range []string{"", "a b", "ä", strings.Repeat("x", 129)} {
		for member, other := range map[string]string{"MessageGroupId": "MessageDeduplicationId", "MessageDeduplicationId": "MessageGroupId"} {
			tests = append(tests, invalid(member+" "+bad, "SendMessage", send(fmt.Sprintf(`,"%s":"x","%s":%s`, other, member, strconv.Quote(bad))),
				"Value "+bad+" for parameter "+member+" is invalid. Reason: "+member+token))
		}
	}
	s.unchanged("jobs.fifo", func() { s.runRefused(tests) })
	s.sendFIFO("b", strings.Repeat("~", 128), `,"MessageDeduplicationId":"`+strings.Repeat("!", 128)+`"`)
}

// An expired receipt settles nothing: the message may be with another consumer.
func TestFIFOExpiredReceipt(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", fifo(map[string]string{"VisibilityTimeout": "100"}))
	s.sendFIFO("a", "g", `,"MessageDeduplicationId":"1"`)
	expired := receipts(s.receive("jobs.fifo", ``))[0]
	s.travel(50)
	s.must("ChangeMessageVisibility", `{"QueueUrl":"jobs.fifo","ReceiptHandle":"`+expired+`","VisibilityTimeout":100}`)
	s.travel(120)
	checkBody(t, s.receive("jobs.fifo", ``), `{}`)
	s.travel(160)
	const gone = " for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
	const unavailable = " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
	receipt := `{"QueueUrl":"jobs.fifo","ReceiptHandle":"` + expired + `"`
	s.unchanged("jobs.fifo", func() {
		s.runRefused([]refused{
			invalid("delete", "DeleteMessage", receipt+`}`, "Value "+expired+gone),
			invalid("extend", "ChangeMessageVisibility", receipt+`,"VisibilityTimeout":10}`, "Value "+expired+unavailable),
		})
		s.run([]wireTest{{"delete in a batch", "DeleteMessageBatch", `{"QueueUrl":"jobs.fifo","Entries":[{"Id":"a","ReceiptHandle":"` + expired + `"}]}`,
			`{"Failed":[{"Id":"a","SenderFault":true,"Code":"InvalidParameterValue","Message":"Value ` + expired + gone + `"}]}`}})
	})
	current := receipts(s.receive("jobs.fifo", ``))[0]
	s.run([]wireTest{
		{"delete", "DeleteMessage", `{"QueueUrl":"jobs.fifo","ReceiptHandle":"` + current + `"}`, ``},
		{"delete again", "DeleteMessage", `{"QueueUrl":"jobs.fifo","ReceiptHandle":"` + current + `"}`, ``},
	})
}

// A receive that is tried again gets the same messages and handles, until one is settled.
func TestFIFOReceiveAttempt(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", fifo(nil))
	for i, group := range []string{"g", "g", "h"} {
		s.sendFIFO(fmt.Sprint("m", i), group, fmt.Sprintf(`,"MessageDeduplicationId":"%d"`, i))
	}
	attempt := `,"MaxNumberOfMessages":2,"ReceiveRequestAttemptId":"a1"`
	first := s.receive("jobs.fifo", attempt)
	if got := bodies(first); got != "m0 m1" {
		t.Fatalf("received %q", got)
	}
	if again := s.receive("jobs.fifo", attempt); again != first {
		t.Errorf("the second try got %s, want %s", again, first)
	}
	if got := bodies(s.receive("jobs.fifo", strings.Replace(attempt, "a1", "a2", 1))); got != "m2" {
		t.Errorf("another attempt got %q", got)
	}
	s.must("DeleteMessage", `{"QueueUrl":"jobs.fifo","ReceiptHandle":"`+receipts(first)[0]+`"}`)
	s.runRefused([]refused{{"void attempt", "ReceiveMessage", `{"QueueUrl":"jobs.fifo"` + attempt + `}`, 400,
		"InvalidParameterValue;Sender", "com.amazon.coral.service#InvalidParameterValueException",
		"Value a1 for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable."}})
}
