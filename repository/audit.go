package repository

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"tusq/internal/faultpoint"
	"tusq/service"
)

// AppendAudit adds entries to the audit log. Those that are in it already, because an earlier
// call's commit was unknown, are left as they are.
func (r *Repository) AppendAudit(ctx context.Context, entries []service.AuditEntry) error {
	columns := make([][]string, 9)
	agos := make([]int64, len(entries))
	for i, e := range entries {
		detail, err := json.Marshal(e.Detail)
		if err != nil {
			return fmt.Errorf("write an entry of the audit log: %w", err)
		}
		row := []string{e.ID, e.Account, e.Actor, e.Action, e.Resource, e.Client, e.RequestID, e.Result, string(detail)}
		for c, value := range row {
			columns[c] = append(columns[c], value)
		}
		agos[i] = e.Ago.Microseconds()
	}
	params := []any{agos}
	for _, column := range columns {
		params = append(params, column)
	}
	_, err := r.cold.Exec(ctx, `
INSERT INTO audit_log (id, at, account, actor, action, resource, client, request_id, result, detail)
SELECT id::uuid, tusq_now() - make_interval(secs => ago / 1e6), account, actor, action, resource, client, request_id, result, detail::jsonb
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
	AS entry (ago, id, account, actor, action, resource, client, request_id, result, detail)
ON CONFLICT (id) DO NOTHING`, params...)
	if err = cmp.Or(err, faultpoint.Hit("repository.audit.written")); err != nil {
		return r.classify("write the audit log", err)
	}
	return nil
}

// ListAudit returns entries of the audit log, the newest first. It reads audit_log_account from
// its end on, once for each account: with a filter until there is a page, or all.
func (r *Repository) ListAudit(ctx context.Context, filter service.AuditFilter) ([]service.AuditEntry, error) {
	before := pgtype.UUID{}
	if filter.Before != "" {
		if err := before.Scan(filter.Before); err != nil {
			return nil, fmt.Errorf("list the audit log: %w", err)
		}
	}
	rows, _ := r.cold.Query(ctx, `
SELECT entry.*
FROM unnest($1::text[]) AS own (account), LATERAL (
	SELECT id::text, at, account, actor, action, resource, client, request_id, result, detail
	FROM audit_log
	WHERE account = own.account
	AND ($2::uuid IS NULL OR id < $2)
	AND ($3 = '' OR actor = $3)
	AND ($4 = '' OR action = $4)
	AND ($5 = '' OR result = $5)
	ORDER BY audit_log.id DESC
	LIMIT $6
) AS entry
ORDER BY id DESC
LIMIT $6`, filter.Accounts, before, filter.Actor, filter.Action, filter.Result, filter.Limit)
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (service.AuditEntry, error) {
		var e service.AuditEntry
		err := row.Scan(&e.ID, &e.At, &e.Account, &e.Actor, &e.Action, &e.Resource, &e.Client, &e.RequestID, &e.Result, &e.Detail)
		return e, err
	})
	if err != nil {
		return nil, r.classify("list the audit log", err)
	}
	return entries, nil
}

// ForgetAudit deletes entries of the audit log that are older than age.
func (r *Repository) ForgetAudit(ctx context.Context, age time.Duration) (int64, error) {
	since := fmt.Sprintf(`tusq_now() - interval '%d seconds'`, int64(age/time.Second))
	old := `SELECT id FROM audit_log WHERE id < ` + idAt(since) + ` AND at < ` + since
	return r.exclusively(ctx, lockAudit, old, func(tx pgx.Tx) (int64, error) {
		tag, err := r.cold.Exec(ctx, `
DELETE FROM audit_log
WHERE id IN (`+old+` ORDER BY id LIMIT `+deletePartText+`)`)
		if err != nil {
			return 0, r.classify("forget the audit log", err)
		}
		return tag.RowsAffected(), nil
	})
}
