package sqs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"tusq/api/sqs"
	"tusq/internal/telemetry"
	"tusq/service"
)

const (
	formType  = "application/x-www-form-urlencoded; charset=utf-8"
	namespace = ` xmlns="http://queue.amazonaws.com/doc/2012-11-05/"`
	metadata  = `<ResponseMetadata><RequestId>` + requestID + `</RequestId></ResponseMetadata>`
)

// query makes a request of the Query protocol to a path.
func query(path, form string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Content-Type", formType)
	return r
}

// answerOf is an action's answer in XML. Without a result it has no such element.
func answerOf(action, result string) string {
	if result != "" {
		result = "<" + action + "Result>" + result + "</" + action + "Result>"
	}
	return "<" + action + "Response" + namespace + ">" + result + metadata + "</" + action + "Response>"
}

// refusalOf is an error in XML.
func refusalOf(fault, code, message string) string {
	return "<ErrorResponse" + namespace + "><Error><Type>" + fault + "</Type><Code>" + code + "</Code><Message>" + message +
		"</Message><Detail/></Error><RequestId>" + requestID + "</RequestId></ErrorResponse>"
}

// checkQuery checks a whole answer of the Query protocol.
func (s *setup) checkQuery(r *http.Request, status int, want string) {
	s.t.Helper()
	w := s.do(r)
	if w.Code != status {
		s.t.Errorf("status %d, want %d", w.Code, status)
	}
	checkHeader(s.t, w.Header(), "Content-Type", "text/xml")
	checkHeader(s.t, w.Header(), "Content-Length", strconv.Itoa(w.Body.Len()))
	checkHeader(s.t, w.Header(), "x-amzn-RequestId", requestID)
	checkBody(s.t, w.Body.String(), want)
}

// Requests as old clients send them, and the whole of their answers.
func TestQueryWire(t *testing.T) {
	s := newSetup(t)
	const jobs = "/000000000000/jobs"
	const queueURL = "<QueueUrl>" + publicURL + jobs + "</QueueUrl>"
	tests := []struct{ action, path, form, result string }{
		{"CreateQueue", "/", "QueueName=jobs&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=0&Tag.1.Key=team&Tag.1.Value=a+b", queueURL},
		{"GetQueueUrl", "/", "QueueName=jobs", queueURL},
		{"ListQueues", "/", "QueueNamePrefix=jo", queueURL},
		{"ListQueues", "/", "QueueNamePrefix=none", "."},
		{"ListQueueTags", jobs, "", "<Tag><Key>team</Key><Value>a b</Value></Tag>"},
		{"TagQueue", jobs, "Tag.1.Key=a&Tag.1.Value=b", ""},
		{"UntagQueue", jobs, "TagKey.1=a&TagKey.2=team", ""},
		{"ListQueueTags", jobs, "", "."},
		{"SetQueueAttributes", jobs, "Attribute.Name=DelaySeconds&Attribute.Value=0", ""},
		{"GetQueueAttributes", jobs, "AttributeName=DelaySeconds", "<Attribute><Name>DelaySeconds</Name><Value>0</Value></Attribute>"},
		{"GetQueueAttributes", jobs, "AttributeName.1=VisibilityTimeout&AttributeName.2=DelaySeconds", "<Attribute><Name>DelaySeconds</Name><Value>0</Value></Attribute><Attribute><Name>VisibilityTimeout</Name><Value>0</Value></Attribute>"},
		{"GetQueueAttributes", jobs, "", "."},
		{"AddPermission", jobs, "Label=l&AWSAccountId.1=111111111111&ActionName.1=SendMessage", ""},
		{"RemovePermission", jobs, "Label=l", ""},
		{"ListDeadLetterSourceQueues", jobs, "", "."},
		{"ReceiveMessage", jobs, "MaxNumberOfMessages=10", "."},
		{
			"SendMessage", jobs, "MessageBody=%3Ca%3E%0D%0A%22&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v",
			"<MessageId><uuid></MessageId><MD5OfMessageBody>1830ef28e06782dd6fc0d01926446889</MD5OfMessageBody><MD5OfMessageAttributes>f4b238699da710fd012839c16c09f1ca</MD5OfMessageAttributes>",
		},
		{
			"ReceiveMessage", jobs, "AttributeName.1=SenderId&MessageSystemAttributeName.1=ApproximateReceiveCount&MessageAttributeName.1=All",
			"<Message><MessageId><uuid></MessageId><ReceiptHandle><receipt></ReceiptHandle><MD5OfBody>1830ef28e06782dd6fc0d01926446889</MD5OfBody><Body>&lt;a&gt;&#xD;\n&quot;</Body>" +
				"<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute><Attribute><Name>SenderId</Name><Value>000000000000</Value></Attribute>" +
				"<MD5OfMessageAttributes>f4b238699da710fd012839c16c09f1ca</MD5OfMessageAttributes><MessageAttribute><Name>n</Name><Value><DataType>String</DataType><StringValue>v</StringValue></Value></MessageAttribute></Message>",
		},
		{
			"SendMessageBatch", jobs, "SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b&SendMessageBatchRequestEntry.2.Id=c&SendMessageBatchRequestEntry.2.MessageBody=%01",
			"<SendMessageBatchResultEntry><Id>a</Id><MessageId><uuid></MessageId><MD5OfMessageBody>92eb5ffee6ae2fec3ad71c777531578f</MD5OfMessageBody></SendMessageBatchResultEntry>" +
				"<BatchResultErrorEntry><Id>c</Id><SenderFault>true</SenderFault><Code>InvalidMessageContents</Code><Message>Invalid binary character '#x1' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].</Message></BatchResultErrorEntry>",
		},
		{
			"DeleteMessageBatch", jobs, "DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle=x",
			"<BatchResultErrorEntry><Id>a</Id><SenderFault>true</SenderFault><Code>ReceiptHandleIsInvalid</Code><Message>The input receipt handle &quot;x&quot; is not a valid receipt handle.</Message></BatchResultErrorEntry>",
		},
		{
			"ListMessageMoveTasks", "/", "SourceArn=arn:aws:sqs:eu-test-1:000000000000:jobs", ".",
		},
		{"PurgeQueue", jobs, "", ""},
		{"DeleteQueue", "/", "QueueUrl=http%3A%2F%2Felsewhere%2F000000000000%2Fjobs", ""},
	}
	for _, test := range tests {
		want := strings.ReplaceAll(answerOf(test.action, test.result), "<"+test.action+"Result>.</"+test.action+"Result>", "<"+test.action+"Result/>")
		s.checkQuery(query(test.path, "Action="+test.action+"&Version=2012-11-05&"+test.form), 200, want)
		if t.Failed() {
			t.Fatalf("at %s %s", test.action, test.form)
		}
	}
}

// Deletions and visibilities by receipts, in a batch and one by one, by POST and GET.
func TestQuerySettles(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	for _, body := range []string{"a", "b", "c"} {
		s.must("SendMessage", `{"QueueUrl":"jobs","MessageBody":"`+body+`"}`)
	}
	handles := receipts(s.receive("jobs", `,"MaxNumberOfMessages":10`))
	if len(handles) != 3 {
		t.Fatalf("%d receipts", len(handles))
	}
	const jobs = "/000000000000/jobs"
	s.checkQuery(query(jobs, "Action=ChangeMessageVisibility&VisibilityTimeout=60&ReceiptHandle="+handles[0]), 200, answerOf("ChangeMessageVisibility", ""))
	s.checkQuery(query(jobs, "Action=ChangeMessageVisibilityBatch&ChangeMessageVisibilityBatchRequestEntry.1.Id=a&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=60&ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle="+handles[0]),
		200, answerOf("ChangeMessageVisibilityBatch", "<ChangeMessageVisibilityBatchResultEntry><Id>a</Id></ChangeMessageVisibilityBatchResultEntry>"))
	s.checkQuery(query(jobs, "Action=DeleteMessageBatch&DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle="+handles[0]),
		200, answerOf("DeleteMessageBatch", "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>"))
	s.checkQuery(query(jobs, "Action=DeleteMessage&ReceiptHandle="+handles[1]), 200, answerOf("DeleteMessage", ""))
	presigned := jobs + "?Action=DeleteMessage&Version=2012-11-05&ReceiptHandle=" + handles[2] +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k%2F20260101%2Fus-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=ab"
	s.checkQuery(httptest.NewRequest(http.MethodGet, presigned, nil), 200, answerOf("DeleteMessage", ""))
	if answer := s.must("GetQueueAttributes", `{"QueueUrl":"jobs","AttributeNames":["ApproximateNumberOfMessagesNotVisible"]}`); !strings.Contains(answer, `"0"`) {
		t.Errorf("messages are left: %s", answer)
	}
}

func TestQueryFindsItsQueue(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("CreateQueue", `{"QueueName":"other"}`)
	const ask = "Action=GetQueueAttributes&AttributeName.1=QueueArn"
	arn := func(name string) string {
		return answerOf("GetQueueAttributes", "<Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:eu-test-1:000000000000:"+name+"</Value></Attribute>")
	}
	get := func(target string) *http.Request { return httptest.NewRequest(http.MethodGet, target, nil) }
	encoded := url.QueryEscape("https://sqs.eu-west-1.amazonaws.com/000000000000/other")
	s.checkQuery(query("/000000000000/jobs", ask), 200, arn("jobs"))
	s.checkQuery(query("/000000000000/jobs/", ask), 200, arn("jobs"))
	s.checkQuery(query("/000000000000/jobs", ask+"&QueueUrl="), 200, arn("jobs"))
	s.checkQuery(query("/000000000000/jobs", ask+"&QueueUrl="+encoded), 200, arn("other"))
	s.checkQuery(query("/", ask+"&QueueUrl="+encoded), 200, arn("other"))
	s.checkQuery(query("/?QueueUrl="+encoded, ask), 200, arn("other"))
	s.checkQuery(get("/000000000000/jobs?"+ask), 200, arn("jobs"))
	s.checkQuery(get("/?"+ask+"&QueueUrl=other"), 200, arn("other"))
	s.checkQuery(get("/?"+ask), 400, refusalOf("Sender", "MissingParameter", "The request must contain the parameter QueueUrl."))

	missing := refusalOf("Sender", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version.")
	s.checkQuery(query("/000000000000/nope", ask), 400, missing)
	s.checkQuery(query("/", "Action=GetQueueUrl&QueueName=nope"), 400, missing)
	s.checkQuery(query("/", ask+"&QueueUrl=a/b/c"), 404, refusalOf("Sender", "InvalidAddress", "The address a/b/c is not valid for this endpoint."))
}

// A form is Query whatever its other headers say.
func TestQueryOfClientsWithTargetHeaders(t *testing.T) {
	s := newSetup(t)
	r := query("/", "Action=CreateQueue&QueueName=jobs")
	r.Header.Set("X-Amz-Target", "AmazonSQSv20121105.CreateQueue")
	s.checkQuery(r, 200, answerOf("CreateQueue", "<QueueUrl>"+publicURL+"/000000000000/jobs</QueueUrl>"))
}

func TestQueryAnswersInJSON(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	const jsonMetadata = `"ResponseMetadata":{"RequestId":"` + requestID + `"}`
	tests := []struct {
		accept, form string
		status       int
		contentType  string
		want         string
	}{
		{"application/json", "Action=ListQueues", 200, "application/json", `{"ListQueuesResponse":{"ListQueuesResult":{"QueueUrls":["` + publicURL + `/000000000000/jobs"]},` + jsonMetadata + `}}`},
		{"application/json", "Action=PurgeQueue&QueueUrl=jobs", 200, "application/json", `{"PurgeQueueResponse":{` + jsonMetadata + `}}`},
		{"application/json", "Action=PurgeQueue&QueueUrl=nope", 400, "application/json", `{"Error":{"Type":"Sender","Code":"AWS.SimpleQueueService.NonExistentQueue","Message":"The specified queue does not exist for this wsdl version.","Detail":null},"RequestId":"` + requestID + `"}`},
		{"application/json, text/xml", "Action=PurgeQueue&QueueUrl=jobs", 200, "text/xml", answerOf("PurgeQueue", "")},
		{"*/*", "Action=PurgeQueue&QueueUrl=jobs", 200, "text/xml", answerOf("PurgeQueue", "")},
	}
	for _, test := range tests {
		r := query("/", test.form)
		r.Header.Set("Accept", test.accept)
		w := s.do(r)
		if w.Code != test.status {
			t.Errorf("status %d, want %d", w.Code, test.status)
		}
		checkHeader(t, w.Header(), "Content-Type", test.contentType)
		checkHeader(t, w.Header(), "Content-Length", strconv.Itoa(w.Body.Len()))
		checkBody(t, w.Body.String(), test.want)
	}
}

func TestQueryFraming(t *testing.T) {
	t.Parallel()
	invalid := func(name string) string {
		return refusalOf("Sender", "InvalidAction", "The action "+name+" is not valid for this endpoint.")
	}
	crossSite := func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }
	browser := func(r *http.Request) { r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0") }
	tests := []struct {
		name, method, target, contentType, body string
		change                                  func(*http.Request)
		status                                  int
		want                                    string
	}{
		{"unknown action", "POST", "/", formType, "Action=FooBar", nil, 400, invalid("FooBar")},
		{"unknown action by GET", "GET", "/000000000000/jobs?Action=FooBar", "", "", nil, 400, invalid("FooBar")},
		{"action with what XML cannot hold", "POST", "/", formType, "Action=%3C%00%3E", nil, 400, invalid("&lt;\uFFFD&gt;")},
		{"CreateQueue at a queue", "POST", "/000000000000/jobs", formType, "Action=CreateQueue&QueueName=a", nil, 400, invalid("CreateQueue")},
		{"ListQueues at a queue", "GET", "/000000000000/jobs?Action=ListQueues", "", "", nil, 400, invalid("ListQueues")},
		{"GetQueueUrl at a queue", "GET", "/000000000000/jobs?Action=GetQueueUrl", "", "", nil, 400, invalid("GetQueueUrl")},
		{"no action", "POST", "/", formType, "Version=2012-11-05", nil, 404, "<UnknownOperationException/>"},
		{"empty action", "POST", "/", formType, "Action=", nil, 404, "<UnknownOperationException/>"},
		{"nothing", "GET", "/000000000000/jobs", "", "", nil, 404, "<UnknownOperationException/>"},
		{"bad escape", "POST", "/", formType, "Action=%zz", nil, 400, refusalOf("Sender", "MalformedInput", "The request has an invalid % escape.")},
		{"bad escape in the URL", "GET", "/?Action=%zz", "", "", nil, 400, refusalOf("Sender", "MalformedInput", "The request has an invalid % escape.")},
		{"two actions", "POST", "/?Action=ListQueues", formType, "Action=PurgeQueue", nil, 400, refusalOf("Sender", "MalformedInput", "The parameter Action is given more than once.")},
		{"bad number", "POST", "/", formType, "Action=ReceiveMessage&MaxNumberOfMessages=ten", nil, 400, refusalOf("Sender", "InvalidParameterValue", "Value ten for parameter MaxNumberOfMessages is invalid. Reason: Must be an integer.")},
		{"other type", "POST", "/", "text/plain", "Action=ListQueues", nil, 415, refusalOf("Sender", "UnsupportedMediaType", "The Content-Type text/plain is not supported. Use application/x-amz-json-1.0 or application/x-www-form-urlencoded.")},
		{"method", "PUT", "/000000000000/jobs", formType, "Action=ListQueues", nil, 405, refusalOf("Sender", "MethodNotAllowed", "Actions are requested by POST or GET.")},
		{"compressed", "POST", "/", formType, "Action=ListQueues", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 415, refusalOf("Sender", "UnsupportedMediaType", "The Content-Encoding gzip is not supported.")},
		{"too long", "POST", "/", formType, "Action=ListQueues", func(r *http.Request) { r.Body = http.MaxBytesReader(nil, r.Body, 1) }, 413, refusalOf("Sender", "RequestEntityTooLarge", "The request must not be longer than 1 bytes.")},
		{"another site's page", "GET", "/000000000000/jobs?Action=DeleteQueue", "", "", crossSite, 400, refusalOf("Sender", "SerializationException", "A browser sent this for a page of another site.")},
		{"a browser's that does not say whose", "GET", "/000000000000/jobs?Action=DeleteQueue", "", "", browser, 400, refusalOf("Sender", "SerializationException", "A browser sent this for a page of another site.")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.contentType)
			if test.change != nil {
				test.change(r)
			}
			s := &setup{t: t, handler: surrounded(sqs.New(nil, sqs.Options{}))}
			s.checkQuery(r, test.status, test.want)
		})
	}
}

func TestWriteErrorInQueryForm(t *testing.T) {
	t.Parallel()
	r := query("/", "")
	r = r.WithContext(telemetry.WithRequest(context.Background(), &telemetry.Request{ID: requestID}))
	w := httptest.NewRecorder()
	sqs.New(nil, sqs.Options{}).WriteError(w, r, service.Errorf(service.CodeOverloaded, "m"))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	checkHeader(t, w.Header(), "Retry-After", "1")
	checkHeader(t, w.Header(), "Cache-Control", "no-store")
	checkBody(t, w.Body.String(), refusalOf("Receiver", "ServiceUnavailable", "The service is overloaded. Please try again later."))
}
