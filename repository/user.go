package repository

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

const userColumns = `account, name, password, actions, queues, created_at, updated_at`

func scanUser(row pgx.CollectableRow) (service.StoredUser, error) {
	var u service.StoredUser
	var actions []string
	err := row.Scan(&u.Account, &u.Name, &u.Password, &actions, &u.Queues, &u.CreatedAt, &u.UpdatedAt)
	u.Actions, _ = service.ParseActions(actions) // but for those that only a newer version knows
	return u, err
}

// CreateUser stores a user, or fails with CodeUserExists or CodeTooManyUsers.
func (r *Repository) CreateUser(ctx context.Context, user service.StoredUser) (stored service.User, err error) {
	err = r.changeIdentities(ctx, "create user", func(tx pgx.Tx) error {
		var own int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM users WHERE account = $1`, user.Account).Scan(&own); err != nil {
			return err
		}
		if own >= service.MaxAccountUsers {
			return service.Errorf(service.CodeTooManyUsers, "The account has %d users; delete some first.", own)
		}
		rows, _ := tx.Query(ctx, `
INSERT INTO users (`+userColumns+`)
VALUES ($1, $2, $3, $4, $5, tusq_now(), tusq_now())
ON CONFLICT (account, name) DO NOTHING
RETURNING `+userColumns, user.Account, user.Name, string(user.Password), service.ActionNames(user.Actions), user.Queues)
		made, err := pgx.CollectExactlyOneRow(rows, scanUser)
		if errors.Is(err, pgx.ErrNoRows) {
			return service.Errorf(service.CodeUserExists, "There is a user %q already.", user.Name)
		}
		stored = made.User
		return err
	})
	return stored, err
}

// GetUser returns a user with the hash of the password.
func (r *Repository) GetUser(ctx context.Context, account, name string) (service.StoredUser, error) {
	user, err := getUser(ctx, r.cold, account, name, "")
	if err != nil {
		return service.StoredUser{}, r.classify("get user", err)
	}
	return user, nil
}

// getUser reads a user, and may lock the row.
func getUser(ctx context.Context, from querier, account, name, lock string) (service.StoredUser, error) {
	rows, _ := from.Query(ctx, `
SELECT `+userColumns+`
FROM users
WHERE account = $1 AND name = $2 `+lock, account, name)
	user, err := pgx.CollectExactlyOneRow(rows, scanUser)
	if errors.Is(err, pgx.ErrNoRows) {
		return service.StoredUser{}, service.ErrUserNotFound(name)
	}
	return user, err
}

// ListUsers returns users in the order of their names.
func (r *Repository) ListUsers(ctx context.Context, account, after string, limit int) ([]service.User, error) {
	rows, _ := r.cold.Query(ctx, `
SELECT `+userColumns+`
FROM users
WHERE account = $1 AND name COLLATE "C" > $2
ORDER BY name COLLATE "C"
LIMIT $3`, account, after, limit)
	users, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (service.User, error) {
		user, err := scanUser(row)
		return user.User, err
	})
	if err != nil {
		return nil, r.classify("list users", err)
	}
	return users, nil
}

// UpdateUser reads a user, lets change alter it, and stores it, in one transaction. The user's sessions end.
func (r *Repository) UpdateUser(ctx context.Context, account, name string, change func(*service.StoredUser) error) (service.User, error) {
	var user service.StoredUser
	err := r.change(ctx, func(tx pgx.Tx) (err error) {
		if user, err = getUser(ctx, tx, account, name, "FOR UPDATE"); err != nil {
			return err
		}
		if err := change(&user); err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `
UPDATE users
SET password = $3, actions = $4, queues = $5, updated_at = tusq_now()
WHERE account = $1 AND name = $2
RETURNING updated_at`, account, name, string(user.Password), service.ActionNames(user.Actions), user.Queues).Scan(&user.UpdatedAt)
		if err != nil {
			return err
		}
		return endSessions(ctx, tx, account, name)
	})
	if err != nil {
		return service.User{}, r.classify("update user", err)
	}
	return user.User, nil
}

// DeleteUser deletes a user that may be deleted. The user's sessions end.
func (r *Repository) DeleteUser(ctx context.Context, account, name string, may func(service.User) error) error {
	err := r.change(ctx, func(tx pgx.Tx) error {
		user, err := getUser(ctx, tx, account, name, "FOR UPDATE")
		if err != nil {
			return err
		}
		if err := may(user.User); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM users WHERE account = $1 AND name = $2`, account, name); err != nil {
			return err
		}
		return endSessions(ctx, tx, account, name)
	})
	if err != nil {
		return r.classify("delete user", err)
	}
	return nil
}
