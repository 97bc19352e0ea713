package service_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

// keyWorld is two replicas that keep keys.
type keyWorld struct {
	*service.Service
	other *service.Service
	t     *testing.T
	ctx   context.Context
	url   string
}

var (
	local    = netip.MustParseAddr("127.0.0.1")
	admin    = service.Owner(testservice.Account)
	sendOnly = service.Rights{Actions: []service.Action{service.ActionSendMessages}, Queues: []string{"orders-*"}}
)

func masterKeys(t *testing.T, texts ...string) service.MasterKeys {
	t.Helper()
	keys, err := service.ParseMasterKeys(strings.Join(texts, ","))
	if err != nil {
		t.Fatalf("parse master keys: %v", err)
	}
	return keys
}

func setupKeys(t *testing.T, opts service.Options) *keyWorld {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	w := &keyWorld{t: t, ctx: ctx, url: pgtest.New(t)}
	opts.Account = testservice.Account
	if opts.MasterKeys.None() {
		opts.MasterKeys = masterKeys(t, service.NewMasterKey().Reveal())
	}
	w.Service = testservice.On(t, w.url, opts)
	w.other = testservice.On(t, w.url, opts)
	for _, replica := range []*service.Service{w.Service, w.other} {
		<-replica.Listening()
	}
	return w
}

func (w *keyWorld) create(create service.CreateKey) (service.AccessKey, service.Credentials) {
	w.t.Helper()
	if create.Name == "" {
		create.Name = "a test's"
	}
	if create.Rights.Actions == nil {
		create.Rights = service.Everything()
	}
	key, credentials, err := w.CreateKey(w.ctx, admin, create)
	if err != nil {
		w.t.Fatalf("create a key: %v", err)
	}
	return key, credentials
}

// wantCaller checks whether a token is one, on a replica: code "" means that it is.
func (w *keyWorld) wantCaller(replica *service.Service, token service.Secret, want service.Code) service.Caller {
	w.t.Helper()
	caller, err := replica.CallerOfToken(w.ctx, token.Reveal(), local)
	if got := codeOf(err); got != want {
		w.t.Errorf("the token is %v, want %q", err, want)
	}
	return caller
}

func codeOf(err error) service.Code {
	if err == nil {
		return ""
	}
	return service.ErrorCode(err)
}

// eventually waits for a condition, for less than the ten seconds that revocation may take.
func (w *keyWorld) eventually(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(9 * time.Second); !holds(); {
		if time.Now().After(end) {
			w.t.Fatalf("after 9 seconds it does not hold that %s", what)
		}
		select {
		case <-w.ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestKeys(t *testing.T) {
	w := setupKeys(t, service.Options{})
	key, credentials := w.create(service.CreateKey{Name: "shop", Rights: sendOnly})
	if key.ID != credentials.KeyID || key.Name != "shop" || key.Account != testservice.Account || key.CreatedBy != "owner" {
		t.Errorf("the key is %+v", key)
	}
	caller := w.wantCaller(w.Service, credentials.Token(), "")
	if caller.Name() != "key "+key.ID || caller.KeyID() != key.ID || caller.Account != testservice.Account {
		t.Errorf("the caller is %+v, %q", caller, caller.Name())
	}
	if _, err := w.GetQueue(w.ctx, caller, "orders-1"); codeOf(err) != service.CodeForbidden {
		t.Errorf("the key gets a queue: %v", err)
	}
	w.eventually("the other replica knows the key", func() bool {
		_, err := w.other.CallerOfToken(w.ctx, credentials.Token().Reveal(), local)
		return err == nil
	})
	page, err := w.other.ListKeys(w.ctx, admin, service.ListKeys{})
	if err != nil || len(page.Keys) != 1 || page.Keys[0].ID != key.ID {
		t.Errorf("the list is %+v, %v", page, err)
	}
	if err := w.RevokeKey(w.ctx, admin, key.ID); err != nil {
		t.Fatal(err)
	}
	w.wantCaller(w.Service, credentials.Token(), service.CodeUnauthenticated)
	w.eventually("the other replica knows no more key", func() bool {
		_, err := w.other.CallerOfToken(w.ctx, credentials.Token().Reveal(), local)
		return codeOf(err) == service.CodeUnauthenticated
	})
	if err := w.RevokeKey(w.ctx, admin, key.ID); codeOf(err) != service.CodeKeyNotFound {
		t.Errorf("revoked twice: %v", err)
	}
}
