package repository

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"tusq/internal/faultpoint"
	"tusq/service"
)

const redriveColumns = `id::text, source, destination, rate, status, moved, to_move, failure, started_at, ended_at`

func scanRedrive(row pgx.CollectableRow) (service.Redrive, error) {
	var r service.Redrive
	var ended *time.Time
	err := row.Scan(&r.ID, &r.Source, &r.Destination, &r.Rate, &r.Status, &r.Moved, &r.ToMove, &r.Failure, &r.StartedAt, &ended)
	if ended != nil {
		r.EndedAt = *ended
	}
	return r, err
}

// StartRedrive stores a redrive of what is visible in its source now.
func (r *Repository) StartRedrive(ctx context.Context, account string, start service.StartRedrive, source, destination service.Queue) (service.Redrive, error) {
	stats, err := r.QueueStats(ctx, source.ID)
	if err != nil {
		return service.Redrive{}, err
	}
	var destinationID *int64
	if destination.ID != 0 {
		destinationID = &destination.ID
	}
	if err := faultpoint.Hit("repository.redrive.start"); err != nil {
		return service.Redrive{}, r.classify("start a redrive", err)
	}
	redrive, err := r.changeRedrive(ctx, `
INSERT INTO redrives (id, account, source_id, source, destination_id, destination, rate, status, to_move, started_at, stepped_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, tusq_now(), tusq_now())
RETURNING `+redriveColumns, uuid.New(), account, source.ID, source.Name, destinationID, start.Destination, start.Rate, stats.Visible)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.ConstraintName == "redrives_active" {
		return service.Redrive{}, service.Errorf(service.CodeRedriveRunning, "The queue has a redrive that has not ended.")
	}
	if err != nil {
		return service.Redrive{}, r.classify("start a redrive", err)
	}
	return redrive, nil
}

// ListOrigins returns the names of the queues that a dead-letter queue's messages came from. It reads all
// of its rows: much less than the redrive will.
func (r *Repository) ListOrigins(ctx context.Context, sourceID int64) ([]string, error) {
	rows, _ := r.cold.Query(ctx, `
SELECT DISTINCT dead_letter_source
FROM messages
WHERE queue_id = $1 AND dead_letter_source IS NOT NULL`, sourceID)
	origins, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, r.classify("list the origins of dead letters", err)
	}
	return origins, nil
}

// GetRedrive returns a redrive.
func (r *Repository) GetRedrive(ctx context.Context, account, id string) (service.Redrive, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return service.Redrive{}, errNoRedrive()
	}
	rows, _ := r.cold.Query(ctx, `SELECT `+redriveColumns+` FROM redrives WHERE id = $1 AND account = $2`, parsed, account)
	redrive, err := pgx.CollectExactlyOneRow(rows, scanRedrive)
	if errors.Is(err, pgx.ErrNoRows) {
		return service.Redrive{}, errNoRedrive()
	}
	if err != nil {
		return service.Redrive{}, r.classify("get a redrive", err)
	}
	return redrive, nil
}

func errNoRedrive() error {
	return service.Errorf(service.CodeRedriveNotFound, "There is no such redrive; those that ended are kept for a day.")
}

// ListRedrives returns a queue's newest redrives, newest first.
func (r *Repository) ListRedrives(ctx context.Context, source service.Queue, limit int) ([]service.Redrive, error) {
	rows, _ := r.cold.Query(ctx, `
SELECT `+redriveColumns+`
FROM redrives
WHERE source_id = $1
ORDER BY started_at DESC
LIMIT $2`, source.ID, limit)
	redrives, err := pgx.CollectRows(rows, scanRedrive)
	if err != nil {
		return nil, r.classify("list redrives", err)
	}
	return redrives, nil
}

// CancelRedrive asks that a redrive end.
func (r *Repository) CancelRedrive(ctx context.Context, account, id string) (service.Redrive, error) {
	redrive, err := r.GetRedrive(ctx, account, id)
	if err != nil {
		return service.Redrive{}, err
	}
	redrive, err = r.changeRedrive(ctx, `
UPDATE redrives
SET status = 'cancelling'
WHERE id = $1 AND account = $2 AND ended_at IS NULL
RETURNING `+redriveColumns, redrive.ID, account)
	if errors.Is(err, pgx.ErrNoRows) {
		return service.Redrive{}, service.Errorf(service.CodeRedriveEnded, "The redrive has ended already.")
	}
	if err != nil {
		return service.Redrive{}, r.classify("cancel a redrive", err)
	}
	return redrive, nil
}

// changeRedrive changes one redrive, which it returns.
func (r *Repository) changeRedrive(ctx context.Context, sql string, params ...any) (redrive service.Redrive, err error) {
	err = r.change(ctx, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, sql, params...)
		redrive, err = pgx.CollectExactlyOneRow(rows, scanRedrive)
		return err
	})
	return redrive, err
}

// longEnded is the condition that a redrive ended so long ago that it is forgotten.
const longEnded = `ended_at < tusq_now() - interval '1 day'`

// forgetRedrives deletes redrives that ended more than a day ago.
func (r *Repository) forgetRedrives(ctx context.Context) (int64, error) {
	tag, err := r.cold.Exec(ctx, `DELETE FROM redrives WHERE `+longEnded)
	return tag.RowsAffected(), err
}
