package sqs_test

import (
	"maps"
	"testing"
)

// fifo makes the JSON of an input for a FIFO queue.
func fifo(attributes map[string]string) string {
	all := map[string]string{"FifoQueue": "true"}
	maps.Copy(all, attributes)
	return input("QueueName", "jobs.fifo", all)
}

func TestFIFOQueueAttributes(t *testing.T) {
	s := newSetup(t)
	url := `{"QueueUrl":"http://queues.example/000000000000/jobs.fifo"}`
	s.run([]wireTest{
		{"create", "CreateQueue", fifo(nil), url},
		{"all", "GetQueueAttributes", `{"QueueUrl":"jobs.fifo","AttributeNames":["All"]}`,
			`{"Attributes":{"ApproximateNumberOfMessages":"0","ApproximateNumberOfMessagesDelayed":"0","ApproximateNumberOfMessagesNotVisible":"0",` +
				`"ContentBasedDeduplication":"false","CreatedTimestamp":"<seconds>","DeduplicationScope":"queue","DelaySeconds":"0","FifoQueue":"true",` +
				`"FifoThroughputLimit":"perQueue","LastModifiedTimestamp":"<seconds>","MaximumMessageSize":"1048576","MessageRetentionPeriod":"345600",` +
				`"QueueArn":"arn:aws:sqs:eu-test-1:000000000000:jobs.fifo","ReceiveMessageWaitTimeSeconds":"0","SqsManagedSseEnabled":"true","VisibilityTimeout":"30"}}`},
		{"url", "GetQueueUrl", `{"QueueName":"jobs.fifo"}`, url},
		{"list", "ListQueues", `{"QueueNamePrefix":"jobs.f"}`, `{"QueueUrls":["http://queues.example/000000000000/jobs.fifo"]}`},
		{"create again with the defaults", "CreateQueue", fifo(map[string]string{
			"ContentBasedDeduplication": "False", "DeduplicationScope": "queue", "FifoThroughputLimit": "perQueue", "FifoQueue": "TRUE"}), url},
		{"set the kind that it has", "SetQueueAttributes", `{"QueueUrl":"jobs.fifo","Attributes":{"FifoQueue":"True"}}`, ``},
		{"set", "SetQueueAttributes", `{"QueueUrl":"jobs.fifo","Attributes":{"ContentBasedDeduplication":"True","DeduplicationScope":"messageGroup","FifoThroughputLimit":"perMessageGroupId"}}`, ``},
		{"get", "GetQueueAttributes", `{"QueueUrl":"jobs.fifo","AttributeNames":["ContentBasedDeduplication","DeduplicationScope","FifoThroughputLimit"]}`,
			`{"Attributes":{"ContentBasedDeduplication":"true","DeduplicationScope":"messageGroup","FifoThroughputLimit":"perMessageGroupId"}}`},
		{"create again with what was set", "CreateQueue", fifo(map[string]string{
			"ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}), url},
		{"set back", "SetQueueAttributes", `{"QueueUrl":"jobs.fifo","Attributes":{"DeduplicationScope":"queue","FifoThroughputLimit":"perQueue"}}`, ``},
	})
	exists := func(attribute, value string) refused {
		return refused{attribute, "CreateQueue", fifo(map[string]string{attribute: value}), 400, "QueueAlreadyExists;Sender",
			"com.amazonaws.sqs#QueueNameExists", "A queue already exists with the same name and a different value for attribute " + attribute}
	}
	s.runRefused([]refused{exists("ContentBasedDeduplication", "false"), exists("DeduplicationScope", "messageGroup")})
}

func TestFIFOAttributesRefuse(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", fifo(map[string]string{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}))
	s.must("CreateQueue", `{"QueueName":"plain"}`)
	s.must("CreateQueue", `{"QueueName":"other.fifo","Attributes":{"FifoQueue":"true"}}`)
	set := func(name, value, reason string) refused {
		test := badValue(name, value)
		test.name, test.action = "set "+test.name, "SetQueueAttributes"
		test.body = input("QueueUrl", "jobs.fifo", map[string]string{name: value})
		test.message += reason
		return test
	}
	create := func(attributes map[string]string, name, reason string) refused {
		test := badValue(name, attributes[name])
		test.name, test.action = "create "+test.name, "CreateQueue"
		attributes["FifoQueue"] = "true"
		test.body = input("QueueName", "new.fifo", attributes)
		test.message += reason
		return test
	}
	const onlyGroups = " Reason: The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup."
	perGroup := set("FifoThroughputLimit", "perMessageGroupId", onlyGroups)
	perGroup.body = input("QueueUrl", "other.fifo", map[string]string{"FifoThroughputLimit": "perMessageGroupId"})
	scope := set("FifoThroughputLimit", "by the scope", onlyGroups)
	scope.body = input("QueueUrl", "jobs.fifo", map[string]string{"DeduplicationScope": "queue"})
	redrive := `{"deadLetterTargetArn":"` + arnPrefix + `plain","maxReceiveCount":1}`
	s.unchanged("jobs.fifo", func() {
		s.runRefused([]refused{
			set("FifoQueue", "false", " Reason: Modifying queue type is not supported."), set("FifoQueue", "x", ""),
			set("ContentBasedDeduplication", "yes", ""), set("ContentBasedDeduplication", "", ""),
			set("DeduplicationScope", "group", ""), set("DeduplicationScope", "Queue", ""), set("FifoThroughputLimit", "perGroup", ""), set("FifoThroughputLimit", "", ""),
			perGroup, scope,
			create(map[string]string{"ContentBasedDeduplication": "1"}, "ContentBasedDeduplication", ""),
			create(map[string]string{"DeduplicationScope": ""}, "DeduplicationScope", ""),
			create(map[string]string{"FifoThroughputLimit": "perMessageGroupId"}, "FifoThroughputLimit", onlyGroups),
			create(map[string]string{"FifoThroughputLimit": "perMessageGroupId", "DeduplicationScope": "queue"}, "FifoThroughputLimit", onlyGroups),
			invalid("standard dead-letter queue", "SetQueueAttributes", input("QueueUrl", "jobs.fifo", map[string]string{"RedrivePolicy": redrive}),
				"Value "+redrive+" for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of queue as the source.."),
		})
	})
	checkBody(t, s.must("ListQueues", `{"QueueNamePrefix":"new"}`), `{}`)
}
