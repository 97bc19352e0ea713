package sqs_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func (s *setup) policy() string {
	s.t.Helper()
	return s.attributes("jobs", "Policy")["Policy"]
}

func permit(label, accounts, actions string) string {
	return `{"QueueUrl":"jobs","Label":` + strconv.Quote(label) + `,"AWSAccountIds":[` + accounts + `],"Actions":[` + actions + `]}`
}

const (
	policyHead   = `{"Version":"2008-10-17","Id":"arn:aws:sqs:eu-test-1:000000000000:jobs/SQSDefaultPolicy","Statement":[`
	oneStatement = `{"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},` +
		`"Action":"SQS:ReceiveMessage","Resource":"arn:aws:sqs:eu-test-1:000000000000:jobs"}`
	manyStatement = `{"Sid":"many","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]},` +
		`"Action":["SQS:*","SQS:SendMessage"],"Resource":"arn:aws:sqs:eu-test-1:000000000000:jobs"}`
)

func TestPermissions(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	for _, step := range []struct{ action, body, want string }{
		{"AddPermission", permit("one", `"111111111111"`, `"ReceiveMessage"`), policyHead + oneStatement + `]}`},
		{"AddPermission", permit("many", `"111111111111","222222222222"`, `"*","SendMessage"`), policyHead + oneStatement + `,` + manyStatement + `]}`},
		{"RemovePermission", `{"QueueUrl":"jobs","Label":"one"}`, policyHead + manyStatement + `]}`},
		{"RemovePermission", `{"QueueUrl":"jobs","Label":"many"}`, ``},
	} {
		s.checkAnswered(request(step.action, step.body), ``)
		if got := s.policy(); got != step.want {
			t.Errorf("%s %s:\n got %s\nwant %s", step.action, step.body, got, step.want)
		}
	}
}

// What others have written into a policy stays, and its one statement may stand without a list.
func TestPermissionsOfASetPolicy(t *testing.T) {
	s := newSetup(t)
	const own = `{"Sid":"own","Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}`
	s.must("CreateQueue", input("QueueName", "jobs", map[string]string{"Policy": `{ "Version": "2012-10-17", "Id": "mine", "Statement": ` + own + ` }`}))
	s.must("AddPermission", permit("one", `"111111111111"`, `"ReceiveMessage"`))
	if got, want := s.policy(), `{"Version":"2012-10-17","Id":"mine","Statement":[`+own+`,`+oneStatement+`]}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	s.must("RemovePermission", `{"QueueUrl":"jobs","Label":"own"}`)
	if got, want := s.policy(), `{"Version":"2012-10-17","Id":"mine","Statement":[`+oneStatement+`]}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestPermissionsRefuse(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	for i := range 19 {
		s.must("AddPermission", permit(fmt.Sprint("l", i), `"111111111111"`, `"ReceiveMessage"`))
	}
	const badLabel = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length."
	overLimit := func(name, body, message string) refused {
		return refused{name, "AddPermission", body, 403, "OverLimit;Sender", "com.amazonaws.sqs#OverLimit", message}
	}
	label := func(label, reason string) string {
		return "Value " + label + " for parameter Label is invalid. Reason: " + reason
	}
	s.unchanged("jobs", func() {
		s.runRefused([]refused{
			lacking("no label", "AddPermission", `{"QueueUrl":"jobs","AWSAccountIds":["111111111111"],"Actions":["*"]}`, "Label"),
			lacking("no accounts", "AddPermission", permit("l", ``, `"*"`), "AWSAccountIds"),
			lacking("no actions", "AddPermission", permit("l", `"111111111111"`, ``), "Actions"),
			invalid("bad label", "AddPermission", permit("a b", `"111111111111"`, `"*"`), label("a b", badLabel)),
			invalid("long label", "AddPermission", permit(strings.Repeat("l", 81), `"111111111111"`, `"*"`), label(strings.Repeat("l", 81), badLabel)),
			invalid("label twice", "AddPermission", permit("l0", `"111111111111"`, `"*"`), label("l0", "Already exists.")),
			invalid("bad account", "AddPermission", permit("l", `"111111111111","1"`, `"*"`),
				"Value [1] for parameter PrincipalId is invalid. Reason: Unable to verify principal."),
			invalid("owner's action", "AddPermission", permit("l", `"111111111111"`, `"SendMessage","DeleteQueue"`),
				"Value SQS:DeleteQueue for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action."),
			invalid("batch", "AddPermission", permit("l", `"111111111111"`, `"SendMessageBatch"`),
				"Value SQS:SendMessageBatch for parameter ActionName is invalid. Reason: Please refer to the appropriate WSDL for a list of valid actions."),
			overLimit("too many actions", permit("l", `"111111111111"`, repeat(8, `"SendMessage"`)), "8 Actions were found, maximum allowed is 7."),
			overLimit("too many accounts", permit("l", repeat(51, `"111111111111"`), `"*"`), "51 AWSAccountIds were found, maximum allowed is 50."),
			lacking("remove without a label", "RemovePermission", `{"QueueUrl":"jobs"}`, "Label"),
			invalid("remove a bad label", "RemovePermission", `{"QueueUrl":"jobs","Label":"ä"}`, label("ä", badLabel)),
			invalid("remove an unknown label", "RemovePermission", `{"QueueUrl":"jobs","Label":"nope"}`, label("nope", "can't find label.")),
		})
	})
	s.must("AddPermission", permit("l19", `"111111111111"`, `"ReceiveMessage"`))
	s.unchanged("jobs", func() {
		s.runRefused([]refused{overLimit("too many statements", permit("l20", `"111111111111"`, `"*"`),
			"21 statements were found in the submitted policy, max allowed is 20")})
	})
}

func TestPermissionThatDoesNotFit(t *testing.T) {
	s := newSetup(t)
	const own = `{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}`
	head := `{"Id":"` + strings.Repeat("x", 8192-len(`{"Id":"","Statement":[,]}`)-len(own)-len(oneStatement)) + `","Statement":[` + own
	s.must("CreateQueue", input("QueueName", "jobs", map[string]string{"Policy": head + `]}`}))
	one := permit("one", `"111111111111"`, `"ReceiveMessage"`)
	s.unchanged("jobs", func() {
		s.runRefused([]refused{{"too long", "AddPermission", strings.Replace(one, `"one"`, `"ones"`, 1), 403, "OverLimit;Sender",
			"com.amazonaws.sqs#OverLimit", "The policy would have 8193 bytes, maximum allowed is 8192."}})
	})
	s.must("AddPermission", one)
	if got, want := s.policy(), head+`,`+oneStatement+`]}`; got != want {
		t.Errorf("got %d bytes, want %d", len(got), len(want))
	}
}
