package service_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tusq/service"
)

func TestAuditNotesUsersAndSignIns(t *testing.T) {
	w := setupKeys(t, service.Options{})
	const password, wrong = "correct horse battery", "a password, in the wrong place"
	if _, err := w.CreateUser(w.ctx, admin, service.CreateUser{Name: "ann", Password: password, Rights: sendOnly}); err != nil {
		t.Fatal(err)
	}
	signIn := service.SignIn{Account: admin.Account, User: "ann", Password: password, From: local}
	token, err := w.SignIn(w.ctx, signIn)
	if err != nil {
		t.Fatal(err)
	}
	signIn.Password = wrong
	if _, err := w.SignIn(w.ctx, signIn); codeOf(err) != service.CodeUnauthenticated {
		t.Error(err)
	}
	signIn.User = wrong
	if _, err := w.SignIn(w.ctx, signIn); err == nil {
		t.Error("signed in as nobody")
	}
	caller, err := w.CallerOfSession(w.ctx, token, local, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.SignOut(w.ctx, caller, token); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteUser(w.ctx, admin, wrong); codeOf(err) != service.CodeUserNotFound {
		t.Error(err)
	}
	if err := w.DeleteUser(w.ctx, admin, "ann"); err != nil {
		t.Fatal(err)
	}
	var got []string
	all := waitForAudit(t, w.Service, admin, service.ListAudit{}, 7)
	for _, e := range all {
		got = append(got, fmt.Sprintf("%s: %s %s %s %s", e.Actor, e.Action, e.Resource, e.Client, e.Result))
	}
	slices.Sort(got)
	want := []string{
		": sign_in  127.0.0.1 unauthenticated",
		": sign_in user ann 127.0.0.1 unauthenticated",
		"owner: create_user user ann  ok",
		"owner: delete_user   user_not_found",
		"owner: delete_user user ann  ok",
		"user ann: sign_in  127.0.0.1 ok",
		"user ann: sign_out  127.0.0.1 ok",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if text := fmt.Sprint(all); strings.Contains(text, wrong) || strings.Contains(text, password) || strings.Contains(text, token) {
		t.Error("the log has a secret")
	}
}
