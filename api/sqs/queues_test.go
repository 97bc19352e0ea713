package sqs_test

import (
	"context"
	"strings"
	"testing"

	"tusq/service"
)

func TestQueueActions(t *testing.T) {
	s := newSetup(t)
	jobs := `{"QueueUrl":"http://queues.example/000000000000/jobs"}`
	s.run([]wireTest{
		{"list none", "ListQueues", `{}`, `{}`},
		{"create", "CreateQueue", `{"QueueName":"jobs","Attributes":{"DelaySeconds":"3"},"tags":{"team":"a b"}}`, jobs},
		{"create again", "CreateQueue", `{"QueueName":"jobs"}`, jobs},
		{"create again with the same", "CreateQueue", `{"QueueName":"jobs","Attributes":{"DelaySeconds":"3","VisibilityTimeout":"30"}}`, jobs},
		{"create again with other tags", "CreateQueue", `{"QueueName":"jobs","tags":{"team":"c"}}`, jobs},
		{"url", "GetQueueUrl", `{"QueueName":"jobs","QueueOwnerAWSAccountId":"000000000000"}`, jobs},
		{"create another", "CreateQueue", `{"QueueName":"Jobs_2"}`, `{"QueueUrl":"http://queues.example/000000000000/Jobs_2"}`},
		{"list", "ListQueues", ``, `{"QueueUrls":["http://queues.example/000000000000/Jobs_2","http://queues.example/000000000000/jobs"]}`},
		{"list a prefix", "ListQueues", `{"QueueNamePrefix":"jo"}`, `{"QueueUrls":["http://queues.example/000000000000/jobs"]}`},
		{"list a prefix that nothing has", "ListQueues", `{"QueueNamePrefix":"a b\u0000"}`, `{}`},
		{"purge", "PurgeQueue", `{"QueueUrl":"jobs"}`, ``},
		{"set", "SetQueueAttributes", `{"QueueUrl":"jobs","Attributes":{"DelaySeconds":"4"}}`, ``},
		{"create with the changed value", "CreateQueue", `{"QueueName":"jobs","Attributes":{"DelaySeconds":"4"}}`, jobs},
		{"delete", "DeleteQueue", `{"QueueUrl":"jobs"}`, ``},
	})
	s.runRefused([]refused{
		{"deleted", "GetQueueUrl", `{"QueueName":"jobs"}`, 400, "AWS.SimpleQueueService.NonExistentQueue;Sender",
			"com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist."},
	})
}

func TestQueueActionsRefuse(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs","Attributes":{"DelaySeconds":"3"}}`)
	const badName = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
	const page = "Must be between 1 and 1000, if provided."
	noQueue := func(name, action, body string) refused {
		return refused{name, action, body, 400, "AWS.SimpleQueueService.NonExistentQueue;Sender",
			"com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist."}
	}
	fifo := func(name, queue, kind string) refused {
		message := badName
		if strings.EqualFold(kind, "true") {
			message = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length"
		}
		return invalid(name, "CreateQueue", `{"QueueName":"`+queue+`","Attributes":{"FifoQueue":"`+kind+`"}}`, message)
	}
	s.runRefused([]refused{
		lacking("create without a name", "CreateQueue", `{}`, "QueueName"),
		invalid("create with a bad name", "CreateQueue", `{"QueueName":"a.b"}`, badName),
		invalid("create FIFO by the suffix and an attribute", "CreateQueue", `{"QueueName":"a.fifo","Attributes":{"ContentBasedDeduplication":"true"}}`, badName),
		invalid("create with a long name", "CreateQueue", `{"QueueName":"`+strings.Repeat("a", 81)+`"}`, badName),
		invalid("create by the suffix alone", "CreateQueue", `{"QueueName":"a.fifo"}`, badName),
		fifo("create a standard queue with the suffix", "a.fifo", "false"),
		fifo("create FIFO without the suffix", "a", "True"),
		fifo("create FIFO with another suffix", "a.FIFO", "true"),
		fifo("create FIFO with a bad name", "a.b.fifo", "true"),
		fifo("create FIFO with the suffix alone", ".fifo", "true"),
		fifo("create FIFO with a long name", strings.Repeat("a", 76)+".fifo", "true"),
		{"create with another value", "CreateQueue", `{"QueueName":"jobs","Attributes":{"DelaySeconds":"5"}}`, 400,
			"QueueAlreadyExists;Sender", "com.amazonaws.sqs#QueueNameExists",
			"A queue already exists with the same name and a different value for attribute DelaySeconds"},
		{"create with another policy", "CreateQueue", `{"QueueName":"jobs","Attributes":{"Policy":"{}"}}`, 400,
			"QueueAlreadyExists;Sender", "com.amazonaws.sqs#QueueNameExists",
			"A queue already exists with the same name and a different value for attribute Policy"},
		invalid("create with a bad tag", "CreateQueue", `{"QueueName":"tagged","tags":{"a\u0000":"b"}}`,
			"Tags are made of letters, digits, spaces and _ . : / = + - @."),
		lacking("url without a name", "GetQueueUrl", `{}`, "QueueName"),
		noQueue("url of an unknown queue", "GetQueueUrl", `{"QueueName":"nope"}`),
		noQueue("url of another account's", "GetQueueUrl", `{"QueueName":"jobs","QueueOwnerAWSAccountId":"111111111111"}`),
		invalid("list none", "ListQueues", `{"MaxResults":0}`, "Value 0 for parameter MaxResults is invalid. Reason: "+page),
		invalid("list too many", "ListQueues", `{"MaxResults":1001}`, "Value 1001 for parameter MaxResults is invalid. Reason: "+page),
		invalid("list with a bad token", "ListQueues", `{"NextToken":"%"}`, "Value % for parameter NextToken is invalid. Reason: Invalid or expired next token."),
	})
}

// A FIFO queue that exists need not be called one again, but it is no standard queue.
func TestCreateFIFOAgain(t *testing.T) {
	s := newSetup(t)
	url := `{"QueueUrl":"http://queues.example/000000000000/jobs.fifo"}`
	s.run([]wireTest{
		{"create", "CreateQueue", `{"QueueName":"jobs.fifo","Attributes":{"FifoQueue":"true"}}`, url},
		{"without attributes", "CreateQueue", `{"QueueName":"jobs.fifo"}`, url},
		{"with the value of another", "CreateQueue", `{"QueueName":"jobs.fifo","Attributes":{"DelaySeconds":"0"}}`, url},
	})
	s.runRefused([]refused{
		{"with another value", "CreateQueue", `{"QueueName":"jobs.fifo","Attributes":{"DelaySeconds":"1"}}`, 400,
			"QueueAlreadyExists;Sender", "com.amazonaws.sqs#QueueNameExists",
			"A queue already exists with the same name and a different value for attribute DelaySeconds"},
		invalid("as a standard queue", "CreateQueue", `{"QueueName":"jobs.fifo","Attributes":{"FifoQueue":"false"}}`,
			"Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"),
	})
}

// Programs create their queues at each start, also when the dead-letter queue has gone, or refuses sources, meanwhile.
func TestCreateAgainWithoutItsDeadLetterQueue(t *testing.T) {
	s := newSetup(t)
	create := func(name, receives string) string {
		policy := `{"deadLetterTargetArn":"` + arnPrefix + `dead","maxReceiveCount":` + receives + `}`
		return input("QueueName", name, map[string]string{"RedrivePolicy": policy})
	}
	s.must("CreateQueue", `{"QueueName":"dead"}`)
	s.must("CreateQueue", create("jobs", "3"))
	for _, away := range []func(){
		func() {
			s.must("SetQueueAttributes", input("QueueUrl", "dead", map[string]string{"RedriveAllowPolicy": `{"redrivePermission":"denyAll"}`}))
		},
		func() { s.must("DeleteQueue", `{"QueueUrl":"dead"}`) },
	} {
		away()
		s.must("CreateQueue", create("jobs", "3"))
		for _, other := range []string{create("jobs", "4"), create("fresh", "3")} {
			if w := s.do(request("CreateQueue", other)); w.Code != 400 || !strings.Contains(w.Body.String(), "ead") {
				t.Errorf("%s: %d %s", other, w.Code, w.Body)
			}
		}
	}
}

func TestListQueuesInPages(t *testing.T) {
	s := newSetup(t)
	for _, name := range []string{"a", "b", "c"} {
		s.must("CreateQueue", `{"QueueName":"`+name+`"}`)
	}
	first := s.must("ListQueues", `{"MaxResults":2}`)
	_, token, found := strings.Cut(first, `"NextToken":"`)
	if !found {
		t.Fatalf("no token in %s", first)
	}
	token = strings.TrimSuffix(token, `"}`)
	checkBody(t, s.must("ListQueues", `{"MaxResults":2,"NextToken":"`+token+`"}`),
		`{"QueueUrls":["http://queues.example/000000000000/c"]}`)
}

// The queue may be named by the path that is posted to, and QueueUrl goes before it.
func TestQueueOfThePath(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	r := request("GetQueueAttributes", `{"AttributeNames":["QueueArn"]}`)
	r.URL.Path = "/000000000000/jobs"
	s.checkAnswered(r, `{"Attributes":{"QueueArn":"arn:aws:sqs:eu-test-1:000000000000:jobs"}}`)

	r = request("GetQueueAttributes", `{"AttributeNames":["QueueArn"],"QueueUrl":"jobs"}`)
	r.URL.Path = "/000000000000/nope"
	s.checkAnswered(r, `{"Attributes":{"QueueArn":"arn:aws:sqs:eu-test-1:000000000000:jobs"}}`)
}

func TestTagsAreKept(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs","tags":{"team":"a b","empty":""}}`)
	queue, err := s.svc.GetQueue(context.Background(), owner, "jobs")
	if err != nil {
		t.Fatal(err)
	}
	if len(queue.Tags) != 2 || queue.Tags["team"] != "a b" {
		t.Errorf("tags %v", queue.Tags)
	}
}

func (s *setup) update(name string, change service.QueueChange) {
	s.t.Helper()
	if _, err := s.svc.UpdateQueue(context.Background(), owner, name, change); err != nil {
		s.t.Fatal(err)
	}
}
