package service_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

func TestAuditNotesKeys(t *testing.T) {
	w := setupKeys(t, service.Options{})
	first, _, err := w.CreateFirstKey(w.ctx, service.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	key, old := w.create(service.CreateKey{Account: "111111111111", Rights: sendOnly})
	_, credentials, err := w.RotateKey(w.ctx, admin, service.RotateKey{ID: key.ID})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeKey(w.ctx, admin, key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CallerOfToken(w.ctx, credentials.Token().Reveal(), local); err == nil {
		t.Error("a revoked key works")
	}
	wrong := first
	wrong.Secret = credentials.Secret
	if _, err := w.CallerOfToken(w.ctx, wrong.Token().Reveal(), local); err == nil {
		t.Error("a wrong secret works")
	}
	for account, want := range map[string][]string{
		"111111111111": {"create_key", "rotate_key", "revoke_key"}, admin.Account: {"create_key", "authenticate", "authenticate"},
	} {
		var got []string
		all := waitForAudit(t, w.Service, service.Owner(account), service.ListAudit{}, len(want))
		for _, e := range all {
			got = append(got, e.Action)
			if account == "111111111111" && (e.Resource != "key "+key.ID || e.Actor != admin.Account+"/owner") {
				t.Errorf("noted %+v", e)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("the log of %s is %v, want %v", account, got, want)
		}
		text := fmt.Sprint(all)
		for _, c := range []service.Credentials{first, old, credentials} {
			if strings.Contains(text, c.Secret.Reveal()) {
				t.Error("the log has a secret")
			}
		}
	}
}

// TestNoKeyWithoutAudit: what cannot be noted is not done, be it of keys or of users.
func TestNoKeyWithoutAudit(t *testing.T) {
	w := setupKeys(t, service.Options{})
	key, _ := w.create(service.CreateKey{Rights: sendOnly})
	ann, err := w.CreateUser(w.ctx, admin, service.CreateUser{Name: "ann", Password: password, Rights: sendOnly})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(w.ctx, `ALTER TABLE audit_log RENAME TO audit_away`); err != nil {
		t.Fatal(err)
	}
	_, _, err = w.CreateKey(w.ctx, admin, service.CreateKey{Name: "k", Rights: sendOnly})
	wantCode(t, err, service.CodeUnavailable)
	_, _, err = w.RotateKey(w.ctx, admin, service.RotateKey{ID: key.ID})
	wantCode(t, err, service.CodeUnavailable)
	wantCode(t, w.RevokeKey(w.ctx, admin, key.ID), service.CodeUnavailable)
	page, err := w.ListKeys(w.ctx, admin, service.ListKeys{})
	if err != nil || len(page.Keys) != 1 || !page.Keys[0].RetiringAt.IsZero() {
		t.Errorf("the keys are %+v, %v", page.Keys, err)
	}
	_, err = w.CreateUser(w.ctx, admin, service.CreateUser{Name: "bob", Password: password, Rights: sendOnly})
	wantCode(t, err, service.CodeUnavailable)
	_, err = w.UpdateUser(w.ctx, admin, "ann", service.UpdateUser{Queues: []string{"*"}})
	wantCode(t, err, service.CodeUnavailable)
	wantCode(t, w.DeleteUser(w.ctx, admin, "ann"), service.CodeUnavailable)
	if page, err := w.ListUsers(w.ctx, admin, service.ListUsers{}); err != nil || !reflect.DeepEqual(page.Users, []service.User{ann}) {
		t.Errorf("the users are %+v, %v; want %+v", page.Users, err, ann)
	}
}
