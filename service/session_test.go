package service_test

import (
	"encoding/base64"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/internal/pgtest"
	"tusq/service"
	"tusq/test/testservice"
)

var noAddress netip.Addr

// exec changes the database behind the service's back.
func (w *world) exec(sql string, args ...any) int64 {
	w.t.Helper()
	conn, err := pgx.Connect(w.ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(w.ctx)
	tag, err := conn.Exec(w.ctx, sql, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return tag.RowsAffected()
}

func (w *world) mustSignIn(name string) string {
	w.t.Helper()
	token, err := w.signIn(name, password)
	if err != nil {
		w.t.Fatalf("sign in as %s: %v", name, err)
	}
	return token
}

func TestSignIn(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("ann", viewer)
	token, again := w.mustSignIn("ann"), w.mustSignIn("ann")
	if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(raw) != 32 || token == again {
		t.Errorf("the tokens are %q and %q", token, again)
	}
	if w.exec(`DELETE FROM sessions WHERE token_hash = convert_to($1, 'UTF8')`, token) != 0 {
		t.Error("a token is stored as it is")
	}
	for _, replica := range []*service.Service{w.Service, w.other} {
		from := netip.MustParseAddr("192.0.2.1")
		got, err := replica.CallerOfSession(w.ctx, token, from, true)
		if err != nil || got.Name() != "user ann" || got.Account != testservice.Account || got.Home() != testservice.Account || got.From != from {
			t.Fatalf("%+v %q, %v", got, got.Name(), err)
		}
		if _, err := replica.GetQueue(w.ctx, got, "orders"); err != nil {
			t.Errorf("what the user may do: %v", err)
		}
		_, err = replica.PurgeQueue(w.ctx, got, service.PurgeQueue{Name: "orders"})
		wantCode(t, err, service.CodeForbidden)
		_, err = replica.GetQueue(w.ctx, got, "other")
		wantCode(t, err, service.CodeForbidden)
	}
	for _, wrong := range []string{"", "x", token[1:], token + "A", strings.Repeat("A", 43), again[:42] + "!"} {
		got, err := w.CallerOfSession(w.ctx, wrong, noAddress, true)
		wantCode(t, err, service.CodeUnauthenticated)
		if got != (service.Caller{}) {
			t.Errorf("a caller comes with the error: %+v", got)
		}
	}
}

// What is wrong with an attempt is not told, and it takes the same work.
func TestSignInRefuses(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("ann", viewer)
	var texts []string
	for _, signIn := range []service.SignIn{
		{Account: testservice.Account, User: "ann", Password: password + "x"},
		{Account: testservice.Account, User: "ann"},
		{Account: testservice.Account, User: "bob", Password: password},
		{Account: testservice.Account, User: "Ann", Password: password},
		{Account: testservice.Account, User: "\x00", Password: password},
		{Account: testservice.Account, User: "ann", Password: password + strings.Repeat("x", service.MaxPassword)},
		{Account: "999999999999", User: "ann", Password: password},
		{Account: "\x00", User: "ann", Password: password},
		{Token: "tusq_nonsense"},
		{},
	} {
		token, err := w.SignIn(w.ctx, signIn)
		wantCode(t, err, service.CodeUnauthenticated)
		if texts = append(texts, service.ErrorMessage(err)); token != "" || texts[0] != service.ErrorMessage(err) {
			t.Errorf("%+v: %q, %v, and another was told %q", signIn, token, err, texts[0])
		}
	}
	if n := w.exec(`DELETE FROM sessions`); n != 0 {
		t.Errorf("%d sessions were made", n)
	}
}

// An attempt for a name that does not exist, or cannot, hashes as one for a user does: where no
// password can be hashed, neither is answered. That is no failure of the attempt's.
func TestSignInTakesTheSameWork(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("ann", viewer)
	free := w.FillHashing()
	for _, name := range []string{"ann", "nobody", "<b>", ""} {
		_, err := w.signIn(name, password)
		wantCode(t, err, service.CodeOverloaded)
	}
	_, err := w.SignIn(w.ctx, service.SignIn{Account: testservice.Account, User: "ann", Password: strings.Repeat("x", service.MaxPassword+1)})
	wantCode(t, err, service.CodeOverloaded)
	free()
	w.mustSignIn("ann")
}

func TestSignInIsLimited(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.KeepAttempts() // however slow the machine is
	w.createUser("ann", viewer)
	from := netip.MustParseAddr("192.0.2.1")
	attempt := func(user, password, from string) error {
		_, err := w.SignIn(w.ctx, service.SignIn{Account: testservice.Account, User: user, Password: password, From: netip.MustParseAddr(from)})
		return err
	}
	for range 12 { // those that succeed are not counted
		if err := attempt("ann", password, from.String()); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		wantCode(t, attempt("ann", "wrong", "192.0.2.2"), service.CodeUnauthenticated)
		wantCode(t, attempt("nobody", "wrong", "192.0.2.3"), service.CodeUnauthenticated)
	}
	for _, refused := range []error{
		attempt("ann", password, from.String()), // whoever guesses may also be right
		attempt("nobody", "wrong", from.String()),
		attempt("bob", "wrong", "192.0.2.2"),
	} {
		wantCode(t, refused, service.CodeRateLimited)
	}
	wantCode(t, attempt("bob", "wrong", from.String()), service.CodeUnauthenticated)
}

func TestSessionsEnd(t *testing.T) {
	w := setup(t, service.QueueChange{})
	ends := map[string]func(token string){
		"sign-out": func(token string) {
			if err := w.SignOut(w.ctx, caller, token); err != nil {
				t.Error(err)
			}
		},
		"idle":     func(string) { w.exec(`UPDATE sessions SET used_at = used_at - interval '30 minutes'`) },
		"lifetime": func(string) { w.exec(`UPDATE sessions SET created_at = created_at - interval '12 hours'`) },
		"deleted": func(string) {
			if err := w.DeleteUser(w.ctx, caller, "ann"); err != nil {
				t.Error(err)
			}
		},
		"made anew": func(string) {
			if err := w.DeleteUser(w.ctx, caller, "ann"); err != nil {
				t.Error(err)
			}
			w.createUser("ann", viewer)
		},
		"password": func(string) {
			if _, err := w.UpdateUser(w.ctx, caller, "ann", service.UpdateUser{Password: new("another password")}); err != nil {
				t.Error(err)
			}
		},
		"rights": func(string) {
			if _, err := w.UpdateUser(w.ctx, caller, "ann", service.UpdateUser{Queues: []string{"*"}}); err != nil {
				t.Error(err)
			}
		},
	}
	for name, end := range ends {
		w.exec(`DELETE FROM users`)
		w.createUser("ann", viewer)
		token := w.mustSignIn("ann")
		if _, err := w.CallerOfSession(w.ctx, token, noAddress, true); err != nil {
			t.Fatal(err)
		}
		end(token)
		replica := w.Service
		if name == "idle" || name == "lifetime" { // which the first replica is told in a few seconds
			replica = w.other
		}
		if _, err := replica.CallerOfSession(w.ctx, token, noAddress, true); service.ErrorCode(err) != service.CodeUnauthenticated || err == nil {
			t.Errorf("%s: %v, want %s", name, err, service.CodeUnauthenticated)
		}
	}
}

// A replica that has a session in its cache, and hears of nothing, knows its end in a few seconds.
func TestSessionsEndOnOtherReplicas(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("ann", viewer)
	token := w.mustSignIn("ann")
	if _, err := w.CallerOfSession(w.ctx, token, noAddress, true); err != nil {
		t.Fatal(err)
	}
	w.exec(`DELETE FROM sessions`)
	ended := time.Now()
	for {
		_, err := w.CallerOfSession(w.ctx, token, noAddress, true)
		if err != nil {
			wantCode(t, err, service.CodeUnauthenticated)
			return
		}
		if time.Since(ended) > 10*time.Second {
			t.Fatal("ten seconds later the session is still one")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// A person's use keeps a session, a page that polls does not.
func TestSessionsAreUsed(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("ann", viewer)
	token := w.mustSignIn("ann")
	aged := func() int64 {
		return w.exec(`UPDATE sessions SET used_at = used_at - interval '20 minutes' WHERE used_at > tusq_now() - interval '2 minutes'`)
	}
	if aged() != 1 {
		t.Fatal("there is no session")
	}
	if _, err := w.CallerOfSession(w.ctx, token, noAddress, false); err != nil {
		t.Fatal(err)
	}
	if aged() != 0 {
		t.Error("a page that polls keeps its session alive")
	}
	if _, err := w.CallerOfSession(w.ctx, token, noAddress, true); err != nil {
		t.Fatal(err)
	}
	if aged() != 1 {
		t.Error("a person does not keep a session alive that a page has polled for a moment ago")
	}
}

// Somebody who signs in while the password is changed has no session with the old one.
func TestSignInWhileThePasswordChanges(t *testing.T) {
	w := setup(t, service.QueueChange{})
	w.createUser("ann", viewer)
	ctx := w.ctx
	conn, err := pgx.Connect(ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, `UPDATE users SET password = 'another'`); err != nil {
		t.Fatal(err)
	}
	signedIn := make(chan error, 1)
	go func() {
		_, err := w.signIn("ann", password)
		signedIn <- err
	}()
	for len(signedIn) == 0 && w.exec(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INTO sessions%'`) == 0 {
		// It comes to wait for the change that is not committed.
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	wantCode(t, <-signedIn, service.CodeUnauthenticated)
	if n := w.exec(`DELETE FROM sessions`); n != 0 {
		t.Error("the old password has made a session")
	}
}

// Nothing that was typed is logged but the names of users.
func TestSignInsAreLogged(t *testing.T) {
	t.Parallel()
	var log safeLog
	svc := testservice.On(t, pgtest.New(t), service.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := svc.CreateUser(t.Context(), caller, service.CreateUser{Name: "ann", Password: password, Rights: viewer}); err != nil {
		t.Fatal(err)
	}
	from := netip.MustParseAddr("192.0.2.1")
	for _, typed := range []struct{ user, password, logged string }{
		{"ann", password, `msg=sign-in caller="user ann" client=192.0.2.1 result=ok`},
		{"ann", "canary-one", `level=WARN msg=sign-in caller="user ann" client=192.0.2.1 result=unauthenticated`},
		{"canary-two", "canary-three", `level=WARN msg=sign-in caller="" client=192.0.2.1 result=unauthenticated`},
	} {
		_, _ = svc.SignIn(t.Context(), service.SignIn{Account: testservice.Account, User: typed.user, Password: typed.password, From: from})
		if !strings.Contains(log.String(), typed.logged) {
			t.Errorf("logged %s, want %s", log.String(), typed.logged)
		}
	}
	if strings.Contains(log.String(), "canary") || strings.Contains(log.String(), password) || strings.Contains(log.String(), "argon2") {
		t.Errorf("logged %s", log.String())
	}
}

// A session of a key is the key, with its rights and its networks, for as long as there is the key.
func TestSignInByKey(t *testing.T) {
	w := setupKeys(t, service.Options{})
	key, credentials := w.create(service.CreateKey{Rights: sendOnly, Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	signIn := func(token string, from netip.Addr) (string, error) {
		return w.SignIn(w.ctx, service.SignIn{Token: token, From: from})
	}
	token, err := signIn(credentials.Token().Reveal(), local)
	if err != nil {
		t.Fatal(err)
	}
	for _, replica := range []*service.Service{w.Service, w.other} {
		w.eventually("each replica knows the key", func() bool {
			_, err := replica.CallerOfSession(w.ctx, token, local, true)
			return err == nil
		})
		got, err := replica.CallerOfSession(w.ctx, token, local, true)
		if err != nil || got.KeyID() != key.ID || got.Account != testservice.Account {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = replica.GetQueue(w.ctx, got, "orders-1")
		wantCode(t, err, service.CodeForbidden)
	}
	elsewhere := netip.MustParseAddr("192.0.2.1")
	_, err = w.CallerOfSession(w.ctx, token, elsewhere, true)
	wantCode(t, err, service.CodeForbidden)
	_, err = signIn(credentials.Token().Reveal(), elsewhere)
	wantCode(t, err, service.CodeForbidden)
	other := service.Credentials{KeyID: key.ID, Secret: service.NewCredentials().Secret}
	_, err = signIn(other.Token().Reveal(), local)
	wantCode(t, err, service.CodeUnauthenticated)

	if err := w.RevokeKey(w.ctx, admin, key.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.CallerOfSession(w.ctx, token, local, true)
	wantCode(t, err, service.CodeUnauthenticated)
	w.eventually("the key's session has ended on the other replica", func() bool {
		_, err := w.other.CallerOfSession(w.ctx, token, local, true)
		return codeOf(err) == service.CodeUnauthenticated
	})
	_, err = signIn(credentials.Token().Reveal(), local)
	wantCode(t, err, service.CodeUnauthenticated)
}
