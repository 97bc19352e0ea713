package sqs_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"tusq/api/sqs"
	"tusq/service"
)

// changed is a request of AWS JSON with something wrong.
func changed(change func(*http.Request)) *http.Request {
	r := request("ListQueues", "{}")
	change(r)
	return r
}

func TestJSONFraming(t *testing.T) {
	t.Parallel()
	const unknown = "com.amazon.coral.service#UnknownOperationException"
	tests := []struct {
		name          string
		request       *http.Request
		status        int
		queryError    string
		kind, message string
	}{
		{
			"unknown action", request("FooBar", "{}"),
			400, "InvalidAction;Sender", unknown, "The action FooBar is not valid for this endpoint.",
		},
		{
			"another service's action", changed(func(r *http.Request) { r.Header.Set("X-Amz-Target", "Other.GetItem") }),
			400, "InvalidAction;Sender", unknown, "The action Other.GetItem is not valid for this endpoint.",
		},
		{
			"no action", changed(func(r *http.Request) { r.Header.Del("X-Amz-Target") }),
			400, "InvalidAction;Sender", unknown, "The action  is not valid for this endpoint.",
		},
		{
			"method", changed(func(r *http.Request) { r.Method = http.MethodPut }),
			405, "MethodNotAllowed;Sender", "com.amazon.coral.service#MethodNotAllowedException", "Actions are requested by POST.",
		},
		{
			"compressed", changed(func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }),
			415, "UnsupportedMediaType;Sender", "com.amazon.coral.service#UnsupportedMediaTypeException",
			"The Content-Encoding gzip is not supported.",
		},
		{
			"too long", changed(func(r *http.Request) { r.Body = http.MaxBytesReader(nil, r.Body, 1) }),
			413, "RequestEntityTooLarge;Sender", "com.amazon.coral.service#RequestEntityTooLargeException",
			"The request must not be longer than 1 bytes.",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			checkError(t, test.request, test.status, test.queryError, test.kind, test.message)
		})
	}
}

// checkError does a request that gets nowhere near the service and checks its
// whole answer.
func checkError(t *testing.T, r *http.Request, status int, queryError, kind, message string) {
	t.Helper()
	w := httptest.NewRecorder()
	surrounded(sqs.New(nil, sqs.Options{})).ServeHTTP(w, r)
	if w.Code != status {
		t.Errorf("status %d, want %d", w.Code, status)
	}
	checkHeader(t, w.Header(), "x-amzn-query-error", queryError)
	checkHeader(t, w.Header(), "x-amzn-RequestId", requestID)
	checkHeader(t, w.Header(), "Content-Type", jsonType)
	checkHeader(t, w.Header(), "Content-Length", strconv.Itoa(w.Body.Len()))
	checkBody(t, w.Body.String(), `{"__type":"`+kind+`","message":`+strconv.Quote(message)+`}`)
}

func TestJSONSyntax(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, action, body, message string }{
		{"not JSON", "CreateQueue", `{"QueueName":`, "The request is not valid JSON."},
		{"more after the JSON", "CreateQueue", `{} {}`, "The request is not valid JSON."},
		{"list", "CreateQueue", `[]`, "The request must be a JSON object, not array."},
		{"number for a string", "CreateQueue", `{"QueueName":7}`, "The member QueueName must be a string, not number."},
		{"number for an attribute", "CreateQueue", `{"QueueName":"q","Attributes":{"DelaySeconds":5}}`, "The member Attributes must be a string, not number."},
		{"string for an integer", "ReceiveMessage", `{"MaxNumberOfMessages":"7"}`, "The member MaxNumberOfMessages must be an integer, not string."},
		{"fraction for an integer", "SendMessageBatch", `{"Entries":[{"DelaySeconds":1.5}]}`, "The member DelaySeconds must be an integer, not number 1.5."},
		{"too large an integer", "ReceiveMessage", `{"WaitTimeSeconds":99999999999999999999}`, "The member WaitTimeSeconds must be an integer, not number 99999999999999999999."},
		{"object for a list", "SendMessageBatch", `{"Entries":{}}`, "The member Entries must be a list, not object."},
		{"bad base64", "SendMessage", `{"MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":"%"}}}`, "A binary value is not valid base64."},
		{"list for a binary", "SendMessage", `{"MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":[1,2]}}}`, "The member BinaryValue must be a base64 string, not array."},
		{"number for a binary", "SendMessage", `{"MessageAttributes":{"a":{"DataType":"Binary","BinaryValue":1}}}`, "The member BinaryValue must be a base64 string, not number."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			checkError(t, request(test.action, test.body), 400, "SerializationException;Sender",
				"com.amazon.coral.service#SerializationException", test.message)
		})
	}
}

// Members that are not known, null and the older version of the protocol are no errors.
func TestJSONIsReadLeniently(t *testing.T) {
	t.Parallel()
	r := request("GetQueueUrl", `{"Unknown":1,"QueueOwnerAWSAccountId":null,"QueueName":"not.a.name"}`)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1; charset=utf-8")
	checkError(t, r, 400, "AWS.SimpleQueueService.NonExistentQueue;Sender",
		"com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	unavailable := `{"__type":"com.amazon.coral.service#ServiceUnavailableException","message":"The service is temporarily unavailable. Please try again."}`
	tests := []struct {
		name       string
		err        error
		status     int
		queryError string
		retryAfter string
		body       string
	}{
		{
			"unavailable", &service.Error{Code: service.CodeUnavailable, Message: "m", Err: errors.New("host=secret")},
			503, "ServiceUnavailable;Receiver", "1", unavailable,
		},
		{
			"the context has ended", context.Canceled,
			503, "ServiceUnavailable;Receiver", "1", unavailable,
		},
		{
			"overloaded", service.Errorf(service.CodeOverloaded, "m"),
			503, "ServiceUnavailable;Receiver", "1",
			`{"__type":"com.amazon.coral.service#ServiceUnavailableException","message":"The service is overloaded. Please try again later."}`,
		},
		{
			"internal", errors.New("secret"),
			500, "InternalFailure;Receiver", "",
			`{"__type":"com.amazon.coral.service#InternalFailure","message":"We encountered an internal error. Please try again."}`,
		},
		{
			"too large", service.Errorf(service.CodeRequestTooLarge, "The body is too large."),
			413, "RequestEntityTooLarge;Sender", "",
			`{"__type":"com.amazon.coral.service#RequestEntityTooLargeException","message":"The body is too large."}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			sqs.New(nil, sqs.Options{}).WriteError(w, request("SendMessage", "{}"), test.err)
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			checkHeader(t, w.Header(), "x-amzn-query-error", test.queryError)
			checkHeader(t, w.Header(), "Retry-After", test.retryAfter)
			checkHeader(t, w.Header(), "Content-Type", jsonType)
			checkBody(t, w.Body.String(), test.body)
		})
	}
}
