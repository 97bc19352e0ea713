package main

import (
	"strings"
	"testing"

	"tusq/client"
	"tusq/test/testserver"
)

func TestUserCommands(t *testing.T) {
	t.Parallel()
	server := testserver.New(t)
	typed := func() *strings.Reader { return strings.NewReader("correct horse battery staple\nmore\n") }
	out := mustRun(t, server, typed(), "user", "create", "ann", "--action", "list_queues,get_queue", "--queue", "orders-*,logs")
	if out.stdout != "created user ann\n" {
		t.Errorf("create: %q", out.stdout)
	}
	mustRun(t, server, typed(), "user", "create", "bob", "--action", "send_messages", "--queue", "*")
	want := "" +
		"NAME  QUEUES         ACTIONS\n" +
		"ann   orders-*,logs  list_queues,get_queue\n" +
		"bob   *              send_messages\n"
	if out := mustRun(t, server, nil, "user", "list"); out.stdout != want {
		t.Errorf("list:\n%swant\n%s", out.stdout, want)
	}
	if out := mustRun(t, server, nil, "user", "list", "--json"); strings.Count(out.stdout, `"name":`) != 2 || strings.Contains(out.stdout, "argon2") {
		t.Errorf("list: %s", out.stdout)
	}
	if out := mustRun(t, server, typed(), "user", "passwd", "ann"); out.stdout != "set the password of user ann\n" {
		t.Errorf("passwd: %q", out.stdout)
	}
	if out := mustRun(t, server, nil, "user", "delete", "bob"); out.stdout != "deleted user bob\n" {
		t.Errorf("delete: %q", out.stdout)
	}
	for code, args := range map[string][]string{
		"user_exists":       {"create", "ann", "--action", "send_messages", "--queue", "*"},
		"invalid_parameter": {"create", "cleo", "--action", "fly", "--queue", "*"},
		"user_not_found":    {"passwd", "bob"},
	} {
		if _, err := run(t.Context(), server, typed(), append([]string{"user"}, args...)...); client.ErrorCode(err) != code {
			t.Errorf("%v: %v, want %s", args, err, code)
		}
	}
	for _, short := range []string{"", "\n", "short\n"} {
		if _, err := run(t.Context(), server, strings.NewReader(short), "user", "passwd", "ann"); err == nil {
			t.Errorf("the password %q was taken", short)
		}
	}
	if _, err := run(t.Context(), server, nil, "user", "passwd", "ann", "correct horse battery staple"); err == nil {
		t.Error("a password was taken from the arguments")
	}
}

func TestUserPasswordFromTheEnvironment(t *testing.T) {
	server := testserver.New(t)
	t.Setenv("TUSQ_USER_PASSWORD", "correct horse battery staple")
	mustRun(t, server, nil, "user", "create", "ann", "--action", "*", "--queue", "*")
	t.Setenv("TUSQ_USER_PASSWORD", "short")
	if _, err := run(t.Context(), server, strings.NewReader("correct horse battery staple"), "user", "passwd", "ann"); client.ErrorCode(err) != "invalid_parameter" {
		t.Errorf("a short password: %v", err)
	}
}
