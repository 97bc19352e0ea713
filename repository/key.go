package repository

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

// keyColumns are what scanKey reads of keys k.
const keyColumns = `
	k.id, k.account, k.name, k.actions, k.queues, k.sources, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at,
	(SELECT min(s.expires_at) FROM key_secrets s WHERE s.key_id = k.id AND s.expires_at > tusq_now())
FROM keys k`

// keyLives holds for keys that work.
const keyLives = `k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > tusq_now())`

func scanKey(row pgx.CollectableRow) (service.AccessKey, error) {
	var k service.AccessKey
	var actions, sources []string
	var expires, revoked, used, retiring *time.Time
	err := row.Scan(&k.ID, &k.Account, &k.Name, &actions, &k.Rights.Queues, &sources,
		&k.CreatedAt, &k.CreatedBy, &expires, &revoked, &used, &retiring)
	if err != nil {
		return service.AccessKey{}, err
	}
	k.Rights.Actions, _ = service.ParseActions(actions) // those of a later version are none of this one
	for _, source := range sources {
		network, err := netip.ParsePrefix(source)
		if err != nil {
			return service.AccessKey{}, err
		}
		k.Sources = append(k.Sources, network)
	}
	k.ExpiresAt, k.RevokedAt, k.LastUsedAt, k.RetiringAt = orZero(expires), orZero(revoked), orZero(used), orZero(retiring)
	return k, nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// IdentityVersion grows with every change of keys and users.
func (r *Repository) IdentityVersion(ctx context.Context) (version int64, err error) {
	err = r.keys.QueryRow(ctx, `SELECT identity_version FROM instance`).Scan(&version)
	if err != nil {
		return 0, r.classify("look for changes of identities", err)
	}
	return version, nil
}

// changeIdentities carries out a change in a transaction of its own. Changes wait for each
// other, so each sees all that were before.
func (r *Repository) changeIdentities(ctx context.Context, operation string, change func(pgx.Tx) error) error {
	err := r.change(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE instance SET identity_version = identity_version + 1`); err != nil {
			return err
		}
		return change(tx)
	})
	if err != nil {
		return r.classify(operation, err)
	}
	return nil
}

// LoadKeys returns all keys that work, as they are at one moment.
func (r *Repository) LoadKeys(ctx context.Context) (set service.KeySet, err error) {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, r.keys, snapshot, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT identity_version, tusq_now() FROM instance`).Scan(&set.Version, &set.Now); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `SELECT `+keyColumns+` WHERE `+keyLives)
		keys, err := pgx.CollectRows(rows, scanKey)
		if err != nil {
			return err
		}
		secrets, err := loadSecrets(ctx, tx)
		for _, key := range keys {
			set.Keys = append(set.Keys, service.LoadedKey{AccessKey: key, Secrets: secrets[key.ID]})
		}
		return err
	})
	if err != nil {
		return service.KeySet{}, r.classify("load keys", err)
	}
	return set, nil
}

// loadSecrets returns the secrets that have not ended, by their keys, the latest last.
func loadSecrets(ctx context.Context, tx pgx.Tx) (map[string][]service.KeySecret, error) {
	secrets := map[string][]service.KeySecret{}
	rows, _ := tx.Query(ctx, `
SELECT key_id, number, token_hash, sealed, sealed_by, expires_at
FROM key_secrets
WHERE expires_at IS NULL OR expires_at > tusq_now()
ORDER BY key_id, number`)
	defer rows.Close()
	for rows.Next() {
		var id string
		var s service.KeySecret
		var expires *time.Time
		if err := rows.Scan(&id, &s.Number, &s.TokenHash, &s.Sealed, &s.SealedBy, &expires); err != nil {
			return nil, err
		}
		s.ExpiresAt = orZero(expires)
		secrets[id] = append(secrets[id], s)
	}
	return secrets, rows.Err()
}

// CreateKey stores a key, or fails with CodeTooManyKeys.
func (r *Repository) CreateKey(ctx context.Context, key service.NewKey) (stored service.AccessKey, err error) {
	err = r.changeIdentities(ctx, "create a key", func(tx pgx.Tx) error {
		var all, own int
		err := tx.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE k.account = $1) FROM keys k WHERE `+keyLives,
			key.Account).Scan(&all, &own)
		switch {
		case err != nil:
			return err
		case all >= service.MaxKeys:
			return service.Errorf(service.CodeTooManyKeys, "There are %d keys; revoke some first.", all)
		case own >= service.MaxAccountKeys:
			return service.Errorf(service.CodeTooManyKeys, "The account has %d keys; revoke some first.", own)
		}
		if err := insertKey(ctx, tx, key); err != nil {
			return err
		}
		stored, err = getKey(ctx, tx, key.ID)
		return err
	})
	return stored, err
}

// CreateFirstKey stores a key where there is none that works: of several at the same time, one is stored.
func (r *Repository) CreateFirstKey(ctx context.Context, key service.NewKey) (created bool, err error) {
	err = r.changeIdentities(ctx, "create the first key", func(tx pgx.Tx) error {
		var live, known bool
		err := tx.QueryRow(ctx, `
SELECT EXISTS (SELECT 1 FROM keys k WHERE `+keyLives+`), EXISTS (SELECT 1 FROM keys WHERE id = $1)`, key.ID).Scan(&live, &known)
		switch {
		case err != nil || live:
			return err
		case known:
			return service.ErrKeyNotFound(key.ID)
		}
		created = true
		return insertKey(ctx, tx, key)
	})
	if created && errors.Is(err, errGivenUp) { // nobody would ever be told of it; where it is lost, the next start makes one
		err = nil
	}
	return created && err == nil, err
}

func insertKey(ctx context.Context, tx pgx.Tx, key service.NewKey) error {
	sources := make([]string, len(key.Sources))
	for i, source := range key.Sources {
		sources[i] = source.String()
	}
	var expires *time.Duration
	if key.Expires > 0 {
		expires = &key.Expires
	}
	_, err := tx.Exec(ctx, `
INSERT INTO keys (id, account, name, actions, queues, sources, created_at, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, tusq_now(), $7, tusq_now() + $8::interval)`,
		key.ID, key.Account, key.Name, service.ActionNames(key.Rights.Actions), key.Rights.Queues, sources, key.CreatedBy, expires)
	if err != nil {
		return err
	}
	return insertSecret(ctx, tx, key.ID, key.Secret)
}

// insertSecret stores a key's secret under the number after its latest.
func insertSecret(ctx context.Context, tx pgx.Tx, id string, s service.KeySecret) error {
	_, err := tx.Exec(ctx, `
INSERT INTO key_secrets (key_id, number, token_hash, sealed, sealed_by, created_at)
SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, tusq_now()
FROM key_secrets
WHERE key_id = $1`, id, s.TokenHash, s.Sealed, s.SealedBy)
	return err
}

// ListKeys returns an account's keys that are not revoked, in the order of their ids.
func (r *Repository) ListKeys(ctx context.Context, filter service.KeyFilter) ([]service.AccessKey, error) {
	rows, _ := r.cold.Query(ctx, `
SELECT `+keyColumns+`
WHERE k.account = $1 AND k.id > $2 AND k.revoked_at IS NULL
ORDER BY k.id
LIMIT $3`, filter.Account, filter.After, filter.Limit)
	keys, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, r.classify("list keys", err)
	}
	return keys, nil
}

// GetKey returns a key, also one that is revoked or has expired.
func (r *Repository) GetKey(ctx context.Context, id string) (service.AccessKey, error) {
	key, err := getKey(ctx, r.cold, id)
	if err != nil {
		return service.AccessKey{}, r.classify("get a key", err)
	}
	return key, nil
}

func getKey(ctx context.Context, from querier, id string) (service.AccessKey, error) {
	rows, _ := from.Query(ctx, `SELECT `+keyColumns+` WHERE k.id = $1`, id)
	key, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return service.AccessKey{}, service.ErrKeyNotFound(id)
	}
	return key, err
}

// RotateKey gives a key a secret beside its latest, which ends after grace. Earlier ones are forgotten.
func (r *Repository) RotateKey(ctx context.Context, id string, grace time.Duration, secret service.KeySecret) (rotated service.AccessKey, err error) {
	err = r.changeIdentities(ctx, "rotate a key", func(tx pgx.Tx) error {
		rotated, err = getKey(ctx, tx, id)
		if err == nil && !rotated.RevokedAt.IsZero() {
			return service.ErrKeyNotFound(id)
		}
		if err != nil {
			return err
		}
		if err := insertSecret(ctx, tx, id, secret); err != nil {
			return err
		}
		for _, statement := range []struct {
			sql    string
			params []any
		}{
			{`
UPDATE key_secrets
SET expires_at = tusq_now() + $2::interval
WHERE key_id = $1 AND number = (SELECT max(number) - 1 FROM key_secrets WHERE key_id = $1)`, []any{id, grace}},
			{`
DELETE FROM key_secrets
WHERE key_id = $1 AND (expires_at <= tusq_now() OR number < (SELECT max(number) - 1 FROM key_secrets WHERE key_id = $1))`, []any{id}},
		} {
			if _, err := tx.Exec(ctx, statement.sql, statement.params...); err != nil {
				return err
			}
		}
		rotated, err = getKey(ctx, tx, id)
		return err
	})
	return rotated, err
}

// RevokeKey ends a key, and forgets its secrets.
func (r *Repository) RevokeKey(ctx context.Context, id string) error {
	return r.changeIdentities(ctx, "revoke a key", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE keys SET revoked_at = tusq_now() WHERE id = $1 AND revoked_at IS NULL`, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return service.ErrKeyNotFound(id)
		}
		_, err = tx.Exec(ctx, `DELETE FROM key_secrets WHERE key_id = $1`, id)
		return err
	})
}

// ResealSecrets stores secrets that are sealed anew, unless they were changed since.
func (r *Repository) ResealSecrets(ctx context.Context, secrets []service.Resealed) error {
	err := r.change(ctx, func(tx pgx.Tx) error {
		for _, s := range secrets {
			_, err := tx.Exec(ctx, `
UPDATE key_secrets
SET sealed = $4, sealed_by = $5
WHERE key_id = $1 AND number = $2 AND sealed_by = $3`, s.KeyID, s.Number, s.WasSealedBy, s.Sealed, s.SealedBy)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return r.classify("seal the secrets of keys anew", err)
	}
	return nil
}

// NoteKeyUses stores that keys were used in this minute.
func (r *Repository) NoteKeyUses(ctx context.Context, ids []string) error {
	_, err := r.cold.Exec(ctx, `
UPDATE keys
SET last_used_at = date_trunc('minute', tusq_now())
WHERE id = ANY ($1) AND (last_used_at IS NULL OR last_used_at < date_trunc('minute', tusq_now()))`, ids)
	if err != nil {
		return r.classify("note the uses of keys", err)
	}
	return nil
}
