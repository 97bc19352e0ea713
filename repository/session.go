package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// CreateSession stores a session of a key or a user as they are now. It waits for those that
// change the key or the user, and end the sessions that they see: one that is stored after them
// is of the key or the user as it is then.
func (r *Repository) CreateSession(ctx context.Context, session service.NewSession) error {
	source := `
FROM users
WHERE account = $2 AND name = $3 AND password = $4
FOR SHARE`
	columns, name, proof := `account, NULL, name`, session.User, string(session.Password)
	if session.KeyID != "" {
		source = `
FROM keys
WHERE account = $2 AND id = $3 AND $4 = '' AND revoked_at IS NULL
FOR SHARE`
		columns, name, proof = `account, id, NULL`, session.KeyID, ""
	}
	tag, err := r.cold.Exec(ctx, `
INSERT INTO sessions (token_hash, account, key_id, user_name, created_at, used_at)
SELECT $1, `+columns+`, tusq_now(), date_trunc('minute', tusq_now())`+source, session.TokenHash, session.Account, name, proof)
	if err != nil {
		return r.classify("create session", err)
	}
	if tag.RowsAffected() == 0 {
		return service.Errorf(service.CodeUnauthenticated, "The key or the user was changed at this moment. Sign in again.")
	}
	return nil
}

// sessionHolds is the condition that a session has not ended by itself.
const sessionHolds = `s.used_at > tusq_now() - $2::interval AND s.created_at > tusq_now() - $3::interval`

// GetSession returns a session with the rights that its user has now.
func (r *Repository) GetSession(ctx context.Context, tokenHash []byte, touch bool) (service.Session, error) {
	if touch {
		_, err := r.cold.Exec(ctx, `
UPDATE sessions s
SET used_at = date_trunc('minute', tusq_now())
WHERE s.token_hash = $1 AND s.used_at < date_trunc('minute', tusq_now()) AND `+sessionHolds,
			tokenHash, service.SessionIdle, service.SessionLifetime)
		if err != nil {
			return service.Session{}, r.classify("touch session", err)
		}
	}
	rows, _ := r.cold.Query(ctx, `
SELECT s.account, coalesce(s.key_id, ''), coalesce(s.user_name, ''), u.actions, u.queues
FROM sessions s
LEFT JOIN users u ON u.account = s.account AND u.name = s.user_name
WHERE s.token_hash = $1 AND (s.key_id IS NOT NULL OR u.name IS NOT NULL) AND `+sessionHolds,
		tokenHash, service.SessionIdle, service.SessionLifetime)
	session, err := pgx.CollectExactlyOneRow(rows, scanSession)
	if errors.Is(err, pgx.ErrNoRows) {
		return service.Session{}, service.Errorf(service.CodeUnauthenticated, "The session has ended. Sign in again.")
	}
	if err != nil {
		return service.Session{}, r.classify("get session", err)
	}
	return session, nil
}

func scanSession(row pgx.CollectableRow) (service.Session, error) {
	var s service.Session
	var actions []string
	err := row.Scan(&s.Account, &s.KeyID, &s.User, &actions, &s.Queues)
	s.Actions, _ = service.ParseActions(actions)
	return s, err
}

// DeleteSession ends a session, if there is one.
func (r *Repository) DeleteSession(ctx context.Context, tokenHash []byte) error {
	if _, err := r.cold.Exec(ctx, `DELETE FROM sessions WHERE token_hash = $1`, tokenHash); err != nil {
		return r.classify("delete session", err)
	}
	return nil
}

// endSessions ends all sessions of a user.
func endSessions(ctx context.Context, tx pgx.Tx, account, user string) error {
	_, err := tx.Exec(ctx, `DELETE FROM sessions WHERE account = $1 AND user_name = $2`, account, user)
	return err
}

// unusedSessions chooses sessions that were not used for long. Those that are too old cannot be used, so
// they come to that too.
var unusedSessions = fmt.Sprintf(`
SELECT token_hash
FROM sessions
WHERE used_at <= tusq_now() - interval '%d seconds'
LIMIT %s`, int(service.SessionIdle.Seconds()), deletePartText)

// ForgetSessions deletes sessions that have ended.
func (r *Repository) ForgetSessions(ctx context.Context) (int64, error) {
	deleted, err := r.exclusively(ctx, lockSessions, unusedSessions, func(tx pgx.Tx) (int64, error) {
		tag, err := tx.Exec(ctx, `DELETE FROM sessions WHERE token_hash IN (`+unusedSessions+`)`)
		return tag.RowsAffected(), err
	})
	if err != nil {
		return 0, r.classify("forget sessions", err)
	}
	return deleted, nil
}
