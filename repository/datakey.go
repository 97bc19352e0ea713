package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"tusq/service"
)

const dataKeyColumns = `id, account, queue_id, sealed, sealed_by`

// storeDataKey stores a queue's new data key, if there is one.
func storeDataKey(ctx context.Context, tx pgx.Tx, key *service.DataKey) error {
	if key == nil {
		return nil
	}
	_, err := tx.Exec(ctx, `
INSERT INTO data_keys (`+dataKeyColumns+`, created_at)
VALUES ($1, $2, $3, $4, $5, tusq_now())`, key.ID, key.Account, key.QueueID, key.Sealed, key.SealedBy)
	return err
}

// GetDataKey returns an account's data key.
func (r *Repository) GetDataKey(ctx context.Context, account string, id int64) (service.DataKey, error) {
	rows, _ := r.cold.Query(ctx, `SELECT `+dataKeyColumns+` FROM data_keys WHERE id = $1 AND account = $2`, id, account)
	key, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[service.DataKey])
	if errors.Is(err, pgx.ErrNoRows) {
		return service.DataKey{}, fmt.Errorf("data key %d: %w", id, service.ErrNoDataKey)
	}
	if err != nil {
		return service.DataKey{}, r.classify("get a data key", err)
	}
	return key, nil
}

// ListDataKeys returns the data keys that another master key than this one has sealed.
func (r *Repository) ListDataKeys(ctx context.Context, sealedBy string) ([]service.DataKey, error) {
	rows, _ := r.cold.Query(ctx, `SELECT `+dataKeyColumns+` FROM data_keys WHERE sealed_by <> $1`, sealedBy)
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[service.DataKey])
	if err != nil {
		return nil, r.classify("list data keys", err)
	}
	return keys, nil
}

// ResealDataKey replaces how a data key is sealed, unless somebody else has.
func (r *Repository) ResealDataKey(ctx context.Context, key service.DataKey, wasSealedBy string) error {
	_, err := r.cold.Exec(ctx, `
UPDATE data_keys
SET sealed = $2, sealed_by = $3
WHERE id = $1 AND sealed_by = $4`, key.ID, key.Sealed, key.SealedBy, wasSealedBy)
	if err != nil {
		return r.classify("seal a data key anew", err)
	}
	return nil
}
