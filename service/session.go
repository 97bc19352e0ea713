package service

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"regexp"
	"time"
)

// How long a session holds.
const (
	SessionIdle     = 30 * time.Minute // without a request of a person's, to the minute
	SessionLifetime = 12 * time.Hour   // whatever is done in it
)

const (
	sessionBytes = 32              // random, of a session's token
	sessionAge   = 5 * time.Second // after which a session and its rights are read again
	sessionCount = 10_000          // sessions that are kept; a full cache is emptied
	touchEvery   = time.Minute     // the use of a session is noted again
	failedEvery  = 6 * time.Second // in the long run, of one address or for one name
	failedBurst  = 10              // at once, of one address or for one name
	failedCount  = 10_000          // addresses and names whose attempts are counted apart
	sourceBits6  = 64              // of an IPv6 address: who has one address has its network
)

// SignIn asks for a session: by a key's token, or by a user's name and password.
type SignIn struct {
	Token string // a key's; "": by name and password

	Account  string
	User     string
	Password string

	From netip.Addr // where the attempt comes from
}

// Session is somebody who is signed in: a key, or a user with the rights that the user has now.
type Session struct {
	Account string
	KeyID   string // "": a user's
	User    string // "": a key's
	Rights         // of the user
}

// NewSession is a session to store.
type NewSession struct {
	TokenHash []byte
	Account   string
	KeyID     string
	User      string
	Password  PasswordHash // of the user, as it was compared
}

// accountID is the form of an account's.
var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// sessionTokens are written so.
var sessionTokens = base64.RawURLEncoding

// SignIn begins a session, each time with a new token, and returns that. It is kept nowhere but
// in the answer. The error tells no difference between a name that does not exist, a wrong password
// and a wrong key: CodeUnauthenticated, after the same work. After too many failures of the address
// or for the name it is CodeRateLimited.
func (s *Service) SignIn(ctx context.Context, signIn SignIn) (token string, err error) {
	caller, token, err := s.signIn(ctx, signIn)
	s.noteSignIn(ctx, signIn, caller, err)
	return token, err
}

// signIn is SignIn; caller is who has signed in or, where it failed, whom it was about if that is known.
func (s *Service) signIn(ctx context.Context, signIn SignIn) (caller Caller, token string, err error) {
	attempts := s.attempts.of(signIn)
	if !s.attempts.take(attempts) {
		return Caller{}, "", Errorf(CodeRateLimited, "Too many attempts to sign in have failed. Try again in a minute.")
	}
	session, caller, err := s.recognise(ctx, signIn)
	if code := ErrorCode(err); err == nil || code != CodeUnauthenticated {
		s.attempts.giveBack(attempts)
	}
	if err != nil {
		return caller, "", err
	}
	secret := make([]byte, sessionBytes)
	rand.Read(secret) // never fails
	token = sessionTokens.EncodeToString(secret)
	session.TokenHash = hashSession(token)
	if err := s.store.CreateSession(ctx, session); err != nil {
		return caller, "", err
	}
	return caller, token, nil
}

// recognise finds out who signs in.
func (s *Service) recognise(ctx context.Context, signIn SignIn) (NewSession, Caller, error) {
	if signIn.Token != "" {
		return s.recogniseKey(ctx, signIn)
	}
	user, err := s.findUser(ctx, signIn)
	if err != nil {
		return NewSession{}, Caller{}, err
	}
	matches, err := s.passwords.match(ctx, signIn.Password, user.Password)
	if err != nil {
		return NewSession{}, Caller{}, err
	}
	caller := Session{Account: user.Account, User: user.Name, Rights: user.Rights}.caller(signIn.From)
	if user.Name == "" { // whatever matches
		return NewSession{}, Caller{}, errSignIn()
	}
	if !matches {
		return NewSession{}, caller, errSignIn()
	}
	return NewSession{Account: user.Account, User: user.Name, Password: user.Password}, caller, nil
}

// findUser returns the user that somebody wants to be or, where there is none, one without a name,
// whose password takes as long to check.
func (s *Service) findUser(ctx context.Context, signIn SignIn) (StoredUser, error) {
	nobody := StoredUser{Password: dummyHash}
	if !userName.MatchString(signIn.User) || !accountID.MatchString(signIn.Account) || len(signIn.Password) > MaxPassword {
		return nobody, nil
	}
	user, err := s.store.GetUser(ctx, signIn.Account, signIn.User)
	if ErrorCode(err) == CodeUserNotFound {
		return nobody, nil
	}
	return user, err
}

func errSignIn() *Error {
	return Errorf(CodeUnauthenticated, "That is not a valid key, or not a user's name and password.")
}

// CallerOfSession returns the caller that a session's token stands for, with the rights that it has
// now, or had sessionAge ago. It fails with CodeUnauthenticated where the session has ended. Where a
// person asks, and not a page that polls, the session lasts for another SessionIdle.
func (s *Service) CallerOfSession(ctx context.Context, token string, from netip.Addr, person bool) (Caller, error) {
	if raw, err := sessionTokens.DecodeString(token); err != nil || len(raw) != sessionBytes {
		return Caller{}, errNoSession()
	}
	session, err := s.sessions.get(ctx, [sha256.Size]byte(hashSession(token)), person)
	if err != nil {
		return Caller{}, err
	}
	if session.KeyID != "" {
		return s.CallerOfKey(ctx, session.KeyID, from)
	}
	return session.caller(from), nil
}

func errNoSession() *Error {
	return Errorf(CodeUnauthenticated, "The session has ended. Sign in again.")
}

// SignOut ends a session. It succeeds where there is none.
func (s *Service) SignOut(ctx context.Context, caller Caller, token string) error {
	hash := hashSession(token)
	err := s.store.DeleteSession(ctx, hash)
	s.sessions.forget([sha256.Size]byte(hash))
	s.noteSignOut(ctx, caller, err)
	return err
}

// noteSignIn notes that somebody has signed in, or was refused. What was typed as a name is not
// noted unless it is a user's: it may be a password.
func (s *Service) noteSignIn(ctx context.Context, signIn SignIn, caller Caller, err error) {
	level, result := slog.LevelInfo, "ok"
	if err != nil {
		level, result = slog.LevelWarn, string(ErrorCode(err))
	}
	s.log.Log(ctx, level, "sign-in", "caller", caller.Name(), "client", signIn.From, "result", result)
	if err == nil {
		caller.From = signIn.From
		s.record(ctx, caller, AuditEntry{Action: auditSignIn}, nil)
		return
	}
	// Nobody has shown to be the one whom it was about.
	s.record(ctx, Caller{From: signIn.From}, AuditEntry{Action: auditSignIn, Account: caller.Account, Resource: caller.Name()}, err)
}

// noteSignOut notes that somebody has signed out, or could not.
func (s *Service) noteSignOut(ctx context.Context, caller Caller, err error) {
	if err == nil {
		s.log.InfoContext(ctx, "sign-out", "caller", caller.Name(), "client", caller.From)
		s.record(ctx, caller, AuditEntry{Action: auditSignOut}, nil)
	}
}

// caller makes the caller of a user's session.
func (s Session) caller(from netip.Addr) Caller {
	return Caller{Account: s.Account, From: from, actor: &actor{name: "user " + s.User, account: s.Account, rights: s.grants()}}
}

func hashSession(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// recogniseKey is recognise for a key. What is wrong with it is not told.
func (s *Service) recogniseKey(ctx context.Context, signIn SignIn) (NewSession, Caller, error) {
	caller, err := s.CallerOfToken(ctx, signIn.Token, signIn.From)
	if ErrorCode(err) == CodeUnauthenticated {
		return NewSession{}, Caller{}, errSignIn()
	}
	return NewSession{Account: caller.Home(), KeyID: caller.KeyID()}, caller, err
}
