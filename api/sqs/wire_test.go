package sqs_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// wireTest is a request and its whole answer.
type wireTest struct {
	name, action, body string
	want               string
}

// refused is a request and its error.
type refused struct {
	name, action, body string
	status             int
	queryError         string
	kind, message      string
}

// queueActions are the actions on a queue with inputs that are right but for it.
var queueActions = map[string]string{
	"AddPermission":                `"Label":"l","AWSAccountIds":["111111111111"],"Actions":["*"]`,
	"ChangeMessageVisibility":      `"ReceiptHandle":"r","VisibilityTimeout":0`,
	"ChangeMessageVisibilityBatch": `"Entries":[{"Id":"a","ReceiptHandle":"r","VisibilityTimeout":0}]`,
	"DeleteMessage":                `"ReceiptHandle":"r"`,
	"DeleteMessageBatch":           `"Entries":[{"Id":"a","ReceiptHandle":"r"}]`,
	"DeleteQueue":                  ``,
	"GetQueueAttributes":           ``,
	"ListDeadLetterSourceQueues":   ``,
	"ListQueueTags":                ``,
	"PurgeQueue":                   ``,
	"ReceiveMessage":               ``,
	"RemovePermission":             `"Label":"l"`,
	"SendMessage":                  `"MessageBody":"b"`,
	"SendMessageBatch":             `"Entries":[{"Id":"a","MessageBody":"b"}]`,
	"SetQueueAttributes":           `"Attributes":{"DelaySeconds":"1"}`,
	"TagQueue":                     `"Tags":{"k":"v"}`,
	"UntagQueue":                   `"TagKeys":["k"]`,
}

func members(list ...string) string {
	return "{" + strings.Trim(strings.Join(list, ","), ",") + "}"
}

func TestQueueOfEveryAction(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	missingQueue := `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}`
	for action, rest := range queueActions {
		for _, url := range []string{
			"http://h/000000000000/nope", "nope", "http://h/111111111111/jobs", "jobs.fifo", strings.Repeat("x", 81), "a b", "a\tb",
		} {
			s.checkRefused(action, members(`"QueueUrl":`+strconv.Quote(url), rest), 400,
				"AWS.SimpleQueueService.NonExistentQueue;Sender", missingQueue)
		}
		s.checkRefused(action, members(rest), 400, "MissingParameter;Sender",
			`{"__type":"com.amazon.coral.service#MissingRequiredParameterException","message":"The request must contain the parameter QueueUrl."}`)
		s.checkRefused(action, members(`"QueueUrl":"http://h/a/b/c"`, rest), 404, "InvalidAddress;Sender",
			`{"__type":"com.amazonaws.sqs#InvalidAddress","message":"The address http://h/a/b/c is not valid for this endpoint."}`)
	}
}

func (s *setup) checkRefused(action, body string, status int, queryError, want string) {
	s.t.Helper()
	w := s.do(request(action, body))
	if w.Code != status || w.Header().Get("x-amzn-query-error") != queryError || w.Body.String() != want {
		s.t.Errorf("%s %s:\n got %d %q %s\nwant %d %q %s", action, body,
			w.Code, w.Header().Get("x-amzn-query-error"), w.Body, status, queryError, want)
	}
}

// checkAnswered does an action and checks its whole answer.
func (s *setup) checkAnswered(r *http.Request, want string) {
	s.t.Helper()
	w := s.do(r)
	if w.Code != http.StatusOK {
		s.t.Errorf("status %d", w.Code)
	}
	checkHeader(s.t, w.Header(), "Content-Type", jsonType)
	checkHeader(s.t, w.Header(), "Content-Length", strconv.Itoa(w.Body.Len()))
	checkHeader(s.t, w.Header(), "x-amzn-RequestId", requestID)
	checkHeader(s.t, w.Header(), "x-amzn-query-error", "")
	checkBody(s.t, w.Body.String(), want)
}

// run runs tests in their order.
func (s *setup) run(tests []wireTest) {
	t := s.t
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			here := *s
			here.t = t
			here.checkAnswered(request(test.action, test.body), test.want)
		})
	}
}

func (s *setup) runRefused(tests []refused) {
	t := s.t
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			here := *s
			here.t = t
			here.checkRefused(test.action, test.body, test.status, test.queryError,
				`{"__type":"`+test.kind+`","message":`+strconv.Quote(test.message)+`}`)
			here.checkFormRefused(t, test)
		})
	}
}

// The kinds of most refusals.
const (
	invalidParameterType = "com.amazon.coral.service#InvalidParameterValueException"
	missingType          = "com.amazon.coral.service#MissingRequiredParameterException"
)

// invalid is a refusal for a parameter's value.
func invalid(name, action, body, message string) refused {
	return refused{name, action, body, 400, "InvalidParameterValue;Sender", invalidParameterType, message}
}

// lacking is a refusal for a parameter that is missing.
func lacking(name, action, body, parameter string) refused {
	return refused{name, action, body, 400, "MissingParameter;Sender", missingType,
		"The request must contain the parameter " + parameter + "."}
}
