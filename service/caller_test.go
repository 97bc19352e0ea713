package service

import (
	"context"
	"testing"
)

func TestRightsValid(t *testing.T) {
	for _, test := range []struct {
		queues []string
		valid  bool
	}{
		{[]string{"orders"}, true},
		{[]string{"orders-*", "logs.fifo"}, true},
		{[]string{"*"}, true},
		{nil, false},
		{[]string{""}, false},
		{[]string{"a*b"}, false},
		{[]string{"**"}, false},
		{[]string{"or ders"}, false},
		{make([]string, MaxQueuePatterns+1), false},
	} {
		rights := Rights{Actions: []Action{ActionSendMessages}, Queues: test.queues}
		if err := rights.valid(); (err == nil) != test.valid {
			t.Errorf("rights to %q: %v, want valid %v", test.queues, err, test.valid)
		}
	}
	if (Rights{Queues: []string{"a"}}).valid() == nil {
		t.Error("rights without actions are valid")
	}
}

// Nobody gives rights that they do not have.
func TestRightsCover(t *testing.T) {
	send := []Action{ActionSendMessages}
	for _, test := range []struct {
		own, other Rights
		covered    bool
	}{
		{Everything(), Everything(), true},
		{Everything(), Rights{send, []string{"a"}}, true},
		{Rights{send, []string{"*"}}, Rights{Actions(), []string{"*"}}, false},
		{Rights{send, []string{"a*"}}, Rights{send, []string{"ab*", "abc", "a*"}}, true},
		{Rights{send, []string{"a*"}}, Rights{send, []string{"*"}}, false},
		{Rights{send, []string{"ab*"}}, Rights{send, []string{"a*"}}, false},
		{Rights{send, []string{"a"}}, Rights{send, []string{"a*"}}, false},
		{Rights{send, []string{"a"}}, Rights{send, []string{"b"}}, false},
	} {
		if got := test.own.cover(test.other); got != test.covered {
			t.Errorf("%v covers %v: %v, want %v", test.own, test.other, got, test.covered)
		}
	}
}

func TestAuthorize(t *testing.T) {
	s := &Service{}
	limited := Caller{Account: "1", actor: &actor{account: "1", rights: Rights{
		Actions: []Action{ActionSendMessages, ActionManageKeys}, Queues: []string{"orders-*", "logs"},
	}.grants()}}
	for _, test := range []struct {
		caller Caller
		action Action
		queue  string
		code   Code
	}{
		{Caller{Account: "1"}, ActionSendMessages, "logs", CodeUnauthenticated},
		{Owner("1"), ActionPurgeQueue, "any", ""},
		{Owner("1").On("2"), ActionSendMessages, "any", CodeQueueNotFound},
		{limited, ActionSendMessages, "logs", ""},
		{limited, ActionSendMessages, "logs2", CodeForbidden},
		{limited, ActionSendMessages, "orders-1", ""},
		{limited, ActionFindQueue, "orders-1", ""},
		{limited, ActionFindQueue, "other", CodeForbidden},
		{limited, ActionReceiveMessages, "logs", CodeForbidden},
		{limited, ActionSendMessages, "", CodeForbidden},
	} {
		err := s.authorize(context.Background(), test.caller, test.action, test.queue)
		if may := test.caller.May(test.action, test.queue); may != (err == nil) {
			t.Errorf("%v may %v %q: %v, and the call says %v", test.caller, test.action, test.queue, may, err)
		}
		if code := codeOf(err); code != test.code {
			t.Errorf("%v %v %q: %v, want %q", test.caller, test.action, test.queue, err, test.code)
		}
	}
	if code := codeOf(s.authorizeAll(context.Background(), limited, ActionManageKeys)); code != CodeForbidden {
		t.Errorf("a key of some queues may manage keys: %q", code)
	}
	if err := s.authorizeAll(context.Background(), Owner("1"), ActionReadAudit); err != nil {
		t.Errorf("the owner may not read the audit log: %v", err)
	}
}

func codeOf(err error) Code {
	if err == nil {
		return ""
	}
	return ErrorCode(err)
}
