package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tusq/client"
	"tusq/service"
	"tusq/test/testserver"
)

// TestKeyRightsAreARoleOrActions: a key is made with either, and not with both or neither.
func TestKeyRightsAreARoleOrActions(t *testing.T) {
	t.Parallel()
	server := testserver.NewSecure(t)
	for _, test := range []struct {
		flags   []string
		actions []string // nil: refused
	}{
		{[]string{"--actions", "send_messages,get_queue"}, []string{"get_queue", "send_messages"}},
		{[]string{"--role", "producer"}, service.ActionNames(service.RoleActions("producer"))},
		{[]string{"--role", "producer", "--actions", "get_queue"}, nil},
		{nil, nil},
	} {
		out, err := runAs(t.Context(), server.URL, server.Token(), nil, append([]string{"key", "create", "--json", "--name", "shop"}, test.flags...)...)
		if test.actions == nil {
			if err == nil || !strings.Contains(err.Error(), "--role or --actions") {
				t.Errorf("%v: %v", test.flags, err)
			}
			continue
		}
		var key client.KeyWithSecret
		if err != nil {
			t.Errorf("%v: %v", test.flags, err)
		} else if err := json.Unmarshal([]byte(out.stdout), &key); err != nil {
			t.Fatal(err)
		}
		slices.Sort(key.Actions)
		slices.Sort(test.actions)
		if !slices.Equal(key.Actions, test.actions) {
			t.Errorf("%v: a key that may %v, want %v", test.flags, key.Actions, test.actions)
		}
	}
}
