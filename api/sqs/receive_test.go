package sqs_test

import (
	"strings"
	"testing"
)

func TestReceive(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs","Attributes":{"VisibilityTimeout":"0"}}`)
	s.run([]wireTest{{"nothing", "ReceiveMessage", `{"QueueUrl":"jobs"}`, `{}`}})

	trace := request("SendMessage", `{"QueueUrl":"jobs","MessageBody":"<hello> & \u00e4\ufffd","MessageGroupId":"g","MessageAttributes":{`+
		`"test-key":{"DataType":"String","StringValue":"test-value"},"b":{"DataType":"Binary.png","BinaryValue":"AAH/"},"n":{"DataType":"Number","StringValue":"1.50"}}}`)
	trace.Header.Set("X-Amzn-Trace-Id", "Root=1-2-3")
	if w := s.do(trace); w.Code != 200 || strings.Contains(w.Body.String(), "MD5OfMessageSystemAttributes") {
		t.Fatalf("send: %d %s", w.Code, w.Body)
	}
	const plain = `"MessageId":"<uuid>","ReceiptHandle":"<receipt>","MD5OfBody":"cc3ae5478c9ba61cedc39965471cf281","Body":"<hello> & ä` + "\ufffd" + `"`
	s.run([]wireTest{
		{"plain", "ReceiveMessage", `{"QueueUrl":"jobs"}`, `{"Messages":[{` + plain + `}]}`},
		{"one attribute", "ReceiveMessage", `{"QueueUrl":"jobs","MessageAttributeNames":["test.*"]}`,
			`{"Messages":[{` + plain + `,"MD5OfMessageAttributes":"befa18540a897f7d022bf07057754a03",` +
				`"MessageAttributes":{"test-key":{"DataType":"String","StringValue":"test-value"}}}]}`},
		{"a binary attribute", "ReceiveMessage", `{"QueueUrl":"jobs","MessageAttributeNames":["b"]}`,
			`{"Messages":[{` + plain + `,"MD5OfMessageAttributes":"4268329e3d0b2552a764cd4ae1e03423",` +
				`"MessageAttributes":{"b":{"DataType":"Binary.png","BinaryValue":"AAH/"}}}]}`},
		{"attributes that it has not", "ReceiveMessage", `{"QueueUrl":"jobs","MessageAttributeNames":["x.*","..y","AWS."]}`, `{"Messages":[{` + plain + `}]}`},
		{"system attributes by both names", "ReceiveMessage", `{"QueueUrl":"jobs","AttributeNames":["SenderId"],"MessageSystemAttributeNames":["MessageGroupId","Unknown"]}`,
			`{"Messages":[{` + plain + `,"Attributes":{"MessageGroupId":"g","SenderId":"000000000000"}}]}`},
		{"all system attributes", "ReceiveMessage", `{"QueueUrl":"jobs","AttributeNames":["All"]}`,
			`{"Messages":[{` + plain + `,"Attributes":{"AWSTraceHeader":"Root=1-2-3","ApproximateFirstReceiveTimestamp":"<millis>",` +
				`"ApproximateReceiveCount":"6","MessageGroupId":"g","SenderId":"000000000000","SentTimestamp":"<millis>"}}]}`},
	})
}

func TestReceiveRefuses(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	tests := []refused{}
	add := func(member, value, reason string) {
		tests = append(tests, invalid(member+" "+value, "ReceiveMessage", `{"QueueUrl":"jobs","`+member+`":`+value+`}`,
			"Value "+strings.Trim(value, `"`)+" for parameter "+member+" is invalid. Reason: "+reason))
	}
	add("MaxNumberOfMessages", "0", "Must be between 1 and 10, if provided.")
	add("MaxNumberOfMessages", "11", "Must be between 1 and 10, if provided.")
	add("WaitTimeSeconds", "-1", "Must be >= 0 and <= 20, if provided.")
	add("WaitTimeSeconds", "21", "Must be >= 0 and <= 20, if provided.")
	add("VisibilityTimeout", "-1", "Must be >= 0 and <= 43200, if provided.")
	add("VisibilityTimeout", "43201", "Must be >= 0 and <= 43200, if provided.")
	add("ReceiveRequestAttemptId", `"a b"`, "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	add("ReceiveRequestAttemptId", `""`, "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	add("ReceiveRequestAttemptId", `"`+strings.Repeat("a", 129)+`"`, "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"b"}`)
	s.unchanged("jobs", func() { s.runRefused(tests) })
}

// A message that was received too often is found in the dead-letter queue, with
// the queue that it comes from.
func TestDeadLetterSource(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"dead"}`)
	s.must("CreateQueue", input("QueueName", "jobs", map[string]string{
		"VisibilityTimeout": "0",
		"RedrivePolicy":     `{"deadLetterTargetArn":"arn:aws:sqs:eu-test-1:000000000000:dead","maxReceiveCount":1}`,
	}))
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"hello"}`)
	if got := receipts(s.receive("jobs", ``)); len(got) != 1 {
		t.Fatalf("received %d messages", len(got))
	}
	checkBody(t, s.receive("jobs", ``), `{}`)
	answer := s.receive("dead", `,"WaitTimeSeconds":10,"MessageSystemAttributeNames":["DeadLetterQueueSourceArn"]`)
	if !strings.Contains(answer, `"Attributes":{"DeadLetterQueueSourceArn":"arn:aws:sqs:eu-test-1:000000000000:jobs"}`) {
		t.Errorf("got %s", answer)
	}
}
