package service_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

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

// While a key is rotated both its secrets work; then the new one alone.
func TestRotateKey(t *testing.T) {
	w := setupKeys(t, service.Options{})
	key, first := w.create(service.CreateKey{})
	rotate := func(key service.AccessKey, grace time.Duration) service.Credentials {
		t.Helper()
		rotated, credentials, err := w.RotateKey(w.ctx, admin, service.RotateKey{ID: key.ID, Grace: &grace})
		if err != nil {
			t.Fatal(err)
		}
		if rotated.RetiringAt.IsZero() != (grace == 0) {
			t.Errorf("with a grace of %v the old secret ends at %v", grace, rotated.RetiringAt)
		}
		return credentials
	}
	second := rotate(key, time.Hour)
	for _, c := range []service.Credentials{first, second} {
		w.wantCaller(w.Service, c.Token(), "")
	}
	if secrets := w.SecretsOf(key.ID); len(secrets) != 2 || secrets[0] != first.Secret || secrets[1] != second.Secret {
		t.Errorf("signatures may be by %d secrets", len(secrets))
	}
	w.eventually("the other replica knows both secrets", func() bool { return len(w.other.SecretsOf(key.ID)) == 2 })
	bySecond, err := w.other.CallerOfSecret(w.ctx, key.ID, second.Secret, local)
	if err != nil {
		t.Fatal(err)
	}
	third := rotate(key, 0)
	w.wantCaller(w.Service, first.Token(), service.CodeUnauthenticated)
	w.wantCaller(w.Service, second.Token(), service.CodeUnauthenticated)
	w.wantCaller(w.Service, third.Token(), "")
	w.eventually("who called by a secret that ended is told so", func() bool { return service.Ended(bySecond) })
	// Of three secrets the first ends at once, however long its grace was to be.
	fourth := rotate(key, time.Hour)
	fifth := rotate(key, time.Hour)
	w.wantCaller(w.Service, third.Token(), service.CodeUnauthenticated)
	w.wantCaller(w.Service, fourth.Token(), "")
	w.wantCaller(w.Service, fifth.Token(), "")

	another, old := w.create(service.CreateKey{})
	renewed := rotate(another, 2*time.Second)
	w.eventually("the old secret has ended everywhere", func() bool {
		alone := []service.Secret{renewed.Secret}
		return slices.Equal(w.SecretsOf(another.ID), alone) && slices.Equal(w.other.SecretsOf(another.ID), alone)
	})
	w.wantCaller(w.Service, old.Token(), service.CodeUnauthenticated)
	w.wantCaller(w.Service, renewed.Token(), "")
	if _, err := w.other.CallerOfSecret(w.ctx, another.ID, old.Secret, local); codeOf(err) != service.CodeUnauthenticated {
		t.Errorf("the old secret: %v", err)
	}
}

// A receive that waits ends when its key expires or is revoked by another replica; that of
// another key, and of a key whose secret is rotated, waits on.
func TestWaitEndsWithKey(t *testing.T) {
	w := setupKeys(t, service.Options{})
	if _, _, err := w.CreateQueue(w.ctx, admin, service.CreateQueue{Name: "orders"}); err != nil {
		t.Fatal(err)
	}
	type ended struct {
		name string
		err  error
	}
	answers := make(chan ended, 4)
	keys := map[string]service.AccessKey{}
	for _, name := range []string{"revoked", "rotated", "other", "expired"} {
		create := service.CreateKey{Name: name}
		if name == "expired" {
			create.Expires = 6 * time.Second
		}
		key, credentials := w.create(create)
		keys[name] = key
		caller := w.wantCaller(w.Service, credentials.Token(), "")
		go func() {
			_, err := w.ReceiveMessages(w.ctx, caller, "orders", service.ReceiveMessages{Max: 1, Wait: new(time.Minute)})
			answers <- ended{name, err}
		}()
	}
	w.eventually("all wait, or have expired", func() bool { return int(w.Waiting())+len(answers) == 4 })
	if err := w.other.RevokeKey(w.ctx, admin, keys["revoked"].ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.other.RotateKey(w.ctx, admin, service.RotateKey{ID: keys["rotated"].ID}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case got := <-answers:
			if (got.name != "revoked" && got.name != "expired") || codeOf(got.err) != service.CodeUnauthenticated {
				t.Errorf("the receive of the key that is %s ended with %v", got.name, got.err)
			}
		case <-time.After(15 * time.Second):
			t.Fatal("a receive waits on for 15 seconds")
		}
	}
	w.eventually("the rotation is known", func() bool { return len(w.SecretsOf(keys["rotated"].ID)) == 2 })
	if waiting := w.Waiting(); waiting != 2 {
		t.Errorf("%d receives wait on, want 2", waiting)
	}
	w.Drain()
	for range 2 {
		if got := <-answers; got.err != nil {
			t.Errorf("the receive of the key that is %s ended with %v", got.name, got.err)
		}
	}
}

// Revocation reaches replicas that hear nothing of each other.
func TestRevocationWithoutSignals(t *testing.T) {
	w := setupKeys(t, service.Options{})
	key, credentials := w.create(service.CreateKey{})
	w.eventually("the other replica knows the key", func() bool { return len(w.other.SecretsOf(key.ID)) == 1 })
	w.ForgetOthers() // so that it notifies nobody
	began := time.Now()
	if err := w.RevokeKey(w.ctx, admin, key.ID); err != nil {
		t.Fatal(err)
	}
	w.eventually("the other replica knows no more key", func() bool { return len(w.other.SecretsOf(key.ID)) == 0 })
	w.wantCaller(w.other, credentials.Token(), service.CodeUnauthenticated)
	t.Logf("known after %v", time.Since(began))
}

// Revocation needs no connection of those that callers can occupy, neither directly nor by way of a pooler. Here the revoked
// key holds them all, by peeks that wait for a lock, on replicas that hear nothing of others.
func TestRevocationUnderFlood(t *testing.T) {
	master := masterKeys(t, service.NewMasterKey().Reveal())
	w := setupKeys(t, service.Options{MasterKeys: master})
	w.other = testservice.OnBoth(t, pgtest.Pooled(t, w.url), "", service.Options{MasterKeys: master})
	flooded := testservice.On(t, w.url, service.Options{MasterKeys: master})
	if _, _, err := w.CreateQueue(w.ctx, admin, service.CreateQueue{Name: "orders"}); err != nil {
		t.Fatal(err)
	}
	key, credentials := w.create(service.CreateKey{})
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	lock, err := conn.Begin(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(w.ctx, `LOCK TABLE messages`); err != nil {
		t.Fatal(err)
	}
	replicas := []*service.Service{w.other, flooded}
	for _, replica := range replicas {
		w.eventually("the replica knows the key", func() bool { return len(replica.SecretsOf(key.ID)) == 1 })
		caller := w.wantCaller(replica, credentials.Token(), "")
		for range 50 {
			go func() { _, _ = replica.PeekMessages(w.ctx, caller, "orders", service.PeekMessages{}) }()
		}
	}
	for _, replica := range replicas {
		w.eventually("the peeks hold all connections that there are for them", func() bool {
			ctx, cancel := context.WithTimeout(w.ctx, time.Second)
			defer cancel()
			_, err := replica.ListKeys(ctx, admin, service.ListKeys{})
			return err != nil
		})
	}
	w.ForgetOthers() // so that it notifies nobody
	if err := w.RevokeKey(w.ctx, admin, key.ID); err != nil {
		t.Fatal(err)
	}
	w.eventually("the other replicas know no more key", func() bool {
		return !slices.ContainsFunc(replicas, func(replica *service.Service) bool { return len(replica.SecretsOf(key.ID)) > 0 })
	})
}

func TestKeyLimits(t *testing.T) {
	w := setupKeys(t, service.Options{})
	_, abroad := w.create(service.CreateKey{Sources: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}})
	for address, want := range map[string]service.Code{
		"10.1.2.3": "", "::ffff:10.1.2.3": "", "2001:db8::1": "", "11.1.2.3": service.CodeForbidden, "2001:db9::1": service.CodeForbidden,
	} {
		if _, err := w.CallerOfToken(w.ctx, abroad.Token().Reveal(), netip.MustParseAddr(address)); codeOf(err) != want {
			t.Errorf("from %s: %v, want %q", address, err, want)
		}
	}
	if _, err := w.CallerOfToken(w.ctx, abroad.Token().Reveal(), netip.Addr{}); codeOf(err) != service.CodeForbidden {
		t.Errorf("from nowhere: %v", err)
	}
	// A wrong token is refused as such, wherever it comes from.
	forged := service.Credentials{KeyID: abroad.KeyID, Secret: service.NewCredentials().Secret}
	w.wantCaller(w.Service, forged.Token(), service.CodeUnauthenticated)

	short, brief := w.create(service.CreateKey{Expires: time.Second})
	if _, err := w.CallerOfToken(w.ctx, brief.Token().Reveal(), local); err != nil && time.Now().Before(short.ExpiresAt) {
		t.Errorf("before it expires the key is %v", err)
	}
	w.eventually("the key has expired", func() bool { return len(w.SecretsOf(short.ID)) == 0 })
	w.wantCaller(w.Service, brief.Token(), service.CodeUnauthenticated)
	if _, err := w.CallerOfKey(w.ctx, short.ID, local); codeOf(err) != service.CodeUnauthenticated {
		t.Errorf("by its id an expired key is %v", err)
	}
}

// An account, and the deployment, have so many keys that work, and no more. Whoever revokes one has room again.
func TestMostKeys(t *testing.T) {
	w := setupKeys(t, service.Options{})
	first, _ := w.create(service.CreateKey{})
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(w.ctx)
	fill := func(account string, n int) {
		t.Helper()
		if _, err := conn.Exec(w.ctx, `
INSERT INTO keys (id, account, name, actions, queues, created_at, created_by)
SELECT $1 || n, $1, name, actions, queues, created_at, created_by FROM keys, generate_series(1, $2) n WHERE id = $3`,
			account, n, first.ID); err != nil {
			t.Fatal(err)
		}
	}
	create := func(account string) error {
		_, _, err := w.CreateKey(w.ctx, admin, service.CreateKey{Account: account, Name: "one more", Rights: service.Everything()})
		return err
	}
	wantNone := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	fill(testservice.Account, service.MaxAccountKeys-2)
	wantNone(create(""))
	wantCode(t, create(""), service.CodeTooManyKeys)
	wantNone(create("111111111111"))
	if err := w.RevokeKey(w.ctx, admin, first.ID); err != nil {
		t.Fatal(err)
	}
	wantNone(create(""))
	fill("222222222222", service.MaxKeys-service.MaxAccountKeys-1)
	wantCode(t, create("333333333333"), service.CodeTooManyKeys)
}

// Nobody makes, rotates or revokes a key that may do more than they, and only the deployment's
// own administrators care for other accounts' keys.
func TestKeysOfOthers(t *testing.T) {
	w := setupKeys(t, service.Options{})
	manager := service.Rights{Actions: []service.Action{service.ActionManageKeys, service.ActionSendMessages}, Queues: []string{"*"}}
	_, c := w.create(service.CreateKey{Rights: manager})
	limited := w.wantCaller(w.Service, c.Token(), "")
	_, c = w.create(service.CreateKey{Account: "111111111111"})
	tenant := w.wantCaller(w.Service, c.Token(), "")
	_, c = w.create(service.CreateKey{Rights: sendOnly})
	sender := w.wantCaller(w.Service, c.Token(), "")
	own, _ := w.create(service.CreateKey{})
	near := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/16")}
	_, c = w.create(service.CreateKey{Sources: near})
	inside := w.wantCaller(w.Service, c.Token(), "")
	_, c = w.create(service.CreateKey{Expires: time.Hour})
	passing := w.wantCaller(w.Service, c.Token(), "")
	bound := func(caller service.Caller, expires time.Duration, sources ...string) error {
		create := service.CreateKey{Name: "a", Rights: sendOnly, Expires: expires}
		for _, s := range sources {
			create.Sources = append(create.Sources, netip.MustParsePrefix(s))
		}
		_, _, err := w.CreateKey(w.ctx, caller, create)
		return err
	}

	make := func(caller service.Caller, account string, rights service.Rights) error {
		_, _, err := w.CreateKey(w.ctx, caller, service.CreateKey{Name: "a", Account: account, Rights: rights})
		return err
	}
	user := func(caller service.Caller) error {
		_, err := w.CreateUser(w.ctx, caller, service.CreateUser{Name: "a", Password: password, Rights: sendOnly})
		return err
	}
	rotate := func(caller service.Caller) error {
		_, _, err := w.RotateKey(w.ctx, caller, service.RotateKey{ID: own.ID})
		return err
	}
	get := func(caller service.Caller) error {
		_, err := w.GetKey(w.ctx, caller, own.ID)
		return err
	}
	list := func(caller service.Caller, account string) error {
		_, err := w.ListKeys(w.ctx, caller, service.ListKeys{Account: account})
		return err
	}
	const forbidden, notFound = service.CodeForbidden, service.CodeKeyNotFound
	for _, test := range []struct {
		what string
		err  error
		want service.Code
	}{
		{"a manager makes less", make(limited, "", sendOnly), ""},
		{"a manager makes the same", make(limited, "", manager), ""},
		{"a manager makes more", make(limited, "", service.Everything()), forbidden},
		{"a manager makes another's", make(limited, "111111111111", sendOnly), forbidden},
		{"a manager sees more", get(limited), ""},
		{"a manager rotates more", rotate(limited), forbidden},
		{"a manager revokes more", w.RevokeKey(w.ctx, limited, own.ID), forbidden},
		{"a key of some networks makes one of a part of them", bound(inside, 0, "10.0.7.0/24", "127.0.0.0/8"), ""},
		{"a key of some networks makes one of a larger one", bound(inside, 0, "10.0.0.0/16", "10.0.0.0/15"), forbidden},
		{"a key of some networks makes one of another", bound(inside, 0, "192.168.0.0/24"), forbidden},
		{"a key of some networks makes one of all", bound(inside, time.Hour), forbidden},
		{"a key of some networks rotates one of all", rotate(inside), forbidden},
		{"a key of an hour makes one of a part of that", bound(passing, 59*time.Minute, "192.168.0.0/24"), ""},
		{"a key of an hour makes one of more", bound(passing, 61*time.Minute), forbidden},
		{"a key of an hour makes one for ever", bound(passing, 0), forbidden},
		{"a key of an hour makes a user", user(passing), forbidden},
		{"a tenant makes its own", make(tenant, "", service.Everything()), ""},
		{"a tenant makes its own by name", make(tenant, "111111111111", service.Everything()), ""},
		{"a tenant makes another's", make(tenant, testservice.Account, sendOnly), forbidden},
		{"a tenant lists another's", list(tenant, testservice.Account), forbidden},
		{"a tenant asks as another", list(tenant.On(testservice.Account), ""), forbidden},
		{"a tenant sees another's", get(tenant), notFound},
		{"a tenant rotates another's", rotate(tenant), notFound},
		{"a tenant revokes another's", w.RevokeKey(w.ctx, tenant, own.ID), notFound},
		{"a sender makes less", make(sender, "", sendOnly), forbidden},
		{"a sender lists", list(sender, ""), forbidden},
		{"nobody lists", list(service.Caller{}, ""), service.CodeUnauthenticated},
		{"nobody sees", get(service.Caller{}), service.CodeUnauthenticated},
		{"the operator lists a tenant's", list(admin, "111111111111"), ""},
		{"the operator makes nobody's", make(admin, "1", sendOnly), service.CodeInvalidParameter},
	} {
		if codeOf(test.err) != test.want {
			t.Errorf("%s: %v, want %q", test.what, test.err, test.want)
		}
	}
	w.create(service.CreateKey{}) // so that a cursor leads somewhere
	first, err := w.ListKeys(w.ctx, admin, service.ListKeys{Limit: 1})
	if err != nil || len(first.Keys) != 1 {
		t.Fatalf("the first page: %v, %v", first, err)
	}
	rest, err := w.ListKeys(w.ctx, admin, service.ListKeys{Cursor: first.Cursor})
	if err != nil || len(rest.Keys) == 0 || rest.Keys[0].ID <= first.Keys[0].ID || rest.Cursor != "" {
		t.Errorf("the next page: %v, %v", rest, err)
	}
	if err := list(admin, ""); err != nil {
		t.Error(err)
	}
}

func TestKeyRates(t *testing.T) {
	w := setupKeys(t, service.Options{Rates: service.Rates{PerKey: 0.3, PerAccount: 0.6}})
	_, one := w.create(service.CreateKey{})
	_, two := w.create(service.CreateKey{})
	_, three := w.create(service.CreateKey{})
	_, tenant := w.create(service.CreateKey{Account: "111111111111"})
	w.KeepRates() // however slow the machine is
	want := func(what string, c service.Credentials, want int) {
		t.Helper()
		permitted := 0
		for range 20 {
			_, err := w.CallerOfToken(w.ctx, c.Token().Reveal(), local)
			switch {
			case err == nil:
				permitted++
			case codeOf(err) != service.CodeRateLimited:
				t.Fatal(err)
			}
		}
		if permitted != want {
			t.Errorf("%s may make %d requests at once, want %d", what, permitted, want)
		}
	}
	want("a key", one, 1)
	want("another key of the account", two, 1)
	want("the account's third key", three, 0)
	want("another account's key", tenant, 1)
	_, four := w.create(service.CreateKey{})
	want("a key after another load of all keys", tenant, 0)
	want("an account's new key after another load of all keys", four, 0)
}

// Another master key takes the first one's place without a key noticing it.
func TestMasterKeyRotation(t *testing.T) {
	old, next := service.NewMasterKey().Reveal(), service.NewMasterKey().Reveal()
	w := setupKeys(t, service.Options{MasterKeys: masterKeys(t, old)})
	key, credentials := w.create(service.CreateKey{})
	on := func(texts ...string) *service.Service {
		opts := service.Options{Account: testservice.Account}
		if texts != nil {
			opts.MasterKeys = masterKeys(t, texts...)
		}
		return testservice.On(t, w.url, opts)
	}
	check := func(what string, s *service.Service, secrets int) {
		t.Helper()
		w.wantCaller(s, credentials.Token(), "")
		if got := s.SecretsOf(key.ID); len(got) != secrets || secrets > 0 && got[0] != credentials.Secret {
			t.Errorf("%s: signatures may be by %d secrets, want %d", what, len(got), secrets)
		}
	}
	check("with another master key", on(next), 0)
	check("without a master key", on(), 0)
	check("with both, the old first", on(old, next), 1)
	check("with the new alone, before it sealed", on(next), 0)
	check("with both, the new first", on(next, old), 1)
	check("with the new alone", on(next), 1)
	check("with the old alone", on(old), 0)
	check("a replica that has known it", w.Service, 1)
	w.create(service.CreateKey{Name: "another"})
	check("the same after a change of keys", w.Service, 1)
}

// Of any number of first keys one is made.
func TestFirstKey(t *testing.T) {
	w := setupKeys(t, service.Options{})
	made := make(chan bool, 8)
	for i := range cap(made) {
		go func() {
			replica := w.Service
			if i%2 == 0 {
				replica = w.other
			}
			_, created, err := replica.CreateFirstKey(w.ctx, service.Credentials{})
			if err != nil {
				t.Error(err)
			}
			made <- created
		}()
	}
	n := 0
	for range cap(made) {
		if <-made {
			n++
		}
	}
	page, err := w.ListKeys(w.ctx, admin, service.ListKeys{})
	if err != nil || n != 1 || len(page.Keys) != 1 {
		t.Fatalf("%d were made, and there are %d keys, %v; want 1", n, len(page.Keys), err)
	}
	first := page.Keys[0]
	if err := w.RevokeKey(w.ctx, admin, first.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.CreateFirstKey(w.ctx, service.Credentials{KeyID: first.ID, Secret: service.NewCredentials().Secret}); codeOf(err) != service.CodeKeyNotFound {
		t.Errorf("a revoked key is given again: %v", err)
	}
	given := service.NewCredentials()
	if got, created, err := w.CreateFirstKey(w.ctx, given); err != nil || !created || got != given {
		t.Errorf("a given key: %v, %v", created, err)
	}
	w.wantCaller(w.Service, given.Token(), "")
}

func TestLastUse(t *testing.T) {
	w := setupKeys(t, service.Options{})
	key, credentials := w.create(service.CreateKey{})
	if !key.LastUsedAt.IsZero() {
		t.Errorf("a new key was used at %v", key.LastUsedAt)
	}
	began := time.Now()
	w.wantCaller(w.Service, credentials.Token(), "")
	w.eventually("the use is seen", func() bool {
		key, err := w.other.GetKey(w.ctx, admin, key.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !key.LastUsedAt.IsZero() && (began.Sub(key.LastUsedAt) > 2*time.Minute || key.LastUsedAt.After(time.Now())) {
			t.Errorf("it was used at %v", key.LastUsedAt)
		}
		return !key.LastUsedAt.IsZero()
	})
}

// While the database is away, keys that were known work, and others do not.
func TestKeysWithoutDatabase(t *testing.T) {
	t.Parallel()
	line := pgtest.NewLine(t, pgtest.New(t))
	svc := testservice.On(t, line.URL, service.Options{Account: testservice.Account, MasterKeys: masterKeys(t, service.NewMasterKey().Reveal())})
	credentials, _, err := svc.CreateFirstKey(t.Context(), service.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	line.Cut()
	time.Sleep(3 * time.Second) // for a look at the keys, which fails
	if _, err := svc.CallerOfToken(t.Context(), credentials.Token().Reveal(), local); err != nil {
		t.Errorf("the key is %v", err)
	}
	if _, err := svc.CallerOfToken(t.Context(), service.NewCredentials().Token().Reveal(), local); codeOf(err) != service.CodeUnauthenticated {
		t.Errorf("another key is %v", err)
	}
}
