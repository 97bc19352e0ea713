package sqs_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tusq/service"
)

// attributes returns a queue's attributes of these names.
func (s *setup) attributes(queue string, names ...string) map[string]string {
	s.t.Helper()
	asked, err := json.Marshal(names)
	if err != nil {
		s.t.Fatal(err)
	}
	var out struct{ Attributes map[string]string }
	answer := s.must("GetQueueAttributes", `{"QueueUrl":"`+queue+`","AttributeNames":`+string(asked)+`}`)
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		s.t.Fatal(err)
	}
	return out.Attributes
}

// input makes the JSON of an input with attributes.
func input(member, queue string, attributes map[string]string) string {
	encoded, err := json.Marshal(map[string]any{member: queue, "Attributes": attributes})
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

func TestGetQueueAttributes(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.run([]wireTest{
		{"none asked for", "GetQueueAttributes", `{"QueueUrl":"jobs"}`, `{}`},
		{"one", "GetQueueAttributes", `{"QueueUrl":"jobs","AttributeNames":["VisibilityTimeout"]}`, `{"Attributes":{"VisibilityTimeout":"30"}}`},
		{"absent ones", "GetQueueAttributes", `{"QueueUrl":"jobs","AttributeNames":["Policy","FifoQueue","KmsMasterKeyId"]}`, `{}`},
		{"all", "GetQueueAttributes", `{"QueueUrl":"jobs","AttributeNames":["All"]}`,
			`{"Attributes":{"ApproximateNumberOfMessages":"0","ApproximateNumberOfMessagesDelayed":"0","ApproximateNumberOfMessagesNotVisible":"0",` +
				`"CreatedTimestamp":"<seconds>","DelaySeconds":"0","LastModifiedTimestamp":"<seconds>","MaximumMessageSize":"1048576",` +
				`"MessageRetentionPeriod":"345600","QueueArn":"arn:aws:sqs:eu-test-1:000000000000:jobs","ReceiveMessageWaitTimeSeconds":"0",` +
				`"SqsManagedSseEnabled":"true","VisibilityTimeout":"30"}}`},
	})
	s.runRefused([]refused{
		{"unknown", "GetQueueAttributes", `{"QueueUrl":"jobs","AttributeNames":["Foobar"]}`, 400,
			"InvalidAttributeName;Sender", "com.amazonaws.sqs#InvalidAttributeName", "Unknown Attribute Foobar."},
	})
}

func TestQueueCounters(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	for range 3 {
		s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"now"}`)
	}
	s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"later","DelaySeconds":900}`)
	s.receive("jobs", ``)
	got := s.attributes("jobs", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
	want := map[string]string{
		"ApproximateNumberOfMessages": "2", "ApproximateNumberOfMessagesNotVisible": "1", "ApproximateNumberOfMessagesDelayed": "1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// Every attribute comes back byte for byte as it was set, however it was set.
func TestAttributesComeBackAsSet(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"dead"}`)
	all := map[string]string{
		"VisibilityTimeout": "43200", "DelaySeconds": "900", "MaximumMessageSize": "1024",
		"MessageRetentionPeriod": "60", "ReceiveMessageWaitTimeSeconds": "20",
		"Policy":                       `{ "Version":"2012-10-17", "Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}] }`,
		"RedrivePolicy":                `{"maxReceiveCount" : "7", "deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}`,
		"RedriveAllowPolicy":           `{"redrivePermission":"byQueue", "sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:x"]}`,
		"KmsMasterKeyId":               "alias/aws/sqs",
		"KmsDataKeyReusePeriodSeconds": "86400",
		"SqsManagedSseEnabled":         "false",
	}
	s.must("CreateQueue", input("QueueName", "created", all))
	s.must("CreateQueue", `{"QueueName":"set"}`)
	s.must("SetQueueAttributes", input("QueueUrl", "set", all))
	for _, queue := range []string{"created", "set"} {
		if got := s.attributes(queue, slices.Collect(maps.Keys(all))...); !maps.Equal(got, all) {
			t.Errorf("%s: got %v", queue, got)
		}
		s.must("CreateQueue", input("QueueName", queue, all))
	}

	removed := map[string]string{"Policy": "", "RedrivePolicy": "", "RedriveAllowPolicy": "", "KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": "300"}
	s.must("SetQueueAttributes", input("QueueUrl", "set", removed))
	if got := s.attributes("set", slices.Collect(maps.Keys(removed))...); len(got) != 0 {
		t.Errorf("not removed: %v", got)
	}
	s.must("CreateQueue", input("QueueName", "set", removed))
}

func TestEncryptionAttributes(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	steps := []struct {
		set  map[string]string
		want string
	}{
		{map[string]string{"SqsManagedSseEnabled": "False"}, "false"},
		{map[string]string{"SqsManagedSseEnabled": "True"}, "true"},
		{map[string]string{"KmsMasterKeyId": "key"}, "false key"},
		{map[string]string{"SqsManagedSseEnabled": "true"}, "true"},
	}
	for _, step := range steps {
		s.must("SetQueueAttributes", input("QueueUrl", "jobs", step.set))
		got := s.attributes("jobs", "SqsManagedSseEnabled", "KmsMasterKeyId")
		if text := strings.TrimSpace(got["SqsManagedSseEnabled"] + " " + got["KmsMasterKeyId"]); text != step.want {
			t.Errorf("after %v: %s", step.set, text)
		}
	}
}

// A redrive policy that was set and then changed by other means is told anew.
func TestRedrivePolicyFollowsTheQueue(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"dead"}`)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	policy := `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}`
	s.must("SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"RedrivePolicy": policy}))
	if got := s.attributes("jobs", "RedrivePolicy")["RedrivePolicy"]; got != policy {
		t.Errorf("got %s", got)
	}
	s.update("jobs", service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 3}})
	changed := `{"deadLetterTargetArn":"arn:aws:sqs:eu-test-1:000000000000:dead","maxReceiveCount":3}`
	if got := s.attributes("jobs", "RedrivePolicy")["RedrivePolicy"]; got != changed {
		t.Errorf("after a change: got %s", got)
	}
	s.must("CreateQueue", input("QueueName", "jobs", map[string]string{"RedrivePolicy": changed}))
	s.update("jobs", service.QueueChange{DeadLetter: new(service.DeadLetter)})
	if got := s.attributes("jobs", "RedrivePolicy"); len(got) != 0 {
		t.Errorf("after its removal: got %v", got)
	}
}

// badValue, badName and badRedrive are attributes that are refused, for a queue
// whose name is yet to be filled in.
func badValue(name, value string) refused {
	return refused{name + " " + value, "", input("QueueUrl", "jobs", map[string]string{name: value}), 400,
		"InvalidAttributeValue;Sender", "com.amazonaws.sqs#InvalidAttributeValue", "Invalid value for the parameter " + name + "."}
}

func badName(name, message string) refused {
	return refused{name, "", input("QueueUrl", "jobs", map[string]string{name: "true"}), 400,
		"InvalidAttributeName;Sender", "com.amazonaws.sqs#InvalidAttributeName", message}
}

func badRedrive(value, reason string) refused {
	return invalid(value, "", input("QueueUrl", "jobs", map[string]string{"RedrivePolicy": value}),
		"Value "+value+" for parameter RedrivePolicy is invalid. Reason: "+reason)
}

func badAllow(value string) refused {
	test := badValue("RedriveAllowPolicy", value)
	test.message += " Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format."
	return test
}

func badSources(value, reason string) refused {
	return invalid(value, "", input("QueueUrl", "jobs", map[string]string{"RedriveAllowPolicy": value}),
		"Value "+value+" for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. "+reason)
}

// refusedAttributes are refused at the creation of a queue and afterwards.
func refusedAttributes() []refused {
	target := func(arn, count string) string {
		return `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":` + count + `}`
	}
	const dead = "arn:aws:sqs:eu-test-1:000000000000:dead"
	const count = ", valid values are from 1 to 1000 both inclusive."
	const byQueue = "To specify one or more source queue ARNs, you must set redrivePermission to byQueue."
	const noSources = "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values."
	return []refused{
		badValue("VisibilityTimeout", "-1"), badValue("VisibilityTimeout", "43201"), badValue("VisibilityTimeout", ""),
		badValue("VisibilityTimeout", "030"), badValue("VisibilityTimeout", "+30"), badValue("VisibilityTimeout", "3e1"),
		badValue("VisibilityTimeout", "99999999999999999999"), badValue("DelaySeconds", "901"),
		badValue("MessageRetentionPeriod", "59"), badValue("MessageRetentionPeriod", "1209601"),
		badValue("ReceiveMessageWaitTimeSeconds", "21"), badValue("MaximumMessageSize", "1023"), badValue("MaximumMessageSize", "1048577"),
		badValue("Policy", "x"), badValue("Policy", "[]"), badValue("Policy", "null"), badValue("Policy", `{"a":"`+strings.Repeat("x", 8192)+`"}`),
		badValue("SqsManagedSseEnabled", "yes"), badValue("KmsMasterKeyId", "a\x00"), badValue("KmsDataKeyReusePeriodSeconds", "59"),
		badValue("Policy", `{"Statement":[]} {}`), badValue("Policy", `{"Other":1}`), badValue("Policy", `{"Statement":1}`), badValue("Policy", `{"Statement":["x"]}`),
		badAllow("x"), badAllow("[]"), badAllow("null"), badAllow(`{"redrivePermission":"some"}`), badAllow(`{"redrivePermission":1}`), badAllow(`{"other":1}`),
		badAllow(`{"redrivePermission":"byQueue","sourceQueueArns":["x"]}`), badAllow(`{"redrivePermission":"byQueue","sourceQueueArns":"x"}`),
		badSources(`{"redrivePermission":"byQueue"}`, noSources), badSources(`{"redrivePermission":"byQueue","sourceQueueArns":[]}`, noSources),
		badSources(`{"redrivePermission":"byQueue","sourceQueueArns":[`+strings.Repeat(`"a",`, 10)+`"a"]}`, "The maximum number of source queue ARNs you can specify is 10."),
		badSources(`{"redrivePermission":"denyAll","sourceQueueArns":["a"]}`, byQueue), badSources(`{"sourceQueueArns":["a"]}`, byQueue),
		badName("Foobar", "Unknown Attribute Foobar."), badName("QueueArn", "Unknown Attribute QueueArn."), badName("All", "Unknown Attribute All."),
		badName("ContentBasedDeduplication", "Unknown Attribute ContentBasedDeduplication."),
		badName("DeduplicationScope", "You can specify the DeduplicationScope only when FifoQueue is set to true."),
		badName("FifoThroughputLimit", "You can specify the FifoThroughputLimit only when FifoQueue is set to true."),
		{"both encryptions", "", input("QueueUrl", "jobs", map[string]string{"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}), 400,
			"InvalidAttributeName;Sender", "com.amazonaws.sqs#InvalidAttributeName",
			"You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."},
		badRedrive(`x`, "Redrive policy is not a valid JSON map."),
		badRedrive(`[]`, "Redrive policy is not a valid JSON map."),
		badRedrive(`{}`, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
		badRedrive(`{"other":1}`, "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount], a string and a number."),
		badRedrive(target(dead, "0"), "Invalid value for maxReceiveCount: 0"+count),
		badRedrive(target(dead, `"1001"`), "Invalid value for maxReceiveCount: 1001"+count),
		badRedrive(target(dead, "1.5"), "Invalid value for maxReceiveCount: 1.5"+count),
		badRedrive(target("dead", "1"), "Dead-letter target ARN should be fully qualified ARN."),
		badRedrive(target("arn:aws:sqs:eu-test-1:000000000000:nope", "1"), "Dead letter target does not exist."),
		badRedrive(target("arn:aws:sqs:eu-test-1:111111111111:dead", "1"), "Dead letter target does not exist."),
		badRedrive(target("arn:aws:sqs:eu-test-1:000000000000:a b", "1"), "Dead letter target does not exist."),
		badRedrive(target(dead+".fifo", "1"), "Dead-letter queue must be same type of queue as the source.."),
		badRedrive(target(dead, "1")+" {}", "Redrive policy is not a valid JSON map."),
		badRedrive(target("arn:aws:sqs:eu-test-1:000000000000:closed", "1"), "The redrive allow policy of the dead-letter queue does not allow this source queue."),
	}
}

func TestAttributesRefuse(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("CreateQueue", `{"QueueName":"dead"}`)
	s.must("CreateQueue", input("QueueName", "closed", map[string]string{"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`}))
	var tests []refused
	for i, test := range refusedAttributes() {
		test.action = "SetQueueAttributes"
		tests = append(tests, test)
		test.action, test.name = "CreateQueue", "create "+test.name
		test.body = strings.Replace(test.body, `"QueueUrl":"jobs"`, `"QueueName":"new`+strconv.Itoa(i)+`"`, 1)
		tests = append(tests, test)
	}
	kind := badName("FifoQueue", "Unknown Attribute FifoQueue.")
	kind.action = "SetQueueAttributes"
	policy := `{"deadLetterTargetArn":"arn:aws:sqs:eu-test-1:000000000000:jobs","maxReceiveCount":1}`
	own := invalid("itself", "SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"RedrivePolicy": policy}),
		"Value "+policy+" for parameter RedrivePolicy is invalid. Reason: A queue cannot be its own dead-letter queue.")
	tests = append(tests, kind, own, lacking("no attributes", "SetQueueAttributes", `{"QueueUrl":"jobs"}`, "Attributes"))
	s.unchanged("jobs", func() { s.runRefused(tests) })
	checkBody(t, s.must("ListQueues", `{"QueueNamePrefix":"new"}`), `{}`)
}
