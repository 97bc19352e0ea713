package sqs_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tusq/api/auth"
	"tusq/api/sqs"
	"tusq/internal/telemetry"
	"tusq/service"
	"tusq/test/testservice"
)

const other = "111111111111"

// as serves a request for another account's owner.
func (s *setup) as(account string, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	ctx := telemetry.WithRequest(r.Context(), &telemetry.Request{ID: requestID})
	s.dialect.ServeHTTP(w, r.WithContext(auth.WithCaller(ctx, service.Owner(account))))
	return w
}

func policyOf(statement string) string { return `{"Statement":[` + statement + `]}` }

// What a policy says and tusq does not enforce is refused when it is set.
func TestPolicySubset(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	const rest = `"Action":"sqs:SendMessage","Resource":"` + arnPrefix + `jobs"}`
	for _, statement := range []string{
		`{"Effect":"Allow","Principal":"*",` + rest,
		`{"Sid":"x","Effect":"Allow","Principal":{"AWS":"*"},` + rest,
		`{"Effect":"Allow","Principal":{"AWS":["111111111111","arn:aws:iam::222222222222:root"]},` + rest,
		`{"Effect":"Allow","Principal":"*","Action":["SQS:*","sqs:sendmessage","sqs:Get*"],"Resource":["arn:aws:sqs:us-east-1:000000000000:jobs","*"]}`,
		`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`,
	} {
		s.must("SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"Policy": policyOf(statement)}))
	}
	for _, statement := range []string{
		`{}`,
		`{"Effect":"Deny","Principal":"*",` + rest,
		`{"Principal":"*",` + rest,
		`{"Effect":"Allow",` + rest,
		`{"Effect":"Allow","Principal":{},` + rest,
		`{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},` + rest,
		`{"Effect":"Allow","Principal":"111111111111",` + rest,
		`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/eve"},` + rest,
		`{"Effect":"Allow","Principal":{"AWS":"1"},` + rest,
		`{"Effect":"Allow","NotPrincipal":{"AWS":"111111111111"},` + rest,
		`{"Effect":"Allow","Principal":"*","NotAction":"sqs:SendMessage","Resource":"*"}`,
		`{"Effect":"Allow","Principal":"*","NotResource":"x","Action":"sqs:*"}`,
		`{"Effect":"Allow","Principal":"*","Action":"sqs:*"}`,
		`{"Effect":"Allow","Principal":"*","Resource":"*"}`,
		`{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"` + arnPrefix + `others"}`,
		`{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"arn:aws:sqs:eu-test-1:111111111111:jobs"}`,
		`{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"arn:aws:sqs:*:000000000000:j*"}`,
		`{"Effect":"Allow","Principal":"*","Action":"sqs:DeleteQueue","Resource":"*"}`,
		`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}`,
		`{"Effect":"Allow","Principal":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}},` + rest,
		`{"Effect":"Allow","Principal":"*","Conditions":{},` + rest,
	} {
		s.unchanged("jobs", func() {
			for _, r := range []*http.Request{
				request("SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"Policy": policyOf(statement)})),
				request("CreateQueue", input("QueueName", "other", map[string]string{"Policy": policyOf(statement)})),
			} {
				if w := s.do(r); w.Code != 400 || !strings.Contains(w.Body.String(), "This is not supported: ") {
					t.Errorf("%s: %d %s", statement, w.Code, w.Body)
				}
			}
		})
	}
}

// shared are the actions that an owner can permit, as requests to another account's queue.
var shared = []struct{ permission, action, more string }{
	{"SendMessage", "SendMessage", `,"MessageBody":"hello"`},
	{"SendMessage", "SendMessageBatch", `,"Entries":[{"Id":"a","MessageBody":"hello"}]`},
	{"ReceiveMessage", "ReceiveMessage", ``},
	{"DeleteMessage", "DeleteMessage", `,"ReceiptHandle":"$"`},
	{"DeleteMessage", "DeleteMessageBatch", `,"Entries":[{"Id":"a","ReceiptHandle":"$"}]`},
	{"ChangeMessageVisibility", "ChangeMessageVisibility", `,"ReceiptHandle":"$","VisibilityTimeout":60`},
	{"ChangeMessageVisibility", "ChangeMessageVisibilityBatch", `,"Entries":[{"Id":"a","ReceiptHandle":"$","VisibilityTimeout":60}]`},
	{"GetQueueAttributes", "GetQueueAttributes", `,"AttributeNames":["QueueArn"]`},
	{"ListDeadLetterSourceQueues", "ListDeadLetterSourceQueues", ``},
	{"PurgeQueue", "PurgeQueue", ``},
}

// owned are actions that no owner can permit.
var owned = []struct{ action, more string }{
	{"SetQueueAttributes", `,"Attributes":{"DelaySeconds":"1"}`},
	{"DeleteQueue", ``},
	{"ListQueueTags", ``},
	{"TagQueue", `,"Tags":{"a":"b"}`},
	{"UntagQueue", `,"TagKeys":["a"]`},
	{"AddPermission", `,"Label":"l","AWSAccountIds":["111111111111"],"Actions":["*"]`},
	{"RemovePermission", `,"Label":"one"`},
}

// receipt returns a receipt of a message that is in flight in the queue jobs.
func (s *setup) receipt() string {
	s.t.Helper()
	sent := []service.SendMessage{{Body: "secret"}}
	if _, err := s.svc.SendMessages(s.t.Context(), owner, "jobs", service.SendMessages{Messages: sent}); err != nil {
		s.t.Fatal(err)
	}
	got, err := s.svc.ReceiveMessages(s.t.Context(), owner, "jobs", service.ReceiveMessages{Max: 1})
	if err != nil || len(got) != 1 {
		s.t.Fatal(got, err)
	}
	return got[0].Receipt
}

// Each permission permits its own actions to its own account, and nothing else.
func TestPermissionsAreEnforced(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	absent := s.as(other, request("SendMessage", `{"QueueUrl":"`+publicURL+`/000000000000/absent","MessageBody":"x"}`))
	for i, permitted := range shared {
		if i > 0 && shared[i-1].permission == permitted.permission {
			continue
		}
		s.must("AddPermission", permit("one", `"111111111111"`, `"`+permitted.permission+`"`))
		for _, asked := range shared {
			body := `{"QueueUrl":"` + publicURL + `/000000000000/jobs"` + strings.ReplaceAll(asked.more, "$", s.receipt()) + `}`
			if asked.permission == permitted.permission {
				if w := s.as(other, request(asked.action, body)); w.Code != 200 || strings.Contains(w.Body.String(), `"Failed":[{`) {
					t.Errorf("%s with its permission: %d %s", asked.action, w.Code, w.Body)
				}
			} else if w := s.as(other, request(asked.action, body)); w.Code != absent.Code || w.Body.String() != absent.Body.String() {
				t.Errorf("%s with the permission of %s: %d %s", asked.action, permitted.permission, w.Code, w.Body)
			}
			if w := s.as("222222222222", request(asked.action, body)); w.Body.String() != absent.Body.String() {
				t.Errorf("%s of an account without permissions: %d %s", asked.action, w.Code, w.Body)
			}
		}
		s.must("RemovePermission", `{"QueueUrl":"jobs","Label":"one"}`)
	}
}

func TestOwnersActionsCannotBePermitted(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("TagQueue", `{"QueueUrl":"jobs","Tags":{"a":"secret"}}`)
	s.must("AddPermission", permit("one", `"111111111111"`, `"*"`))
	absent := s.as(other, request("SendMessage", `{"QueueUrl":"/000000000000/absent","MessageBody":"x"}`))
	s.unchanged("jobs", func() {
		for _, asked := range owned {
			w := s.as(other, request(asked.action, `{"QueueUrl":"/000000000000/jobs"`+asked.more+`}`))
			if w.Code != absent.Code || w.Body.String() != absent.Body.String() {
				t.Errorf("%s: %d %s", asked.action, w.Code, w.Body)
			}
		}
	})
}

// The other dialect's form, the path instead of the URL, and how the queue is found.
func TestPermittedByQuery(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	query := func(path string, pairs ...string) *http.Request {
		form := url.Values{"Version": {"2012-11-05"}}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	find := query("/", "Action", "GetQueueUrl", "QueueName", "jobs", "QueueOwnerAWSAccountId", account)
	if w := s.as(other, find); w.Code != 400 || !strings.Contains(w.Body.String(), "NonExistentQueue") {
		t.Errorf("found without permission: %d %s", w.Code, w.Body)
	}
	s.must("AddPermission", permit("one", `"111111111111"`, `"GetQueueUrl","SendMessage"`))
	find = query("/", "Action", "GetQueueUrl", "QueueName", "jobs", "QueueOwnerAWSAccountId", account)
	if w := s.as(other, find); w.Code != 200 || !strings.Contains(w.Body.String(), publicURL+"/000000000000/jobs<") {
		t.Errorf("not found with permission: %d %s", w.Code, w.Body)
	}
	if w := s.as(other, query("/000000000000/jobs", "Action", "SendMessage", "MessageBody", "x")); w.Code != 200 {
		t.Errorf("not sent with permission: %d %s", w.Code, w.Body)
	}
	if w := s.as(other, query("/000000000000/jobs", "Action", "ReceiveMessage")); w.Code != 400 {
		t.Errorf("received without permission: %d %s", w.Code, w.Body)
	}
}

// A permission ends on every replica.
func TestPermissionsEnd(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("AddPermission", permit("one", `"111111111111"`, `"SendMessage"`))
	replica := *s
	replica.svc = testservice.On(t, s.database, service.Options{Permits: sqs.Permits})
	replica.serve(false)
	sent := func() bool {
		return replica.as(other, request("SendMessage", `{"QueueUrl":"/000000000000/jobs","MessageBody":"x"}`)).Code == 200
	}
	if !sent() {
		t.Fatal("the other replica does not know of the permission")
	}
	s.must("RemovePermission", `{"QueueUrl":"jobs","Label":"one"}`)
	until(t, 10*time.Second, func() bool { return !sent() })
}

// A receive that waits ends with its permission, as a call without one does.
func TestPermissionEndsWhileReceiving(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	s.must("AddPermission", permit("one", `"111111111111"`, `"ReceiveMessage"`))
	receive := request("ReceiveMessage", `{"QueueUrl":"/000000000000/jobs","WaitTimeSeconds":20}`)
	got := make(chan *httptest.ResponseRecorder)
	go func() { got <- s.as(other, receive) }()
	until(t, 10*time.Second, func() bool { return s.svc.Waiting() == 1 })
	began := time.Now()
	s.must("RemovePermission", `{"QueueUrl":"jobs","Label":"one"}`)
	w := <-got
	fresh := s.as(other, request("ReceiveMessage", `{"QueueUrl":"/000000000000/jobs"}`))
	if took := time.Since(began); w.Code != fresh.Code || w.Body.String() != fresh.Body.String() || took > 10*time.Second {
		t.Errorf("after %v: %d %s, a fresh one: %d %s", took, w.Code, w.Body, fresh.Code, fresh.Body)
	}
}

// A policy that an earlier version kept, and that says more than is enforced, permits nothing.
func TestUnenforceablePolicyPermitsNothing(t *testing.T) {
	s := newSetup(t)
	const all = `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
	const deny = `{"Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"*","Resource":"*"}`
	for queue, statements := range map[string]string{"open": all, "mixed": all + "," + deny} {
		s.must("CreateQueue", `{"QueueName":"`+queue+`"}`)
		s.exec(`UPDATE queues SET extra = jsonb_build_object('Policy', $2::text) WHERE name = $1`, queue, policyOf(statements))
		w := s.as(other, request("SendMessage", `{"QueueUrl":"/000000000000/`+queue+`","MessageBody":"x"}`))
		if sent := w.Code == 200; sent != (queue == "open") {
			t.Errorf("%s: %d %s", queue, w.Code, w.Body)
		}
	}
}

func until(t *testing.T, limit time.Duration, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not happen in time")
		case <-time.After(20 * time.Millisecond):
		}
	}
}
