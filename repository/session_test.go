package repository

import (
	"testing"

	"tusq/service"
)

// Sessions that nobody uses are deleted, and no others.
func TestForgetSessions(t *testing.T) {
	s := setup(t)
	user, err := s.CreateUser(s.ctx, service.StoredUser{User: service.User{Account: account, Name: "ann", Rights: service.Everything()}, Password: "hash"})
	if err != nil {
		t.Fatal(err)
	}
	for _, hash := range []string{"used", "idle"} {
		session := service.NewSession{TokenHash: []byte(hash), Account: account, User: user.Name, Password: "hash"}
		if err := s.CreateSession(s.ctx, session); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.ForgetSessions(s.ctx); err != nil || n != 0 {
		t.Errorf("%d sessions were deleted at once, %v", n, err)
	}
	if _, err := s.cold.Exec(s.ctx, `UPDATE sessions SET used_at = used_at - interval '30 minutes' WHERE token_hash = 'idle'`); err != nil {
		t.Fatal(err)
	}
	if n, err := s.ForgetSessions(s.ctx); err != nil || n != 1 {
		t.Errorf("%d sessions were deleted, want the idle one, %v", n, err)
	}
	if _, err := s.GetSession(s.ctx, []byte("used"), false); err != nil {
		t.Errorf("the used session: %v", err)
	}
	wrong := service.NewSession{TokenHash: []byte("wrong"), Account: account, User: user.Name, Password: "another"}
	if err := s.CreateSession(s.ctx, wrong); service.ErrorCode(err) != service.CodeUnauthenticated {
		t.Errorf("a session by another password: %v", err)
	}
	noKey := service.NewSession{TokenHash: []byte("wrong"), Account: account, KeyID: "TQAAAAAAAAAAAAAAAAAA"}
	if err := s.CreateSession(s.ctx, noKey); service.ErrorCode(err) != service.CodeUnauthenticated {
		t.Errorf("a session of no key: %v", err)
	}
}
