package service

import (
	"strings"
	"testing"
)

func TestShownName(t *testing.T) {
	t.Parallel()
	token := NewCredentials().Token().Reveal()
	receipt := newSealer([]byte("key")).seal(receipt{queueID: 1<<62 + 5, id: MessageID{1: 1}, lease: -1})
	grouped := newSealer([]byte("key")).seal(receiptOfGroup("customer-7"))
	for name, want := range map[string]string{
		"":                         "",
		"orders":                   "orders",
		"orders.fifo":              "orders.fifo",
		"ann@example.com":          "ann@example.com",
		strings.Repeat("A", 80):    strings.Repeat("A", 80),
		strings.Repeat("A", 81):    "[not a name]",
		"a body":                   "[not a name]",
		"\xff":                     "[not a name]",
		token:                      "[looks like a token]",
		"x" + token[:len(token)-7]: "[looks like a token]",
		receipt:                    "[looks like a receipt]",
		grouped:                    "[looks like a receipt]",
		"tusq_orders":              "tusq_orders",
		receipt[:len(receipt)-1]:   receipt[:len(receipt)-1], // cut: it settles nothing
	} {
		if got := ShownName(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
	if got := withoutSecret("a body"); got != "a body" {
		t.Errorf("a message has %q", got)
	}
}

// A token as a queue's name would be seen wherever queues are.
func TestATokenIsNoQueueName(t *testing.T) {
	t.Parallel()
	token := NewCredentials().Token().Reveal()
	for _, name := range []string{token, token[:30]} {
		if err := validQueueName(name); ErrorCode(err) != CodeInvalidQueueName {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := validQueueName("tusq_TQ"); err != nil {
		t.Error(err)
	}
}

func receiptOfGroup(group string) receipt { return receipt{queueID: 7, groupID: group} }
