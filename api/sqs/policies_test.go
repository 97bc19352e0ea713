package sqs_test

import (
	"strings"
	"testing"

	"tusq/service"
)

// policies are JSON of policies, each with something as often as a number says.
var policies = []struct {
	name string
	text func(n int) string
	max  int
	what string
}{
	{"statements", func(n int) string {
		return `{"Statement":[` + repeat(n, `{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*"}`) + `]}`
	}, 20,
		"statements were found in the submitted policy, max allowed is 20"},
	{"actions", func(n int) string {
		return `{"Statement":{"Effect":"Allow","Principal":"*","Resource":"*","Action":[` + repeat(n, `"sqs:*"`) + `]}}`
	}, 7,
		"actions were found in a statement of the submitted policy, max allowed is 7"},
	{"principals", func(n int) string {
		return `{"Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*","Principal":{"AWS":[` + repeat(n, `"111111111111"`) + `]}}]}`
	}, 50, "principals were found in a statement of the submitted policy, max allowed is 50"},
}

func repeat(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }

func TestPolicyLimits(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	number := map[int]string{21: "21", 8: "8", 51: "51"}
	for _, policy := range policies {
		good := policy.text(policy.max)
		s.must("SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"Policy": good}))
		if got := s.policy(); got != good {
			t.Errorf("got %s, want %s", got, good)
		}
		bad := policy.text(policy.max + 1)
		message := number[policy.max+1] + " " + policy.what
		s.unchanged("jobs", func() {
			s.runRefused([]refused{
				{"set " + policy.name, "SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"Policy": bad}), 403,
					"OverLimit;Sender", "com.amazonaws.sqs#OverLimit", message},
				invalid("create with "+policy.name, "CreateQueue", input("QueueName", "other", map[string]string{"Policy": bad}), message),
			})
		})
	}
	longest := `{"Id":"` + strings.Repeat("x", 8192-len(`{"Id":""}`)) + `"}`
	s.must("SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"Policy": longest}))
	s.unchanged("jobs", func() {
		s.runRefused([]refused{badPolicy(strings.Replace(longest, "x", "xx", 1)), badPolicy(`{"Statement":[{"Action":1}]}`), badPolicy(`{"Statement":[{"Condition":"x"}]}`)})
	})
}

func badPolicy(value string) refused {
	test := badValue("Policy", value)
	test.name, test.action = "bad policy", "SetQueueAttributes"
	return test
}

// Who may use a queue as a dead-letter queue is what its redrive allow policy says.
func TestRedriveAllowPolicy(t *testing.T) {
	s := newSetup(t)
	s.must("CreateQueue", `{"QueueName":"dead"}`)
	s.must("CreateQueue", `{"QueueName":"jobs"}`)
	redrive := input("QueueUrl", "jobs", map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + arnPrefix + `dead","maxReceiveCount":3}`})
	const denyAll = `{"redrivePermission":"denyAll"}`
	const denied = "The redrive allow policy of the dead-letter queue does not allow this source queue."
	for _, test := range []struct {
		policy  string
		allowed bool
	}{
		{denyAll, false},
		{`{"redrivePermission":"allowAll"}`, true},
		{`{"redrivePermission":"byQueue","sourceQueueArns":["` + arnPrefix + `other"]}`, false},
		{`{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:eu-test-1:111111111111:jobs"]}`, false},
		{`{"redrivePermission":"byQueue","sourceQueueArns":["` + arnPrefix + `other","arn:aws:sqs:us-east-1:000000000000:jobs"]}`, true},
		{`{}`, true},
	} {
		s.must("SetQueueAttributes", input("QueueUrl", "dead", map[string]string{"RedriveAllowPolicy": test.policy}))
		s.must("SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"RedrivePolicy": ""}))
		w := s.do(request("SetQueueAttributes", redrive))
		if test.allowed != (w.Code == 200) || !test.allowed && !strings.Contains(w.Body.String(), denied) {
			t.Errorf("%s: %d %s", test.policy, w.Code, w.Body)
		}
		s.must("SetQueueAttributes", input("QueueUrl", "jobs", map[string]string{"RedrivePolicy": ""}))
		change := service.QueueChange{DeadLetter: &service.DeadLetter{Queue: "dead", MaxReceives: 3}}
		_, err := s.svc.UpdateQueue(t.Context(), owner, "jobs", change)
		if test.allowed != (err == nil) || !test.allowed && service.ErrorField(err) != "dead_letter.queue" {
			t.Errorf("%s, by other dialects: %v", test.policy, err)
		}
		_, _, err = s.svc.CreateQueue(t.Context(), owner, service.CreateQueue{Name: "fresh", QueueChange: change})
		if test.policy == denyAll && service.ErrorField(err) != "dead_letter.queue" {
			t.Errorf("%s, by other dialects: made %v", test.policy, err)
		}
	}
}
