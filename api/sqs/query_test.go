package sqs_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tusq/api/sqs"
	"tusq/internal/telemetry"
	"tusq/service"
)

func TestQueryIsRefusedInItsForm(t *testing.T) {
	t.Parallel()
	refusal := func(code, message string) string {
		return `<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>` + code +
			`</Code><Message>` + message + `</Message><Detail></Detail></Error><RequestId>` + requestID + `</RequestId></ErrorResponse>`
	}
	unsupported := refusal("AWS.SimpleQueueService.UnsupportedOperation", "The Query protocol is not supported. Use AWS JSON 1.0.")
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	tests := []struct {
		name, method, path, contentType, body string
		status                                int
		want                                  string
	}{
		{"form", "POST", "/", form, "Action=ListQueues&Version=2012-11-05", 400, unsupported},
		{"query string", "GET", "/000000000000/jobs?Action=ReceiveMessage", "", "", 400, unsupported},
		{"unknown action", "POST", "/", form, "Action=FooBar", 400, refusal("InvalidAction", "The action FooBar is not valid for this endpoint.")},
		{"no action", "POST", "/", form, "Version=2012-11-05", 404, "<UnknownOperationException/>"},
		{"nothing", "GET", "/", "", "", 404, "<UnknownOperationException/>"},
		{"bad form", "POST", "/", form, "Action=%zz", 400, refusal("SerializationException", "The request&#39;s body could not be read.")},
		{"other type", "POST", "/", "text/plain", "Action=ListQueues", 415, refusal("UnsupportedMediaType", "The Content-Type text/plain is not supported. Use application/x-amz-json-1.0.")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.contentType)
			r.Header.Set("X-Amz-Target", "AmazonSQS.ListQueues")
			w := httptest.NewRecorder()
			surrounded(sqs.New(nil, sqs.Options{})).ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			checkHeader(t, w.Header(), "Content-Type", "text/xml")
			checkBody(t, w.Body.String(), test.want)
		})
	}
}

func TestWriteErrorInQueryForm(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r = r.WithContext(telemetry.WithRequest(r.Context(), &telemetry.Request{ID: requestID}))
	w := httptest.NewRecorder()
	sqs.New(nil, sqs.Options{}).WriteError(w, r, service.Errorf(service.CodeOverloaded, "m"))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	checkHeader(t, w.Header(), "Retry-After", "1")
	checkBody(t, w.Body.String(), `<ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Receiver</Type>`+
		`<Code>ServiceUnavailable</Code><Message>The service is overloaded. Please try again later.</Message><Detail></Detail></Error>`+
		`<RequestId>`+requestID+`</RequestId></ErrorResponse>`)
}
