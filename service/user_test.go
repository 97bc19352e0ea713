package service_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tusq/service"
	"tusq/test/testservice"
)

const password = "correct horse battery staple"

func (w *world) createUser(name string, rights service.Rights) {
	w.t.Helper()
	if _, err := w.CreateUser(w.ctx, caller, service.CreateUser{Name: name, Password: password, Rights: rights}); err != nil {
		w.t.Fatalf("create user %s: %v", name, err)
	}
}

func (w *world) signIn(name, password string) (string, error) {
	return w.SignIn(w.ctx, service.SignIn{Account: testservice.Account, User: name, Password: password})
}

// as signs a user in and returns the caller.
func (w *world) as(name string) service.Caller {
	w.t.Helper()
	token, err := w.signIn(name, password)
	if err != nil {
		w.t.Fatalf("sign in as %s: %v", name, err)
	}
	c, err := w.CallerOfSession(w.ctx, token, noAddress, true)
	if err != nil {
		w.t.Fatalf("the session of %s: %v", name, err)
	}
	return c
}

var viewer = service.Rights{
	Actions: []service.Action{service.ActionListQueues, service.ActionGetQueue, service.ActionPeekMessages}, Queues: []string{"orders", "logs-*"},
}

func TestUsers(t *testing.T) {
	w := setup(t, service.QueueChange{})
	create := service.CreateUser{Name: "ann", Password: password, Rights: viewer}
	user, err := w.CreateUser(w.ctx, caller, create)
	if err != nil || user.Name != "ann" || user.Account != testservice.Account || fmt.Sprint(user.Rights) != fmt.Sprint(viewer) || user.CreatedAt.IsZero() {
		t.Fatalf("%+v, %v", user, err)
	}
	_, err = w.CreateUser(w.ctx, caller, create)
	wantCode(t, err, service.CodeUserExists)
	w.createUser("bob", viewer)
	w.createUser("Zoe@example.com", service.Everything())

	var names []string
	for cursor, first := "", true; first || cursor != ""; first = false {
		page, err := w.ListUsers(w.ctx, caller, service.ListUsers{Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range page.Users {
			names = append(names, user.Name)
		}
		cursor = page.Cursor
	}
	if got := strings.Join(names, " "); got != "Zoe@example.com ann bob" {
		t.Errorf("listed %s", got)
	}
	if page, err := w.ListUsers(w.ctx, service.Owner("999999999999"), service.ListUsers{}); err != nil || len(page.Users) != 0 {
		t.Errorf("another account sees %v, %v", page, err)
	}

	got, err := w.GetUser(w.ctx, caller, "ann")
	if err != nil || fmt.Sprint(got) != fmt.Sprint(user) {
		t.Errorf("got %+v, %v, want %+v", got, err, user)
	}
	send := []service.Action{service.ActionSendMessages}
	user, err = w.UpdateUser(w.ctx, caller, "ann", service.UpdateUser{Actions: send})
	if err != nil || fmt.Sprint(user.Rights) != fmt.Sprint(service.Rights{Actions: send, Queues: viewer.Queues}) {
		t.Errorf("%+v, %v", user, err)
	}
	if err := w.DeleteUser(w.ctx, caller, "ann"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"ann", "", "a/b", "none", "\x00"} {
		wantCode(t, w.DeleteUser(w.ctx, caller, name), service.CodeUserNotFound)
		_, err = w.UpdateUser(w.ctx, caller, name, service.UpdateUser{})
		wantCode(t, err, service.CodeUserNotFound)
		_, err = w.GetUser(w.ctx, caller, name)
		wantCode(t, err, service.CodeUserNotFound)
	}
	_, err = w.GetUser(w.ctx, service.Owner("999999999999"), "bob")
	wantCode(t, err, service.CodeUserNotFound)
	wantCode(t, w.DeleteUser(w.ctx, service.Owner("999999999999"), "bob"), service.CodeUserNotFound)
}

func TestInvalidUsers(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("ann", viewer)
	for _, test := range []struct {
		name, password string
		rights         service.Rights
		code           service.Code
		field          string
	}{
		{"", password, viewer, service.CodeMissingParameter, "name"},
		{"a b", password, viewer, service.CodeInvalidParameter, "name"},
		{"<b>ann</b>", password, viewer, service.CodeInvalidParameter, "name"},
		{"..", password, viewer, service.CodeInvalidParameter, "name"},
		{"bob\n", password, viewer, service.CodeInvalidParameter, "name"},
		{strings.Repeat("a", service.MaxUserName+1), password, viewer, service.CodeInvalidParameter, "name"},
		{"bob", "", viewer, service.CodeMissingParameter, "password"},
		{"bob", "elevenchars", viewer, service.CodeInvalidParameter, "password"},
		{"bob", strings.Repeat("é", 11), viewer, service.CodeInvalidParameter, "password"},
		{"bob", strings.Repeat("a", service.MaxPassword+1), viewer, service.CodeInvalidParameter, "password"},
		{"bob", "twelve chars\xff", viewer, service.CodeInvalidParameter, "password"},
		{"bob", password, service.Rights{Queues: []string{"*"}}, service.CodeMissingParameter, "actions"},
		{"bob", password, service.Rights{Actions: viewer.Actions}, service.CodeMissingParameter, "queues"},
		{"bob", password, service.Rights{Actions: viewer.Actions, Queues: []string{"a*b"}}, service.CodeInvalidParameter, "queues"},
	} {
		_, err := w.CreateUser(w.ctx, caller, service.CreateUser{Name: test.name, Password: test.password, Rights: test.rights})
		wantCode(t, err, test.code)
		if field := service.ErrorField(err); field != test.field {
			t.Errorf("%v is about %q, want %q", err, field, test.field)
		}
	}
	for _, update := range []service.UpdateUser{
		{Password: new("short")}, {Password: new("")}, {Actions: []service.Action{}}, {Queues: []string{}}, {Queues: []string{"**"}},
	} {
		if _, err := w.UpdateUser(w.ctx, caller, "ann", update); err == nil {
			t.Errorf("updated by %+v", update)
		}
	}
	if _, err := w.signIn("ann", password); err != nil {
		t.Errorf("after updates that were refused: %v", err)
	}
	w.createUser(strings.Repeat("a", service.MaxUserName), viewer)
	for _, fits := range []string{"twelve chars", strings.Repeat("a", service.MaxPassword)} {
		if _, err := w.UpdateUser(w.ctx, caller, "ann", service.UpdateUser{Password: &fits}); err != nil {
			t.Errorf("a password of %d bytes: %v", len(fits), err)
		}
	}
}

// An account has so many users, and no more. Whoever deletes one has room again.
func TestMostUsers(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("first", viewer)
	w.exec(`
INSERT INTO users (account, name, password, actions, queues, created_at, updated_at)
SELECT account, 'user-' || n, password, actions, queues, created_at, updated_at FROM users, generate_series(1, $1) n`, service.MaxAccountUsers-2)
	create := func(caller service.Caller, name string) error {
		for {
			_, err := w.CreateUser(w.ctx, caller, service.CreateUser{Name: name, Password: password, Rights: viewer})
			if codeOf(err) != service.CodeOverloaded { // by passwords that are hashed at the same time
				return err
			}
			time.Sleep(time.Millisecond)
		}
	}
	made := make(chan error, 4)
	for i := range cap(made) {
		go func() { made <- create(caller, fmt.Sprint("at-once-", i)) }()
	}
	fit := 0
	for range cap(made) {
		if err := <-made; err == nil {
			fit++
		} else {
			wantCode(t, err, service.CodeTooManyUsers)
		}
	}
	if fit != 1 {
		t.Errorf("%d users were made where there was room for one", fit)
	}
	if err := create(service.Owner("111111111111"), "another"); err != nil {
		t.Errorf("another account's: %v", err)
	}
	if err := w.DeleteUser(w.ctx, caller, "first"); err != nil {
		t.Fatal(err)
	}
	if err := create(caller, "one-more"); err != nil {
		t.Error(err)
	}
	wantCode(t, create(caller, "too-many"), service.CodeTooManyUsers)
}

// Nobody gives rights that they do not have, nor takes those of somebody who has more.
func TestUsersGiveNoMoreThanTheyHave(t *testing.T) {
	w := setup(t, service.QueueChange{})
	manage := service.Rights{Actions: append([]service.Action{service.ActionManageKeys}, viewer.Actions...), Queues: []string{"*"}}
	w.createUser("admin", service.Everything())
	w.createUser("manager", manage)
	w.createUser("viewer", viewer)
	w.createUser("some", service.Rights{Actions: manage.Actions, Queues: []string{"orders"}})
	manager := w.as("manager")

	if _, err := w.CreateUser(w.ctx, manager, service.CreateUser{Name: "less", Password: password, Rights: viewer}); err != nil {
		t.Errorf("a user with less: %v", err)
	}
	if _, err := w.UpdateUser(w.ctx, manager, "viewer", service.UpdateUser{Queues: []string{"*"}}); err != nil {
		t.Errorf("rights that the caller has: %v", err)
	}
	_, err := w.CreateUser(w.ctx, manager, service.CreateUser{Name: "more", Password: password, Rights: service.Everything()})
	wantCode(t, err, service.CodeForbidden)
	_, err = w.UpdateUser(w.ctx, manager, "viewer", service.UpdateUser{Actions: []service.Action{service.ActionPurgeQueue}})
	wantCode(t, err, service.CodeForbidden)
	_, err = w.UpdateUser(w.ctx, manager, "admin", service.UpdateUser{Password: new("another password")})
	wantCode(t, err, service.CodeForbidden)
	_, err = w.UpdateUser(w.ctx, manager, "admin", service.UpdateUser{Actions: viewer.Actions})
	wantCode(t, err, service.CodeForbidden)
	wantCode(t, w.DeleteUser(w.ctx, manager, "admin"), service.CodeForbidden)

	for _, name := range []string{"viewer", "some"} { // without the action, and of some queues only
		user := service.Caller{Account: testservice.Account}
		if name == "some" {
			user = w.as(name)
		}
		want := service.CodeForbidden
		if name == "viewer" {
			want = service.CodeUnauthenticated
		}
		_, err = w.ListUsers(w.ctx, user, service.ListUsers{})
		wantCode(t, err, want)
		_, err = w.GetUser(w.ctx, user, "less")
		wantCode(t, err, want)
		_, err = w.CreateUser(w.ctx, user, service.CreateUser{Name: "x", Password: password, Rights: viewer})
		wantCode(t, err, want)
		_, err = w.UpdateUser(w.ctx, user, "less", service.UpdateUser{})
		wantCode(t, err, want)
		wantCode(t, w.DeleteUser(w.ctx, user, "less"), want)
	}
	if _, err := w.signIn("admin", password); err != nil {
		t.Errorf("after all that was refused: %v", err)
	}
}
