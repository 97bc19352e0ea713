package sqs_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestSend(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.run([]wireTest{
		{"body", "SendMessage", `{"QueueUrl":"jobs","MessageBody":"hello world"}`,
			`{"MessageId":"<uuid>","MD5OfMessageBody":"5eb63bbbe01eeed093cb22bb8f5acdc3"}`},
		{"everything", "SendMessage", `{"QueueUrl":"jobs","MessageBody":"hello world","DelaySeconds":900,"MessageGroupId":"tenant!~[\\]",` +
			`"MessageAttributes":{"test-key":{"DataType":"String","StringValue":"test-value"}},` +
			`"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"}}}`,
			`{"MessageId":"<uuid>","MD5OfMessageBody":"5eb63bbbe01eeed093cb22bb8f5acdc3","MD5OfMessageAttributes":"befa18540a897f7d022bf07057754a03",` +
				`"MD5OfMessageSystemAttributes":"5ae4d5d7636402d80f4eb6d213245a88"}`},
		{"invalid UTF-8", "SendMessage", `{"QueueUrl":"jobs","MessageBody":"a` + "\xff" + `"}`,
			`{"MessageId":"<uuid>","MD5OfMessageBody":"ef175e9b596d296034dda690087252f8"}`},
		{"half a surrogate pair", "SendMessage", `{"QueueUrl":"jobs","MessageBody":"a\ud800"}`,
			`{"MessageId":"<uuid>","MD5OfMessageBody":"ef175e9b596d296034dda690087252f8"}`},
		{"a body of a mebibyte", "SendMessage", `{"QueueUrl":"jobs","MessageBody":"` + strings.Repeat("a", 1<<20) + `"}`,
			`{"MessageId":"<uuid>","MD5OfMessageBody":"7202826a7791073fe2787f0c94603278"}`},
		{"a batch of one mebibyte", "SendMessageBatch", fmt.Sprintf(`{"QueueUrl":"jobs","Entries":[{"Id":"a","MessageBody":"%s"},{"Id":"b","MessageBody":"x"}]}`, strings.Repeat("a", 1<<20-1)),
			`{"Successful":[{"Id":"a","MessageId":"<uuid>","MD5OfMessageBody":"9c63bf5a3179ccdfa80f789ae45be1cf"},` +
				`{"Id":"b","MessageId":"<uuid>","MD5OfMessageBody":"9dd4e461268c8034f5c8564e155c67a6"}]}`},
	})
}

func TestSendRefuses(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs","Attributes":{"MaximumMessageSize":"1024"}}`)
	send := func(rest string) string { return `{"QueueUrl":"jobs","MessageBody":"b",` + rest + `}` }
	attribute := func(name, value string) string { return send(`"MessageAttributes":{"` + name + `":` + value + `}`) }
	const token = "can only include alphanumeric and punctuation characters. 1 to 128 in length."
	const reserved = "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use. " +
		"Additionally, they cannot start or end with '.'."
	const badName = "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens and underscores. "
	const character = " was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
	contents := func(name, body, message string) refused {
		return refused{name, "SendMessage", body, 400, "InvalidMessageContents;Sender", "com.amazonaws.sqs#InvalidMessageContents", message}
	}
	before := s.state("jobs")
	s.runRefused([]refused{
		lacking("no body", "SendMessage", `{"QueueUrl":"jobs"}`, "MessageBody"),
		lacking("empty body", "SendMessage", `{"QueueUrl":"jobs","MessageBody":""}`, "MessageBody"),
		contents("NUL", `{"QueueUrl":"jobs","MessageBody":"a\u0000"}`, "Invalid binary character '#x0'"+character),
		contents("form feed", `{"QueueUrl":"jobs","MessageBody":"\t\n\r\f"}`, "Invalid binary character '#xC'"+character),
		contents("U+FFFE", `{"QueueUrl":"jobs","MessageBody":"a\ufffe"}`, "Invalid binary character '#xFFFE'"+character),
		invalid("NUL in an attribute", "SendMessage", attribute("a", `{"DataType":"String","StringValue":"\u0000"}`), "The character U+0000 at byte 0 is not allowed in a message."),
		invalid("too long", "SendMessage", `{"QueueUrl":"jobs","MessageBody":"`+strings.Repeat("x", 1025)+`"}`,
			"One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."),
		invalid("too long with its attributes", "SendMessage", attribute("a", `{"DataType":"String","StringValue":"`+strings.Repeat("x", 1024)+`"}`),
			"One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."),
		invalid("negative delay", "SendMessage", send(`"DelaySeconds":-1`),
			"Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."),
		invalid("long delay", "SendMessage", send(`"DelaySeconds":901`),
			"Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."),
		invalid("group with a space", "SendMessage", send(`"MessageGroupId":"a b"`), "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId "+token),
		invalid("empty group", "SendMessage", send(`"MessageGroupId":""`), "Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId "+token),
		invalid("long group", "SendMessage", send(`"MessageGroupId":"`+strings.Repeat("g", 129)+`"`),
			"Value "+strings.Repeat("g", 129)+" for parameter MessageGroupId is invalid. Reason: MessageGroupId "+token),
		invalid("deduplication", "SendMessage", send(`"MessageDeduplicationId":"d"`),
			"Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type."),
		invalid("bad deduplication", "SendMessage", send(`"MessageDeduplicationId":""`),
			"Value  for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId "+token),
		invalid("empty attribute", "SendMessage", attribute("X", `{"DataType":"String","StringValue":""}`),
			"Message (user) attribute 'X' must contain a non-empty value of type 'String'."),
		invalid("attribute that is no number", "SendMessage", attribute("X", `{"DataType":"Number","StringValue":"ten"}`),
			"Can't cast the value of message (user) attribute 'X' to a number."),
		invalid("attribute that is too great", "SendMessage", attribute("X", `{"DataType":"Number","StringValue":"1e127"}`),
			`The value of attribute "X" is not a number of at most 38 digits between 1e-128 and 1e126.`),
		invalid("attribute that is much too great", "SendMessage", attribute("X", `{"DataType":"Number","StringValue":"1e1270"}`),
			`The value of attribute "X" is not a number of at most 38 digits between 1e-128 and 1e126.`),
		invalid("attribute of a long type", "SendMessage", attribute("X", `{"DataType":"String.`+strings.Repeat("x", 250)+`","StringValue":"v"}`),
			"Message (user) attribute types must be shorter than 256 Bytes"),
		invalid("attribute with an empty label", "SendMessage", attribute("X", `{"DataType":"String.","StringValue":"v"}`),
			`The type of attribute "X" is not valid.`),
		invalid("attribute of Amazon's", "SendMessage", attribute("aws.x", `{"DataType":"String","StringValue":"v"}`), reserved),
		invalid("attribute of Amazon's whole name", "SendMessage", attribute("AMAZON.x", `{"DataType":"String","StringValue":"v"}`), reserved),
		invalid("attribute that begins with a period", "SendMessage", attribute(".x", `{"DataType":"String","StringValue":"v"}`), reserved),
		invalid("attribute that ends with a period", "SendMessage", attribute("x.", `{"DataType":"String","StringValue":"v"}`), reserved),
		invalid("attribute with two periods", "SendMessage", attribute("x..y", `{"DataType":"String","StringValue":"v"}`),
			"An attribute's name must not begin or end with a period, or have two in a row."),
		invalid("attribute without a name", "SendMessage", attribute("", `{"DataType":"String","StringValue":"v"}`),
			"The request must contain non-empty message attribute name."),
		invalid("attribute with a space", "SendMessage", attribute("x y", `{"DataType":"String","StringValue":"v"}`), badName),
		invalid("attribute with a long name", "SendMessage", attribute(strings.Repeat("ä", 257), `{"DataType":"String","StringValue":"v"}`),
			"Message (user) attribute names must be shorter than 256 Bytes"),
		invalid("system attribute", "SendMessage", send(`"MessageSystemAttributes":{"SenderId":{"DataType":"String","StringValue":"v"}}`),
			"Message system attribute name 'SenderId' is invalid. Only AWSTraceHeader can be sent."),
		invalid("trace header of another type", "SendMessage", send(`"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"Number","StringValue":"1"}}`),
			"Message system attribute 'AWSTraceHeader' must be of type 'String' and hold a trace header."),
		{"list", "SendMessage", attribute("X", `{"DataType":"String","StringListValues":["v"]}`), 400,
			"AWS.SimpleQueueService.UnsupportedOperation;Sender", "com.amazonaws.sqs#UnsupportedOperation",
			"Message (user) attribute 'X' has a list of values, which is not supported."},
	})
	if after := s.state("jobs"); after != before {
		t.Errorf("the queue was changed from %s to %s", before, after)
	}
}

// A message's size is that of its body and of its attributes' names, types and values.
func TestSendSizes(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs","Attributes":{"MaximumMessageSize":"1024"}}`)
	message := func(body int) string {
		return `"MessageBody":"` + strings.Repeat("x", body) + `","MessageAttributes":{"ä":{"DataType":"Binary.l","BinaryValue":"AAAA"},"n":{"DataType":"Number","StringValue":"10"}},` +
			`"MessageSystemAttributes":{"AWSTraceHeader":{"DataType":"String","StringValue":"Root=1"}}`
	}
	const attributes = len("ä"+"Binary.l"+"000") + len("n"+"Number"+"10")
	s.must("SendMessage", `{"QueueUrl":"jobs",`+message(1024-attributes)+`}`)
	s.must("SetQueueAttributes", `{"QueueUrl":"jobs","Attributes":{"MaximumMessageSize":"1048576"}}`)
	batch := func(more int) string {
		return `{"QueueUrl":"jobs","Entries":[{"Id":"a",` + message(1<<19-attributes) + `},{"Id":"b",` + message(1<<19-attributes+more) + `}]}`
	}
	s.must("SendMessageBatch", batch(0))
	s.unchanged("jobs", func() {
		s.runRefused([]refused{
			{"batch", "SendMessageBatch", batch(1), 400, "AWS.SimpleQueueService.BatchRequestTooLong;Sender", "com.amazonaws.sqs#BatchRequestTooLong",
				"Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes."},
			invalid("message", "SendMessage", `{"QueueUrl":"jobs",`+message(1<<20-attributes+1)+`}`,
				"One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."),
		})
	})
	s.must("SetQueueAttributes", `{"QueueUrl":"jobs","Attributes":{"MaximumMessageSize":"1024"}}`)
	s.unchanged("jobs", func() {
		s.runRefused([]refused{invalid("message", "SendMessage", `{"QueueUrl":"jobs",`+message(1024-attributes+1)+`}`,
			"One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.")})
	})
}

// Each member of an entry fails that entry alone.
func TestSendBatchEntries(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	const token = " can only include alphanumeric and punctuation characters. 1 to 128 in length."
	tests := []struct{ member, code, message string }{
		{`"DelaySeconds":-1`, "InvalidParameterValue", "Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."},
		{`"MessageGroupId":""`, "InvalidParameterValue", "Value  for parameter MessageGroupId is invalid. Reason: MessageGroupId" + token},
		{`"MessageDeduplicationId":"a b"`, "InvalidParameterValue", "Value a b for parameter MessageDeduplicationId is invalid. Reason: MessageDeduplicationId" + token},
		{`"MessageDeduplicationId":"d"`, "InvalidParameterValue",
			"Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type."},
		{`"MessageAttributes":{"X":{"DataType":"String","StringValue":""}}`, "InvalidParameterValue",
			"Message (user) attribute 'X' must contain a non-empty value of type 'String'."},
		{`"MessageAttributes":{"X":{"DataType":"String","StringValue":"\u0001"}}`, "InvalidParameterValue",
			"The character U+0001 at byte 0 is not allowed in a message."},
		{`"MessageAttributes":{"X":{"DataType":"String","StringListValues":["v"]}}`, "AWS.SimpleQueueService.UnsupportedOperation",
			"Message (user) attribute 'X' has a list of values, which is not supported."},
		{`"MessageSystemAttributes":{"X":{"DataType":"String","StringValue":"v"}}`, "InvalidParameterValue",
			"Message system attribute name 'X' is invalid. Only AWSTraceHeader can be sent."},
	}
	for _, test := range tests {
		s.must("PurgeQueue", `{"QueueUrl":"jobs"}`)
		checkBody(t, s.must("SendMessageBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"good","MessageBody":"a"},{"Id":"bad","MessageBody":"b",`+test.member+`}]}`),
			`{"Successful":[{"Id":"good","MessageId":"<uuid>","MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661"}],`+
				`"Failed":[{"Id":"bad","SenderFault":true,"Code":"`+test.code+`","Message":"`+test.message+`"}]}`)
		if got := bodies(s.receive("jobs", `,"MaxNumberOfMessages":10`)); got != "a" {
			t.Errorf("%s: received %q", test.member, got)
		}
	}
}

func TestSendBatch(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs","Attributes":{"MaximumMessageSize":"1024"}}`)
	long := strings.Repeat("x", 1025)
	s.run([]wireTest{
		{"all of them", "SendMessageBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"b","MessageBody":"hello world"},{"Id":"a","MessageBody":"a",` +
			`"MessageAttributes":{"timestamp":{"DataType":"Number","StringValue":"1493147359900"}}}]}`,
			`{"Successful":[{"Id":"b","MessageId":"<uuid>","MD5OfMessageBody":"5eb63bbbe01eeed093cb22bb8f5acdc3"},` +
				`{"Id":"a","MessageId":"<uuid>","MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661","MD5OfMessageAttributes":"235c5c510d26fb653d073faed50ae77c"}]}`},
		{"some of them", "SendMessageBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"delay","MessageBody":"a","DelaySeconds":901},{"Id":"ok","MessageBody":"a"},` +
			`{"Id":"long","MessageBody":"` + long + `"},{"Id":"nul","MessageBody":"\u0000"}]}`,
			`{"Successful":[{"Id":"ok","MessageId":"<uuid>","MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661"}],"Failed":[` +
				`{"Id":"delay","SenderFault":true,"Code":"InvalidParameterValue","Message":"Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."},` +
				`{"Id":"long","SenderFault":true,"Code":"InvalidParameterValue","Message":"One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."},` +
				`{"Id":"nul","SenderFault":true,"Code":"InvalidMessageContents","Message":"Invalid binary character '#x0' was found in the message body, ` +
				`the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."}]}`},
		{"none of them", "SendMessageBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"a","MessageBody":"a","MessageGroupId":" "}]}`,
			`{"Failed":[{"Id":"a","SenderFault":true,"Code":"InvalidParameterValue","Message":"Value   for parameter MessageGroupId is invalid. Reason: ` +
				`MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."}]}`},
	})
	if got := strings.Count(s.receive("jobs", `,"MaxNumberOfMessages":10`), `"MessageId"`); got != 3 {
		t.Errorf("%d messages were sent, want 3", got)
	}
	s.runRefused([]refused{{
		"none of them to no queue", "SendMessageBatch", `{"QueueUrl":"nope","Entries":[{"Id":"a","MessageBody":"a","DelaySeconds":901}]}`, 400,
		"AWS.SimpleQueueService.NonExistentQueue;Sender", "com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.",
	}})
}

// batchActions are the actions on batches, the type of their entries and the
// members of a right one.
var batchActions = []struct{ action, entryType, entry string }{
	{"SendMessageBatch", "SendMessageBatchRequestEntry", `"MessageBody":"b"`},
	{"DeleteMessageBatch", "DeleteMessageBatchRequestEntry", `"ReceiptHandle":"r"`},
	{"ChangeMessageVisibilityBatch", "ChangeMessageVisibilityBatchRequestEntry", `"ReceiptHandle":"r"`},
}

func TestBatchesRefuse(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	const badID = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
	for _, batch := range batchActions {
		entries := func(ids ...string) string {
			list := make([]string, len(ids))
			for i, id := range ids {
				list[i] = `{"Id":"` + id + `",` + batch.entry + `}`
			}
			return `{"QueueUrl":"jobs","Entries":[` + strings.Join(list, ",") + `]}`
		}
		modeled := func(name, body, kind, message string) refused {
			return refused{name, batch.action, body, 400, "AWS.SimpleQueueService." + kind + ";Sender", "com.amazonaws.sqs#" + kind, message}
		}
		member, _, _ := strings.Cut(batch.entry, ":")
		s.runRefused([]refused{
			modeled("no entries", `{"QueueUrl":"jobs"}`, "EmptyBatchRequest", "There should be at least one "+batch.entryType+" in the request."),
			modeled("too many", entries(strings.Split("abcdefghijk", "")...), "TooManyEntriesInBatchRequest",
				"Maximum number of entries per request are 10. You have sent 11."),
			modeled("id twice", entries("a", "b", "a"), "BatchEntryIdsNotDistinct", "Id a repeated."),
			modeled("bad id", entries("a", "b.c"), "InvalidBatchEntryId", badID),
			modeled("long id", entries(strings.Repeat("a", 81)), "InvalidBatchEntryId", badID),
			modeled("empty id", entries("a", ""), "InvalidBatchEntryId", badID),
			lacking("no id", batch.action, `{"QueueUrl":"jobs","Entries":[{`+batch.entry+`}]}`, batch.entryType+".1.Id"),
			lacking("incomplete entry", batch.action, `{"QueueUrl":"jobs","Entries":[{"Id":"a",`+batch.entry+`},{"Id":"b"}]}`,
				batch.entryType+".2."+strings.Trim(member, `"`)),
		})
	}
	s.runRefused([]refused{{
		"too long", "SendMessageBatch", `{"QueueUrl":"jobs","Entries":[{"Id":"a","MessageBody":"` + strings.Repeat("a", 1<<20) + `"},{"Id":"b","MessageBody":"b"}]}`, 400,
		"AWS.SimpleQueueService.BatchRequestTooLong;Sender", "com.amazonaws.sqs#BatchRequestTooLong",
		"Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
	}})
	checkBody(t, s.receive("jobs", ``), `{}`)
}
