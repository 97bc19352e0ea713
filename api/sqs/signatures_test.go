package sqs_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"tusq/test/testserver"
)

// Requests that are not signed, or not by a key, are refused in the form of their protocol, whatever
// they ask for, and their parameters are not looked at.
func TestUnsigned(t *testing.T) {
	t.Parallel()
	server := testserver.NewSecure(t)
	unknown := "AWS4-HMAC-SHA256 Credential=TQAAAAAAAAAAAAAAAAAA/" + time.Now().UTC().Format("20060102") +
		"/us-east-1/sqs/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + strings.Repeat("0", 64)
	const form, json = "application/x-www-form-urlencoded", "application/x-amz-json-1.0"
	for _, test := range []struct {
		method, target, media, authorization, body string
		status                                     int
		want                                       string
	}{
		{"POST", "/", json, "", `{"QueueName":"orders"}`, 403, `"__type":"com.amazon.coral.service#MissingAuthenticationTokenException"`},
		{"POST", "/", json, "", `not JSON`, 403, `MissingAuthenticationTokenException`},
		{"POST", "/", json, "Bearer " + server.Token(), `{}`, 400, `IncompleteSignatureException`},
		{"POST", "/", json, unknown, `{}`, 403, `"__type":"com.amazon.coral.service#UnrecognizedClientException"`},
		{"POST", "/", form, "", "Action=ListQueues", 403, `<Code>MissingAuthenticationToken</Code>`},
		{"POST", "/", form, "", "%zz", 403, `<Code>MissingAuthenticationToken</Code>`},
		{"POST", "/", form, "Basic eDp5", "Action=ListQueues", 400, `<Code>IncompleteSignature</Code>`},
		{"POST", "/", form, "Nothing", "Action=ListQueues", 400, `<Code>IncompleteSignature</Code>`},
		{"GET", "/?Action=ListQueues", "", "", "", 403, `<Code>MissingAuthenticationToken</Code>`},
		{"GET", "/000000000000/orders?Action=DeleteQueue", "", "", "", 403, `<Code>MissingAuthenticationToken</Code>`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.target, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", test.media)
		r.Header.Set("X-Amz-Date", time.Now().UTC().Format("20060102T150405Z"))
		if test.media == json {
			r.Header.Set("X-Amz-Target", "AmazonSQS.CreateQueue")
		}
		if test.authorization != "" {
			r.Header.Set("Authorization", test.authorization)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != test.status || !strings.Contains(string(body), test.want) || response.Header.Get("Date") == "" {
			t.Errorf("%s %s %s by %.20q: %d %s, %v; want %d %s", test.method, test.target, test.media, test.authorization,
				response.StatusCode, body, err, test.status, test.want)
		}
	}
}
